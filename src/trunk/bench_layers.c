/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "trunk/bench.h"

/* The entry of that name and algorithm; NULL when the table is full. */
static struct firn_bench_layer *entry(struct firn_bench_trunk *out, const char *name,
                                      const char *algorithm)
{
    for (int i = 0; i < out->n_layers; i++)
        if (!strcmp(out->layer[i].name, name) && !strcmp(out->layer[i].algorithm, algorithm))
            return &out->layer[i];
    if (out->n_layers == FIRN_BENCH_LAYERS)
        return NULL;
    struct firn_bench_layer *l = &out->layer[out->n_layers++];
    snprintf(l->name, sizeof l->name, "%s", name);
    snprintf(l->algorithm, sizeof l->algorithm, "%s", algorithm);
    return l;
}

static void describe(const struct firn_conv_shape *s, char *text, size_t size)
{
    char stride[16] = "", groups[32] = "";
    if (s->stride > 1)
        snprintf(stride, sizeof stride, "/%d", s->stride);
    if (s->groups > 1)
        snprintf(groups, sizeof groups, " x%d groups", s->groups);
    snprintf(text, size, "%dx%d%s %d>%d%s @%d", s->kernel, s->kernel, stride, s->cin, s->cout,
             groups, firn_conv_out_h(s));
}

static void add_pass(struct firn_bench_trunk *out, const char *name, int64_t ns, int64_t images)
{
    struct firn_bench_layer *l = entry(out, name, "");
    if (l) {
        l->count++;
        l->ms_per_image += (double)ns * 1e-6 / (double)images;
    }
}

void firn_bench_layers(struct firn_bench_trunk *out, const struct firn_trunk *trunk,
                       const struct firn_trunk_profile *profile, int64_t images)
{
    add_pass(out, "normalise", profile->normalise_ns, images);
    for (int i = 0; i < trunk->plan.n_conv; i++) {
        char name[sizeof out->layer[0].name];
        describe(&trunk->plan.conv[i], name, sizeof name);
        struct firn_bench_layer *l = entry(out, name, trunk->op[i]->algorithm);
        if (!l)
            return;
        l->count++;
        l->ms_per_image += (double)profile->conv_ns[i] * 1e-6 / (double)images;
        l->input_ms += (double)profile->parts[i].input * 1e-6 / (double)images;
        l->products_ms += (double)profile->parts[i].products * 1e-6 / (double)images;
        l->output_ms += (double)profile->parts[i].output * 1e-6 / (double)images;
        l->direct_gflop += 2e-9 * firn_conv_direct_macs(&trunk->plan.conv[i]);
        l->executed_gflop += 2e-9 * trunk->op[i]->macs;
        if (i == 0)
            add_pass(out, "max-pool", profile->pool_ns, images);
    }
    add_pass(out, "average", profile->average_ns, images);
}
