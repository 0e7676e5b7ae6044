/* SPDX-License-Identifier: MIT */
/** The inner loops of the resize: a generic version in C and faster ones, all of the same bits. */
#ifndef FIRN_SRC_IMAGE_ROW_KERNELS_H
#define FIRN_SRC_IMAGE_ROW_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/** Kernels may read so many bytes past the end of an input row; horizontal also writes so far. */
#define FIRN_ROW_SLACK 64

/** Fraction bits of a weight; sums of weight * 255 fit 32 bits. */
#define FIRN_WEIGHT_BITS 22

/** Where the samples under one output sample lie. */
struct firn_span {
    int first; /**< first input sample */
    int n;     /**< how many, at least 1 */
};

/**
 * The weights of one axis: output sample i is the sum over t < spans[i].n of
 * weights[i * stride + t] * in[spans[i].first + t].
 *
 * A weight needs 22 bits and the vector units multiply 16: `pairs` holds the same weights for
 * instructions that add two 16-bit products. For taps t and t + 1 (t even) two words, the lower 11
 * bits of both and the upper 11 bits of both, tap t in the lower half:
 *
 *   pairs[t]     = low(t)  | low(t + 1)  << 16          weight = high << 11 | low
 *   pairs[t + 1] = high(t) | high(t + 1) << 16
 *
 * so the exact sum is (sum of high products << 11) + sum of low products.
 */
struct firn_taps {
    int count;               /**< output samples */
    int stride;              /**< weights per output sample: a multiple of 4, zeros at the end */
    struct firn_span *spans; /**< [count], first rising, inside the input */
    int32_t *weights;        /**< [count * stride], each 0 .. 2^22 */
    uint32_t *pairs;         /**< [count * stride] */
};

/** Lower bits of a weight in firn_taps.pairs. */
#define FIRN_LOW_BITS 11

struct firn_row_kernels {
    enum firn_cpu level; /**< what the processor must have */
    /**
     * `rows` rows, each of `taps->count` output pixels: out[r][i] from in[r][spans[i] - origin].
     * RGB bytes, rounded and clipped to 0..255.
     */
    void (*horizontal)(uint8_t *out, size_t out_stride, const uint8_t *in, size_t in_stride,
                       int rows, const struct firn_taps *taps, int origin);
    /** Output row `i`: exactly `bytes` samples, `rows` being the spans[i].n rows under it. */
    void (*vertical)(uint8_t *out, const uint8_t *const *rows, const struct firn_taps *taps, int i,
                     size_t bytes);
};

extern const struct firn_row_kernels firn_row_kernels_c, firn_row_kernels_sse4,
    firn_row_kernels_avx2, firn_row_kernels_neon;

/** The fastest kernels that need no more than `level`; never NULL. */
const struct firn_row_kernels *firn_row_kernels_choose(enum firn_cpu level);

#endif
