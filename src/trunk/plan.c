/* SPDX-License-Identifier: MIT */
#include "trunk/plan.h"

#include <string.h>

#include "base/error.h"
#include "firn/image.h"

/* Weights of the layers that are kept untransformed where memory is short: layer3 and layer4. What
 * the others would save, 13 MB, is not worth its time: their batches are small. */
#define COMPACT_FROM (256 << 10)

static size_t out_floats(const struct firn_conv_shape *s)
{
    return (size_t)firn_conv_out_h(s) * firn_conv_out_w(s) * s->cout;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/*
 * What an early layer rounds grows from block to block. With 100 layers and more it would exceed
 * the bound that the fingerprint states. Most of it comes from the first convolution by polyphase,
 * some from large tiles on the maps of up to 128 channels: resnet152 with random weights errs by
 * rms 4.5e-6 against float64 with tiles of four everywhere, 2.9e-6 without the former, 2.7e-6, as
 * torch does, with tiles of three for the latter and five for the wide maps (weights as those of
 * tests/check_features.py). A change here changes the numeric class (trunk.c).
 */
#define DEEP 60

/* The shape of convolution i on a map of h x w x c; *bad when the channels do not meet. */
static const struct firn_conv_shape *place(struct firn_plan *plan, const struct firn_net *net,
                                           int i, const struct firn_conv_shape *map, bool *bad)
{
    const struct firn_model_layer *l = &net->conv[i].shape;
    plan->conv[i] = (struct firn_conv_shape){
        .h = firn_conv_out_h(map), .w = firn_conv_out_w(map), .cin = l->cin, .cout = l->cout,
        .kernel = l->kernel, .stride = l->stride, .pad = l->pad, .groups = l->groups,
        .careful = net->n_conv > DEEP,
    };
    *bad |= l->cin != map->cout || l->cin % l->groups || l->cout % l->groups;
    return &plan->conv[i];
}

/* Shapes of one block; returns that of its output map. */
static struct firn_conv_shape place_block(struct firn_plan *plan, const struct firn_net *net,
                                          const struct firn_block *b,
                                          const struct firn_conv_shape *map, bool *bad)
{
    struct firn_conv_shape in = *map, at = *map;
    for (int k = 0; k < b->n; k++) {
        at = *place(plan, net, b->conv[k], &at, bad);
        /* the last one's behind the sum */
        plan->conv[b->conv[k]].relu = net->conv[b->conv[k]].gamma;
    }
    if (b->down >= 0)
        in = *place(plan, net, b->down, &in, bad);
    *bad |= out_floats(&in) != out_floats(&at) || in.cout != at.cout;
    return at;
}

/* Counts block b in: to the current stage, or a new one where the size of the maps changes. */
static void add_to_stage(struct firn_plan *plan, int b, size_t in, size_t out)
{
    const struct firn_block *block = &plan->block[b];
    struct firn_stage *s = plan->n_stage ? &plan->stage[plan->n_stage - 1] : NULL;
    if (!s || s->out != out) {
        s = &plan->stage[plan->n_stage++];
        const struct firn_conv_shape *last = &plan->conv[block->conv[block->n - 1]];
        int pixels = firn_conv_out_h(last) * firn_conv_out_w(last);
        s->first = b;
        s->in = in;
        s->out = out;
        s->images = pixels < FIRN_STAGE_PIXELS ? FIRN_STAGE_PIXELS / pixels : 1;
    }
    s->count++;
    for (int k = 0; k + 1 < block->n; k++)
        s->inner[k] = larger(s->inner[k], out_floats(&plan->conv[block->conv[k]]));
}

int firn_plan_build(struct firn_plan *plan, const struct firn_net *net, int crop,
                    struct firn_error *err)
{
    if (crop < 1 || crop > FIRN_MAX_CROP) /* beyond, a size might not fit an int */
        return firn_fail(err, FIRN_USAGE, "a crop of %d pixels is not possible: 1 to %d are", crop,
                         FIRN_MAX_CROP);
    memset(plan, 0, sizeof *plan);
    plan->crop = crop;
    plan->dim = net->dim;
    plan->n_conv = net->n_conv;
    plan->n_block = net->n_block;
    memcpy(plan->block, net->block, sizeof plan->block);

    bool bad = false;
    struct firn_conv_shape image = {.h = crop, .w = crop, .cout = 3, .kernel = 1, .stride = 1};
    struct firn_conv_shape map = *place(plan, net, 0, &image, &bad);
    plan->conv[0].relu = net->conv[0].gamma;
    map = (struct firn_conv_shape){
        .h = firn_conv_out_h(&map), .w = firn_conv_out_w(&map), .cout = map.cout,
        .kernel = 3, .stride = 2, .pad = 1,
    };
    for (int b = 0; b < net->n_block && !bad; b++) {
        struct firn_conv_shape out = place_block(plan, net, &plan->block[b], &map, &bad);
        if (plan->n_stage == FIRN_MAX_STAGES)
            bad = true;
        else
            add_to_stage(plan, b, out_floats(&map), out_floats(&out));
        map = out;
    }
    if (bad || map.cout != net->dim)
        return firn_fail(err, FIRN_INTERNAL, "the layers of this network do not fit together");
    plan->out_pixels = firn_conv_out_h(&map) * firn_conv_out_w(&map);
    return 0;
}

/*
 * Below so many channels the sums cost what the product saves. Careful networks do without: their
 * errors are near the bound as it is.
 */
static int strassen(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                    const float *weight, const float *bias, const struct firn_kernels *kernels)
{
    *out = NULL;
    if (shape->careful || shape->cin < 128 || shape->cout < 128)
        return FIRN_CONV_UNSUITED;
    return firn_conv_create_strassen(out, shape, weight, bias, kernels);
}

int firn_plan_conv(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                   const float *weight, const float *bias, const struct firn_kernels *kernels,
                   bool small)
{
    static firn_conv_create_fn *const algorithms[] = {
        firn_conv_create_wino_compact, firn_conv_create_wino, strassen, firn_conv_create_gemm,
        firn_conv_create_grouped, firn_conv_create_direct,
    };
    bool compact = small && firn_conv_weights(shape) >= COMPACT_FROM;
    int status = FIRN_CONV_UNSUITED;
    for (size_t i = compact ? 0 : 1; i < sizeof algorithms / sizeof *algorithms; i++) {
        status = algorithms[i](out, shape, weight, bias, kernels);
        if (status != FIRN_CONV_UNSUITED)
            break;
    }
    return status;
}
