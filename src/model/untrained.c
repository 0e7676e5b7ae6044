/* SPDX-License-Identifier: MIT */
/**
 * Seeded random weights.
 *
 * Each convolution has a stream of its own, so that layers do not depend on each other: it starts
 * at the FNV-1a hash of the tensor's name, xor'ed with the seed mixed once. Number i of the stream
 * is splitmix64's output function at start + (i + 1) * golden ratio. Two of them give eight
 * uniform 16-bit integers; their sum, minus its mean, over its standard deviation is the random
 * number of unit variance (a sum of eight is close to normal, and ends at 4.9 deviations). Only
 * integer arithmetic and one rounding to float are involved: no libm that could differ between
 * machines.
 *
 * Scale: He et al. 2015 for ReLU, sqrt(2 / fan in), keeps the mean square of activations from
 * layer to layer. A sum of residual branches does not: each block would double it, 2^50 in
 * resnet152. So the last BatchNorm of each block has gamma = sqrt(1 / (2 * blocks)), with which all
 * identity blocks together multiply the mean square by less than e. Every other gamma is 1, beta
 * is 0, the running mean is 0 and the running variance 1.
 */
#include "model/untrained.h"

#include <math.h>

#include "base/random.h"

static uint64_t stream_start(const char *name, uint64_t seed)
{
    uint64_t hash = 0xCBF29CE484222325ull; /* FNV-1a's offset basis and prime */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001B3ull;
    return hash ^ firn_random(&seed);
}

/** Sum of the four 16-bit integers in `z`. */
static int32_t sum16(uint64_t z)
{
    return (int32_t)((z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48));
}

static void fill_normal(struct firn_param *p, uint64_t seed)
{
    uint64_t state = stream_start(p->name, seed);
    double fan_in = (double)(p->count / (size_t)p->shape[0]);
    double deviation = sqrt(8 * (65536.0 * 65536.0 - 1) / 12); /* of a sum of eight uniforms */
    double scale = sqrt(2 / fan_in) / deviation;
    for (size_t i = 0; i < p->count; i++) {
        uint64_t a = firn_random(&state);
        uint64_t b = firn_random(&state);
        p->data[i] = (float)((sum16(a) + sum16(b) - 4 * 65535) * scale);
    }
}

static void fill_constant(struct firn_param *p, float value)
{
    for (size_t i = 0; i < p->count; i++)
        p->data[i] = value;
}

void firn_untrained_fill(struct firn_network *w, uint64_t seed)
{
    for (int i = 0; i < w->n_param; i++) {
        struct firn_param *p = &w->param[i];
        if (p->role == FIRN_WEIGHT)
            fill_normal(p, seed);
        else
            fill_constant(p, p->role == FIRN_GAMMA || p->role == FIRN_VAR);
    }
    float gamma = (float)sqrt(0.5 / w->net.n_block);
    for (int b = 0; b < w->net.n_block; b++) {
        const struct firn_block *block = &w->net.block[b];
        fill_constant(&w->param[5 * block->conv[block->n - 1] + FIRN_GAMMA], gamma);
    }
}
