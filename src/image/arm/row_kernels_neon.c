/* SPDX-License-Identifier: MIT */
/** Row kernels with NEON, which multiplies 32 bits at full width: the weights as they are. */
#include "image/row_kernels.h"

#include <arm_neon.h>
#include <string.h>

#define HALF (1u << (FIRN_WEIGHT_BITS - 1))

/* Narrowed with saturation, so that a sum that rounding has pushed past the end stays at 255. */
static inline uint8x8_t narrow(uint32x4_t a, uint32x4_t b)
{
    const uint16x8_t words = vcombine_u16(vmovn_u32(vshrq_n_u32(a, FIRN_WEIGHT_BITS)),
                                          vmovn_u32(vshrq_n_u32(b, FIRN_WEIGHT_BITS)));
    return vqmovn_u16(words);
}

/* Two pixels in, three channels of each spread over 32-bit lanes. */
static inline uint32x4_t pixel(uint8x16_t bytes, uint8x16_t spread)
{
    return vreinterpretq_u32_u8(vqtbl1q_u8(bytes, spread));
}

static void horizontal_neon(uint8_t *out, size_t out_stride, const uint8_t *in, size_t in_stride,
                            int rows, const struct firn_taps *taps, int origin)
{
    static const uint8_t spreads[4][16] = {
        {0, 99, 99, 99, 1, 99, 99, 99, 2, 99, 99, 99, 99, 99, 99, 99},
        {3, 99, 99, 99, 4, 99, 99, 99, 5, 99, 99, 99, 99, 99, 99, 99},
        {6, 99, 99, 99, 7, 99, 99, 99, 8, 99, 99, 99, 99, 99, 99, 99},
        {9, 99, 99, 99, 10, 99, 99, 99, 11, 99, 99, 99, 99, 99, 99, 99},
    };
    const uint8x16_t s0 = vld1q_u8(spreads[0]), s1 = vld1q_u8(spreads[1]);
    const uint8x16_t s2 = vld1q_u8(spreads[2]), s3 = vld1q_u8(spreads[3]);
    for (; rows > 0; rows--, out += out_stride, in += in_stride) {
        for (int i = 0; i < taps->count; i++) {
            const struct firn_span span = taps->spans[i];
            const int32_t *weights = taps->weights + (size_t)i * taps->stride;
            const uint8_t *p = in + (size_t)(span.first - origin) * 3;
            uint32x4_t a = vdupq_n_u32(HALF), b = vdupq_n_u32(0);
            for (int t = 0; t < span.n; t += 4, p += 12) {
                const uint32x4_t w = vreinterpretq_u32_s32(vld1q_s32(weights + t));
                const uint8x16_t bytes = vld1q_u8(p);
                a = vmlaq_laneq_u32(a, pixel(bytes, s0), w, 0);
                b = vmlaq_laneq_u32(b, pixel(bytes, s1), w, 1);
                a = vmlaq_laneq_u32(a, pixel(bytes, s2), w, 2);
                b = vmlaq_laneq_u32(b, pixel(bytes, s3), w, 3);
            }
            const uint32x4_t sum = vaddq_u32(a, b);
            vst1_lane_u32((uint32_t *)(void *)(out + 3 * i),
                          vreinterpret_u32_u8(narrow(sum, sum)), 0);
        }
    }
}

/* Sixteen samples from column `x` on. */
static inline uint8x16_t block(const uint8_t *const *rows, const int32_t *weights, int n, size_t x)
{
    uint32x4_t sum[4];
    for (int q = 0; q < 4; q++)
        sum[q] = vdupq_n_u32(HALF);
    for (int t = 0; t < n; t++) {
        const uint8x16_t bytes = vld1q_u8(rows[t] + x);
        const uint16x8_t lower = vmovl_u8(vget_low_u8(bytes)), upper = vmovl_high_u8(bytes);
        const uint32_t w = (uint32_t)weights[t];
        sum[0] = vmlaq_n_u32(sum[0], vmovl_u16(vget_low_u16(lower)), w);
        sum[1] = vmlaq_n_u32(sum[1], vmovl_high_u16(lower), w);
        sum[2] = vmlaq_n_u32(sum[2], vmovl_u16(vget_low_u16(upper)), w);
        sum[3] = vmlaq_n_u32(sum[3], vmovl_high_u16(upper), w);
    }
    return vcombine_u8(narrow(sum[0], sum[1]), narrow(sum[2], sum[3]));
}

static void vertical_neon(uint8_t *out, const uint8_t *const *rows, const struct firn_taps *taps,
                          int i, size_t bytes)
{
    const int32_t *weights = taps->weights + (size_t)i * taps->stride;
    const int n = taps->spans[i].n;
    size_t x = 0;
    for (; x + 16 <= bytes; x += 16)
        vst1q_u8(out + x, block(rows, weights, n, x));
    if (x < bytes) {
        uint8_t tail[16];
        vst1q_u8(tail, block(rows, weights, n, x));
        memcpy(out + x, tail, bytes - x);
    }
}

const struct firn_row_kernels firn_row_kernels_neon = {FIRN_CPU_NEON, horizontal_neon,
                                                       vertical_neon};
