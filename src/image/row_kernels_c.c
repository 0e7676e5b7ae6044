/* SPDX-License-Identifier: MIT */
/** The specification of the resize kernels: plain C, always present. */
#include "image/row_kernels.h"

#define HALF (1 << (FIRN_WEIGHT_BITS - 1))

/* Weights are not negative, so only the upper end can be passed: by rounding, at huge scales. */
static uint8_t clip(int32_t sum)
{
    int32_t v = sum >> FIRN_WEIGHT_BITS;
    return v > 255 ? 255 : (uint8_t)v;
}

static void horizontal_c(uint8_t *out, size_t out_stride, const uint8_t *in, size_t in_stride,
                         int rows, const struct firn_taps *taps, int origin)
{
    for (int row = 0; row < rows; row++, out += out_stride, in += in_stride) {
        for (int i = 0; i < taps->count; i++) {
            const struct firn_span span = taps->spans[i];
            const int32_t *w = taps->weights + (size_t)i * taps->stride;
            const uint8_t *p = in + (size_t)(span.first - origin) * 3;
            int32_t r = HALF, g = HALF, b = HALF;
            for (int t = 0; t < span.n; t++, p += 3) {
                r += p[0] * w[t];
                g += p[1] * w[t];
                b += p[2] * w[t];
            }
            out[i * 3] = clip(r);
            out[i * 3 + 1] = clip(g);
            out[i * 3 + 2] = clip(b);
        }
    }
}

static void vertical_c(uint8_t *out, const uint8_t *const *rows, const struct firn_taps *taps,
                       int i, size_t bytes)
{
    const int32_t *w = taps->weights + (size_t)i * taps->stride;
    const int n = taps->spans[i].n;
    for (size_t x = 0; x < bytes; x++) {
        int32_t sum = HALF;
        for (int t = 0; t < n; t++)
            sum += rows[t][x] * w[t];
        out[x] = clip(sum);
    }
}

const struct firn_row_kernels firn_row_kernels_c = {FIRN_CPU_GENERIC, horizontal_c, vertical_c};
