/* SPDX-License-Identifier: MIT */
/** The inner loops of the resize: one generic version in C and faster ones, all with the same bits. */
#ifndef FIRN_SRC_IMAGE_KERNELS_H
#define FIRN_SRC_IMAGE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/** Kernels may read so many bytes past the end of an input row; horizontal also writes so far. */
#define FIRN_ROW_SLACK 64

/** Fraction bits of a weight; sums of weight * 255 fit 32 bits. */
#define FIRN_WEIGHT_BITS 22

/** Where the samples under one output sample lie. */
struct firn_span {
    int first; /**< first input sample */
    int n;     /**< how many, at least 1 */
};

/** The weights of one axis: output sample i is the sum over t of weight[i * stride + t] * in. */
struct firn_taps {
    int count;             /**< output samples */
    int stride;            /**< weights per output sample: the longest span, zero-filled */
    struct firn_span *spans; /**< [count], first rising, inside the input */
    int32_t *weights;      /**< [count * stride], each 0 .. 2^22 */
};

struct firn_kernels {
    /**
     * `rows` rows, each of `taps->count` output pixels: out[r][i] from in[r][spans[i] - origin].
     * RGB bytes, rounded and clipped to 0..255.
     */
    void (*horizontal)(uint8_t *out, size_t out_stride, const uint8_t *in, size_t in_stride,
                       int rows, const struct firn_taps *taps, int origin);
    /** Exactly `bytes` samples, each the weighted sum of the same sample of `n` rows. */
    void (*vertical)(uint8_t *out, const uint8_t *const *rows, const int32_t *weights, int n,
                     size_t bytes);
};

extern const struct firn_kernels firn_kernels_c;

#endif
