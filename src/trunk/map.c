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
static void max_pool(const float *const row[3], int w, int c, float *out)
{
    for (int x = 0; x < w; x += 2, out += c) {
        memcpy(out, row[1] + (ptrdiff_t)x * c, sizeof(float) * c);
        for (int y = 0; y < 3; y++)
            for (int ix = x - 1; ix <= x + 1; ix++)
                if (ix >= 0 && ix < w)
                    max_into(out, row[y] + (ptrdiff_t)ix * c, c);
    }
}

void firn_max_pool(const struct firn_kernels *kernels, const float *in, int h, int w, int c,
                   float *out)
{
    ptrdiff_t step = (ptrdiff_t)w * c;
    for (int y = 0; y < h; y += 2, out += (ptrdiff_t)((w + 1) / 2) * c) {
        const float *middle = in + y * step;
        const float *row[3] = {y > 0 ? middle - step : middle, middle,
                               y + 1 < h ? middle + step : middle};
        kernels->max_pool(row, w, c, out);
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
