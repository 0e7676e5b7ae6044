/* SPDX-License-Identifier: MIT */
#include "model/family.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

const struct firn_family firn_families[FIRN_FAMILIES] = {
    {"resnet18", {2, 2, 2, 2}, false, 1, 64},
    {"resnet34", {3, 4, 6, 3}, false, 1, 64},
    {"resnet50", {3, 4, 6, 3}, true, 1, 64},
    {"resnet101", {3, 4, 23, 3}, true, 1, 64},
    {"resnet152", {3, 8, 36, 3}, true, 1, 64},
    {"wide_resnet50_2", {3, 4, 6, 3}, true, 1, 128},
    {"wide_resnet101_2", {3, 4, 23, 3}, true, 1, 128},
    {"resnext50_32x4d", {3, 4, 6, 3}, true, 32, 4},
    {"resnext101_32x8d", {3, 4, 23, 3}, true, 32, 8},
    {"resnext101_64x4d", {3, 4, 23, 3}, true, 64, 4},
};

const struct firn_family *firn_family_find(const char *name)
{
    for (int i = 0; i < FIRN_FAMILIES; i++)
        if (strcmp(firn_families[i].name, name) == 0)
            return &firn_families[i];
    return NULL;
}

int firn_family_width(const struct firn_family *family, int layer)
{
    return (64 << layer) * family->width_per_group / 64 * family->groups;
}

/** a followed by b; snprintf() would do, but gcc takes neighbours in `w` for overlapping. */
static void join(char *out, size_t room, const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    assert(na + nb < room);
    memmove(out, a, na);
    memmove(out + na, b, nb + 1);
}

static struct firn_param *add_param(struct firn_network *w, int conv, enum firn_role role,
                                    const char *layer, const char *suffix)
{
    assert(w->n_param < FIRN_MAX_PARAMS);
    struct firn_param *p = &w->param[w->n_param++];
    join(p->name, sizeof p->name, layer, suffix);
    p->role = role;
    p->conv = conv;
    p->ndim = 1;
    p->shape[0] = w->net.conv[conv].shape.cout;
    p->count = (size_t)p->shape[0];
    return p;
}

static void add_params(struct firn_network *w, int conv)
{
    const struct firn_model_layer *s = &w->net.conv[conv].shape;
    struct firn_param *p = add_param(w, conv, FIRN_WEIGHT, s->name, ".weight");
    p->ndim = 4;
    p->shape[1] = s->cin / s->groups;
    p->shape[2] = p->shape[3] = s->kernel;
    p->count *= (size_t)p->shape[1] * (size_t)s->kernel * (size_t)s->kernel;
    add_param(w, conv, FIRN_GAMMA, s->bn_name, ".weight");
    add_param(w, conv, FIRN_BETA, s->bn_name, ".bias");
    add_param(w, conv, FIRN_MEAN, s->bn_name, ".running_mean");
    add_param(w, conv, FIRN_VAR, s->bn_name, ".running_var");
}

/** Adds a convolution whose names are `prefix` with `conv` and `bn`; padding keeps the centre. */
static int add_conv(struct firn_network *w, const char *prefix, const char *conv, const char *bn,
                    int cin, int cout, int kernel, int stride, int groups)
{
    assert(w->net.n_conv < FIRN_MAX_CONVS);
    int i = w->net.n_conv++;
    join(w->name[i][0], sizeof w->name[i][0], prefix, conv);
    join(w->name[i][1], sizeof w->name[i][1], prefix, bn);
    w->net.conv[i].shape = (struct firn_model_layer){
        .name = w->name[i][0], .bn_name = w->name[i][1],
        .cin = cin, .cout = cout, .kernel = kernel, .stride = stride,
        .pad = kernel / 2, .groups = groups,
    };
    add_params(w, i);
    return i;
}

