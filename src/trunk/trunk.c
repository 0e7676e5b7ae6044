/* SPDX-License-Identifier: MIT */
#include "trunk/trunk.h"

#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"
#include "trunk/state.h"

/* float(v) / 255, - mean, / std: three float32 roundings, in torchvision's order. */
static void fill_table(float table[3][256])
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f};
    static const float std[3] = {0.229f, 0.224f, 0.225f};
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) {
            float x = (float)v / 255.0f;
            x = x - mean[c];
            table[c][v] = x / std[c];
        }
}

int firn_trunk_create_net(struct firn_trunk **out, const struct firn_net *net, int crop,
                          enum firn_cpu cpu, bool small, struct firn_error *err)
{
    *out = NULL;
    struct firn_trunk *t = firn_alloc(1, sizeof *t);
    if (!t)
        return firn_fail_nomem(err, "the trunk");
    int status = firn_plan_build(&t->plan, net, crop, err);
    if (!status) {
        firn_kernels_choose(&t->kernels, cpu);
        fill_table(t->table);
        status = firn_plan_pack(t->op, &t->plan, net, &t->kernels, small, err);
    }
    if (status) {
        firn_trunk_destroy(t);
        return status;
    }
    t->bytes = sizeof *t;
    for (int i = 0; i < t->plan.n_conv; i++)
        t->bytes += t->op[i]->bytes;
    *out = t;
    return 0;
}

int firn_trunk_create(struct firn_trunk **out, const struct firn_model *model, int crop,
                      enum firn_cpu cpu, bool small, struct firn_error *err)
{
    return firn_trunk_create_net(out, firn_model_net(model), crop, cpu, small, err);
}

void firn_trunk_destroy(struct firn_trunk *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->plan.n_conv; i++)
        firn_conv_destroy(t->op[i]);
    firn_free(t);
}

int firn_trunk_dim(const struct firn_trunk *t)
{
    return t->plan.dim;
}

size_t firn_trunk_bytes(const struct firn_trunk *t)
{
    return t->bytes;
}

/*
 * The number says which choice of algorithms and tiles made a feature: it rises when a change moves
 * features by more than their last bits, so that no cache mixes both. 1 and, of careful networks,
 * 2 were other tiles of the strided layers, 3 and 4 other chains of products, 5 and 6 other
 * roundings of the kernels of F(4,3), 7 had eight products where 9 has Strassen's seven, 8 had
 * longer chains.
 */
void firn_trunk_fingerprint(const struct firn_trunk *t, struct firn_fingerprint *fp)
{
    const bool careful = t && t->plan.conv[0].careful;
    snprintf(fp->part[FIRN_PART_NUMERIC], sizeof fp->part[0],
             "trunk=float32-minimal-filtering-%d bound=3e-5", careful ? 10 : 9);
}
