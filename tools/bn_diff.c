/* SPDX-License-Identifier: MIT */
/** `firn bn diff`: how far two sets of statistics lie apart, layer by layer. */
#include "bn_svg.h"
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR 24 /* columns of the longest bar where there is no terminal */

struct diff {
    struct firn_bn *side[2];
    const char *name[2];
    struct firn_bn_shift *shift;
    int layers;
};

static int load(struct diff *d, char **specs, struct firn_error *err)
{
    for (int i = 0; i < 2; i++) {
        d->name[i] = specs[i];
        if (firn_bn_open(&d->side[i], specs[i], err))
            return firn_cli_fail(err);
    }
    d->layers = firn_bn_layers(d->side[0]);
    d->shift = calloc((size_t)d->layers, sizeof(*d->shift));
    if (!d->shift) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    return firn_bn_compare(d->side[0], d->side[1], d->shift, err) ? firn_cli_fail(err) : FIRN_OK;
}

static void layer_json(struct firn_json *j, const struct firn_bn_shift *s)
{
    firn_json_object(j, NULL);
    firn_json_string(j, "layer", s->name);
    firn_json_int(j, "channels", s->channels);
    firn_json_number(j, "shift", s->shift);
    firn_json_number(j, "max_shift", s->most);
    firn_json_number(j, "log_variance_ratio", s->log_ratio);
    firn_json_number(j, "log_variance_ratio_rms", s->log_spread);
    firn_json_number(j, "kl", s->kl);
    firn_json_array(j, "worst");
    for (int i = 0; i < FIRN_BN_WORST && s->worst[i].channel >= 0; i++) {
        firn_json_object(j, NULL);
        firn_json_int(j, "channel", s->worst[i].channel);
        firn_json_number(j, "shift", s->worst[i].shift);
        firn_json_number(j, "log_variance_ratio", s->worst[i].log_ratio);
        firn_json_number(j, "kl", s->worst[i].kl);
        firn_json_end_object(j);
    }
    firn_json_end_array(j);
    firn_json_end_object(j);
}

static int print_json(const struct diff *d)
{
    static const char *const keys[2] = {"a", "b"};
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    for (int i = 0; i < 2; i++) {
        firn_json_object(&j, keys[i]);
        firn_json_string(&j, "name", d->name[i]);
        firn_json_string(&j, "family", firn_bn_family(d->side[i]));
        firn_json_string(&j, "batchnorm", firn_bn_words(d->side[i]));
        firn_json_end_object(&j);
    }
    firn_json_array(&j, "layers");
    for (int i = 0; i < d->layers; i++)
        layer_json(&j, &d->shift[i]);
    firn_json_end_array(&j);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

/** Columns that are left for a bar behind the figures. */
static int bar_room(int used)
{
    struct winsize w;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0) {
        int left = w.ws_col - used - 1;
        return left < 0 ? 0 : left < 60 ? left : 60;
    }
    return BAR;
}

/** In eighths of a column on a terminal, "#" elsewhere. */
static void put_bar(double part, int room, enum firn_colour colour)
{
    static const char *const eighth[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    fputs(part * room * 8 >= 0.5 ? "  " : "", stdout);
    if (!isatty(STDOUT_FILENO)) {
        for (int i = (int)lround(part * room); i > 0; i--)
            putchar('#');
        return;
    }
    int n = (int)lround(part * room * 8);
    fputs(firn_cli_colour(stdout, colour), stdout);
    for (int i = 0; i < n / 8; i++)
        fputs("█", stdout);
    fputs(eighth[n % 8], stdout);
    fputs(firn_cli_colour(stdout, FIRN_PLAIN), stdout);
}

static void put_worst(const struct firn_bn_shift *s)
{
    for (int i = 0; i < FIRN_BN_WORST && s->worst[i].channel >= 0; i++)
        printf("    channel %-4d  shift %+8.3f  ln ratio %+8.3f  KL %8.4f\n", s->worst[i].channel,
               s->worst[i].shift, s->worst[i].log_ratio, s->worst[i].kl);
}

static void print_text(const struct diff *d)
{
    double most = 0;
    int top = 0;
    for (int i = 0; i < d->layers; i++) {
        most = fmax(most, d->shift[i].kl);
        top = d->shift[i].kl > d->shift[top].kl ? i : top;
    }
    printf("%-24s %8s %9s %8s\n", "layer", "shift", "ln ratio", "KL");
    for (int i = 0; i < d->layers; i++) {
        const struct firn_bn_shift *s = &d->shift[i];
        double part = most > 0 ? s->kl / most : 0;
        printf("%-24s %8.3f %+9.3f %8.4f", s->name, s->shift, s->log_ratio, s->kl);
        put_bar(part, bar_room(54), s->kl > 0.5 ? FIRN_RED : s->kl > 0.1 ? FIRN_YELLOW
                                                                         : FIRN_GREEN);
        putchar('\n');
        if (firn_cli_verbose)
            put_worst(s);
    }
    if (most == 0) {
        printf("the statistics are the same\n");
        return;
    }
    printf("\nThey lie furthest apart in %s; its worst channels:\n", d->shift[top].name);
    put_worst(&d->shift[top]);
}

static void discard(struct diff *d)
{
    firn_bn_close(d->side[0]);
    firn_bn_close(d->side[1]);
    free(d->shift);
}

static int diff(const struct firn_verb *verb, int argc, char **argv)
{
    const char *svg = NULL;
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 0, "svg", "FILE", "write a picture as well", &svg, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    struct diff d = {0};
    struct firn_error err = {0};
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    for (int i = 0; svg && i < 2 && status == FIRN_CLI_GO; i++)
        status = firn_cli_spare(verb, argv[i], svg);
    if (status != FIRN_CLI_GO)
        return status;
    status = load(&d, argv, &err);
    if (!status && svg && firn_bn_svg(svg, d.name, d.shift, d.layers, &err))
        status = firn_cli_fail(&err);
    if (!status && json)
        status = print_json(&d);
    else if (!status)
        print_text(&d);
    discard(&d);
    return status;
}

const struct firn_verb firn_verb_bn_diff = {
    .name = "bn diff",
    .args = "[options] A B",
    .summary = "how far statistics lie apart, layer by layer",
    .more = "A and B are files of 'firn bn estimate' or models. For each layer: the root mean\n"
            "square over channels of (mean B - mean A) in deviations of A; the mean of\n"
            "ln(variance B / variance A); the mean divergence (KL) of the Gaussians with B's\n"
            "mean and variance from those with A's, as a figure and a bar. -v adds the worst\n"
            "channels of each layer.\n",
    .min_args = 2,
    .max_args = 2,
    .run = diff,
};
