/* SPDX-License-Identifier: MIT */
/** BatchNorm's affine map over an activation map, with what stands behind it. */
#ifndef FIRN_SRC_TRUNK_LAYERED_MAPS_H
#define FIRN_SRC_TRUNK_LAYERED_MAPS_H

#include <stddef.h>

/** y = x * scale + shift, per channel; two roundings. */
struct firn_norm {
    float *scale, *shift;
};

/** out = ReLU(norm(in)) on [pixels][c]; out does not overlap in. */
void firn_norm_relu(const float *in, size_t pixels, int c, const struct firn_norm *norm,
                    float *out);

/** out = ReLU(norm(in) + side), or, with `side_norm`, ReLU(norm(in) + side_norm(side)). */
void firn_norm_add_relu(const float *in, size_t pixels, int c, const struct firn_norm *norm,
                        const float *side, const struct firn_norm *side_norm, float *out);

#endif
