/* SPDX-License-Identifier: MIT */
/** Passes over one map: normalise, max-pool, average. Generic versions: the specification. */
#include "trunk/kernels.h"

#include <string.h>

static void normalise(const uint8_t *rgb, size_t pixels, const float table[3][256], float *out)
{
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++)
            out[3 * i + c] = table[c][rgb[3 * i + c]];
}

static void max_into(float *out, const float *in, int c)
{
    for (int i = 0; i < c; i++)
        out[i] = in[i] < out[i] ? out[i] : in[i];
}

/* Padding never wins a maximum, so windows are clipped to the map. */
static void max_pool(const float *in, int h, int w, int c, float *out)
{
    int oh = (h + 1) / 2, ow = (w + 1) / 2;
    for (int y = 0; y < oh; y++)
        for (int x = 0; x < ow; x++, out += c) {
            memcpy(out, in + ((ptrdiff_t)2 * y * w + 2 * x) * c, sizeof(float) * c);
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++) {
                    int iy = 2 * y + dy, ix = 2 * x + dx;
                    if (iy >= 0 && iy < h && ix >= 0 && ix < w)
                        max_into(out, in + ((ptrdiff_t)iy * w + ix) * c, c);
                }
        }
}

static void average(const float *in, int pixels, int c, float *out)
{
    memset(out, 0, sizeof(float) * c);
    for (int p = 0; p < pixels; p++)
        for (int i = 0; i < c; i++)
            out[i] += in[(ptrdiff_t)p * c + i];
    for (int i = 0; i < c; i++)
        out[i] /= (float)pixels;
}

void firn_map_kernels_generic(struct firn_kernels *kernels)
{
    kernels->normalise = normalise;
    kernels->max_pool = max_pool;
    kernels->average = average;
}
