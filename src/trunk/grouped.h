/* SPDX-License-Identifier: MIT */
/** Convolutions with few channels a group (ResNeXt): the arguments of their kernel. */
#ifndef FIRN_SRC_TRUNK_GROUPED_H
#define FIRN_SRC_TRUNK_GROUPED_H

#include "trunk/conv.h"

/** Output channels that are computed together: an AVX2 register, two of SSE or NEON. */
#define FIRN_GROUPED_LANES 8

/**
 * One output row [ow][cout] of a convolution whose groups have `g` channels in and `g` out, g = 4
 * or a multiple of 8. Weights are packed as [cout / 8][ky][kx][g][8]: for output channels 8i..8i+7
 * and a tap, the j-th vector multiplies the j-th input channel of each lane's own group (with
 * g == 4 the first four lanes are one group, the others the next).
 */
struct firn_grouped {
    const struct firn_conv_shape *shape;
    int g;
    int oy;          /**< the output row */
    const float *in; /**< one image */
    const float *weight;
    const float *bias;
    const float *residual; /**< the row's residual, or NULL; may equal out */
    float *out;            /**< the row */
};

#endif
