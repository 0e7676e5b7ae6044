/* SPDX-License-Identifier: MIT */
#include "trunk/layered_maps.h"

/* As everywhere in the trunk: a NaN goes through. */
static inline float relu(float v)
{
    return v < 0 ? 0 : v;
}

void firn_norm_relu(const float *in, size_t pixels, int c, const struct firn_norm *norm,
                    float *restrict out)
{
    const float *restrict scale = norm->scale, *restrict shift = norm->shift;
    for (size_t p = 0; p < pixels; p++, in += c, out += c)
        for (int i = 0; i < c; i++)
            out[i] = relu(in[i] * scale[i] + shift[i]);
}

static void add_plain(const float *in, size_t pixels, int c, const struct firn_norm *norm,
                      const float *side, float *restrict out)
{
    const float *restrict scale = norm->scale, *restrict shift = norm->shift;
    for (size_t p = 0; p < pixels; p++, in += c, side += c, out += c)
        for (int i = 0; i < c; i++)
            out[i] = relu(in[i] * scale[i] + shift[i] + side[i]);
}

void firn_norm_add_relu(const float *in, size_t pixels, int c, const struct firn_norm *norm,
                        const float *side, const struct firn_norm *side_norm, float *restrict out)
{
    if (!side_norm) {
        add_plain(in, pixels, c, norm, side, out);
        return;
    }
    const float *restrict scale = norm->scale, *restrict shift = norm->shift;
    const float *restrict down_scale = side_norm->scale, *restrict down_shift = side_norm->shift;
    for (size_t p = 0; p < pixels; p++, in += c, side += c, out += c)
        for (int i = 0; i < c; i++)
            out[i] = relu(in[i] * scale[i] + shift[i] + (side[i] * down_scale[i] + down_shift[i]));
}
