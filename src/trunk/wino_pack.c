/* SPDX-License-Identifier: MIT */
/** The weights of a Winograd convolution: U = G g G', into one set of panels for each point. */
#include "trunk/wino_op.h"

/*
 * u[point][o] for 16 output channels: G g G' with g the taps of one phase, in double. Taps that a
 * short phase lacks are zero, so its last point is zero too and nobody asks for it.
 */
static void transform(const struct firn_wino_matrix *f, const struct firn_conv_shape *s,
                      const struct phase *py, const struct phase *px, const float *weight,
                      double u[MAX_POINTS][FIRN_PANEL])
{
    int taps = s->kernel * s->kernel;
    double half[FIRN_WINO_MAX][FIRN_WINO_MAX][FIRN_PANEL];
    for (int i = 0; i < f->n; i++)
        for (int x = 0; x < px->taps; x++)
            for (int o = 0; o < FIRN_PANEL; o++) {
                double sum = 0;
                for (int y = 0; y < py->taps; y++)
                    sum += f->g[i][y] * weight[(ptrdiff_t)o * s->cin * taps +
                                               (py->first + y * s->stride) * s->kernel + px->first +
                                               x * s->stride];
                half[i][x][o] = sum;
            }
    for (int i = 0; i < f->n; i++)
        for (int j = 0; j < f->n; j++)
            for (int o = 0; o < FIRN_PANEL; o++) {
                double sum = 0;
                for (int x = 0; x < px->taps; x++)
                    sum += f->g[j][x] * half[i][x][o];
                u[i * f->n + j][o] = sum;
            }
}

/* Spreads one transformed 16-channel column over the panels of its points. */
static void store(const struct wino_op *w, double u[MAX_POINTS][FIRN_PANEL], int output, int row)
{
    for (int p = 0; p < w->points * w->points; p++) {
        bool last_i = p / w->points == w->points - 1, last_j = p % w->points == w->points - 1;
        int first, depth;
        depth_of_point(w, last_i, last_j, &first, &depth);
        if (row < first || row >= first + depth)
            continue;
        float *to = w->panels[p] + (ptrdiff_t)output * depth + (row - first) * FIRN_PANEL;
        for (int o = 0; o < FIRN_PANEL; o++)
            to[o] = (float)u[p][o];
    }
}

void firn_wino_pack(struct wino_op *w, const float *weight)
{
    const struct firn_conv_shape *s = &w->op.shape;
    struct firn_wino_matrix f;
    firn_wino_matrix(&f, w->axis[0].m, w->axis[0].r);
    double u[MAX_POINTS][FIRN_PANEL];
    for (int o = 0; o < s->cout; o += FIRN_PANEL)
        for (int k = 0; k < (w->n_phase == 1 ? 1 : 4); k++)
            for (int c = 0; c < s->cin; c++) {
                const struct phase *py = &w->phase[w->n_phase > 1 && groups[k].clip_h];
                const struct phase *px = &w->phase[w->n_phase > 1 && groups[k].clip_w];
                transform(&f, s, py, px,
                          weight + ((ptrdiff_t)o * s->cin + c) * s->kernel * s->kernel, u);
                store(w, u, o, k * s->cin + c);
            }
}

size_t firn_wino_lay_out(struct wino_op *w, float *base)
{
    size_t total = 0;
    for (int p = 0; p < w->points * w->points; p++) {
        int first, depth;
        depth_of_point(w, p / w->points == w->points - 1, p % w->points == w->points - 1, &first,
                       &depth);
        w->panels[p] = base ? base + total : NULL;
        total += (size_t)depth * w->op.shape.cout;
    }
    return total;
}
