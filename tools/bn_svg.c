/* SPDX-License-Identifier: MIT */
#include "bn_svg.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "output.h"

enum { ROW = 18, TOP = 64, LEFT = 170, PANEL = 220, GAP = 60, FOOT = 16 };

static void put(struct firn_output *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct firn_output *out, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    firn_output_write(out, text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/** Text of unknown origin: what XML reserves, control characters and odd bytes as "?". */
static void put_text(struct firn_output *out, const char *text)
{
    for (; *text; text++) {
        char c = *text;
        const char *name = c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : NULL;
        if (name) {
            firn_output_write(out, name, strlen(name));
        } else {
            c = c >= ' ' && c <= '~' ? c : '?';
            firn_output_write(out, &c, 1);
        }
    }
}

static double pick(const struct firn_bn_shift *s, int panel)
{
    return panel == 0 ? s->kl : panel == 1 ? s->shift : s->log_ratio;
}

static void put_panel(struct firn_output *out, int panel, const struct firn_bn_shift *shift,
                      int layers)
{
    static const char *const title[] = {"KL divergence, nats", "shift of means, deviations",
                                        "ln(variance B / variance A)"};
    static const char *const colour[] = {"#4477aa", "#228833", "#aa3377"};
    double most = 0;
    int x0 = LEFT + panel * (PANEL + GAP);
    for (int i = 0; i < layers; i++)
        most = fmax(most, fabs(pick(&shift[i], panel)));
    bool both = panel == 2;
    int zero = both ? x0 + PANEL / 2 : x0, room = both ? PANEL / 2 : PANEL;
    put(out, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n", x0, TOP - 10,
        title[panel]);
    for (int i = 0; i < layers; i++) {
        double v = pick(&shift[i], panel);
        double width = most > 0 ? fabs(v) / most * room : 0;
        put(out, "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\"/>"
                 "<text x=\"%d\" y=\"%d\" font-size=\"10\">%.3g</text>\n",
            v < 0 ? zero - width : (double)zero, TOP + i * ROW + 3, width, ROW - 6, colour[panel],
            x0 + PANEL + 6, TOP + i * ROW + 13, v);
    }
    put(out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#888\"/>\n", zero, TOP, zero,
        TOP + layers * ROW);
}

int firn_bn_svg(const char *path, const char *const names[2], const struct firn_bn_shift *shift,
                int layers, struct firn_error *err)
{
    struct firn_output out;
    int status = firn_output_begin(&out, path, err);
    if (status)
        return status;
    int width = LEFT + 3 * (PANEL + GAP), height = TOP + layers * ROW + FOOT;
    put(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
              "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
              "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", width, height, width,
        height);
    put(&out, "<text x=\"10\" y=\"20\" font-size=\"14\">BatchNorm statistics: A = ");
    put_text(&out, names[0]);
    put(&out, ", B = ");
    put_text(&out, names[1]);
    put(&out, "</text>\n");
    for (int i = 0; i < layers; i++)
        put(&out, "<text x=\"10\" y=\"%d\">%s</text>\n", TOP + i * ROW + 13, shift[i].name);
    for (int panel = 0; panel < 3; panel++)
        put_panel(&out, panel, shift, layers);
    put(&out, "</svg>\n");
    return firn_output_commit(&out, err);
}