/** Adds block `b` of layer `layer` (from 0) on `cin` channels; returns how many come out. */
static int add_block(struct firn_network *w, int layer, int b, int cin)
{
    const struct firn_family *f = w->family;
    assert(w->net.n_block < FIRN_MAX_BLOCKS);
    struct firn_block *block = &w->net.block[w->net.n_block++];
    char prefix[24];
    snprintf(prefix, sizeof prefix, "layer%d.%d.", layer + 1, b);
    int stride = b == 0 && layer > 0 ? 2 : 1;
    int planes = 64 << layer;
    int cout = f->bottleneck ? 4 * planes : planes;
    if (f->bottleneck) {
        int width = firn_family_width(f, layer);
        block->n = 3;
        block->conv[0] = add_conv(w, prefix, "conv1", "bn1", cin, width, 1, 1, 1);
        block->conv[1] = add_conv(w, prefix, "conv2", "bn2", width, width, 3, stride, f->groups);
        block->conv[2] = add_conv(w, prefix, "conv3", "bn3", width, cout, 1, 1, 1);
    } else {
        block->n = 2;
        block->conv[0] = add_conv(w, prefix, "conv1", "bn1", cin, cout, 3, stride, 1);
        block->conv[1] = add_conv(w, prefix, "conv2", "bn2", cout, cout, 3, 1, 1);
        block->conv[2] = -1;
    }
    block->down = -1;
    if (stride != 1 || cin != cout)
        block->down = add_conv(w, prefix, "downsample.0", "downsample.1", cin, cout, 1, stride, 1);
    return cout;
}

void firn_network_init(struct firn_network *w, const struct firn_family *family)
{
    memset(w, 0, sizeof *w);
    w->family = family;
    add_conv(w, "", "conv1", "bn1", 3, 64, 7, 2, 1);
    int channels = 64;
    for (int layer = 0; layer < 4; layer++)
        for (int b = 0; b < family->blocks[layer]; b++)
            channels = add_block(w, layer, b, channels);
    w->net.dim = channels;
    for (int i = 0; i < w->n_param; i++)
        w->parameters += w->param[i].count;
}

/** Points the trunk's view of the network at the numbers. */
static void connect(struct firn_net *net, const struct firn_param *p)
{
    struct firn_conv *conv = &net->conv[p->conv];
    const float **place[] = {
        [FIRN_WEIGHT] = &conv->weight, [FIRN_GAMMA] = &conv->gamma, [FIRN_BETA] = &conv->beta,
        [FIRN_MEAN] = &conv->mean, [FIRN_VAR] = &conv->var,
    };
    *place[p->role] = p->data;
}

int firn_network_alloc(struct firn_network *w, struct firn_error *err)
{
    const size_t line = FIRN_ALIGN / sizeof(float);
    size_t total = 0;
    for (int i = 0; i < w->n_param; i++)
        total += (w->param[i].count + line - 1) / line * line;
    w->numbers = firn_alloc_raw(total, sizeof(float));
    if (!w->numbers)
        return firn_fail_nomem(err, "the network's weights");
    size_t at = 0;
    for (int i = 0; i < w->n_param; i++) {
        w->param[i].data = w->numbers + at;
        at += (w->param[i].count + line - 1) / line * line;
        connect(&w->net, &w->param[i]);
    }
    return 0;
}

/** True when any of `n` numbers is NaN or infinite: all ones in the exponent. */
static bool any_not_finite(const float *x, size_t n)
{
    const uint32_t exponent = 0x7F800000;
    uint32_t found = 0; /* no branch per number, so that the loop becomes vector code */
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        found |= (bits & exponent) == exponent;
    }
    return found != 0;
}

int firn_param_check(const struct firn_param *p, const char *where, struct firn_error *err)
{
    if (any_not_finite(p->data, p->count)) {
        size_t i = 0;
        while (isfinite(p->data[i]))
            i++;
        return firn_fail(err, FIRN_DATA, "%s: %s has the value %f at index %zu: "
                         "these weights give no usable feature", where, p->name,
                         (double)p->data[i], i);
    }
    for (size_t i = 0; p->role == FIRN_VAR && i < p->count; i++)
        if (p->data[i] < 0)
            return firn_fail(err, FIRN_DATA, "%s: %s is %g at index %zu: "
                             "a variance cannot be negative", where, p->name,
                             (double)p->data[i], i);
    return 0;
}
