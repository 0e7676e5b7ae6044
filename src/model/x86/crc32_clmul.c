/* SPDX-License-Identifier: MIT */
/**
 * CRC-32 by products of polynomials without carries. 128 bits of the message may be replaced by
 * what they leave behind further on: for high and low half, each of 64 bits, that is the half times
 * x^(d + 32) and x^(d - 32) mod P, d bits later. The factors below are those remainders for d of
 * four and of one vector, bit-reflected as the message is, and shifted by the one bit by which
 * products of reflected numbers fall short.
 */
#include <immintrin.h>

#include "model/crc32.h"

#define VECTORS 4

/* d later, together with what is there. */
static inline __m128i fold(__m128i v, __m128i factors, __m128i there)
{
    __m128i low = _mm_clmulepi64_si128(v, factors, 0x00);
    __m128i high = _mm_clmulepi64_si128(v, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

size_t firn_crc32_fold(uint32_t crc, const void *bytes, size_t n, uint8_t rest[16])
{
    const __m128i by_four = _mm_set_epi64x(0x1C6E41596, 0x154442BD4);
    const __m128i by_one = _mm_set_epi64x(0x0CCAA009E, 0x1751997D0);
    const __m128i *p = bytes;
    size_t steps = n / sizeof(__m128i) / VECTORS;
    __m128i v[VECTORS];
    if (steps == 0)
        return 0;
    for (int k = 0; k < VECTORS; k++)
        v[k] = _mm_loadu_si128(p + k);
    v[0] = _mm_xor_si128(v[0], _mm_cvtsi32_si128((int)crc));
    for (size_t i = 1; i < steps; i++)
        for (int k = 0; k < VECTORS; k++)
            v[k] = fold(v[k], by_four, _mm_loadu_si128(p + VECTORS * i + k));
    for (int k = 1; k < VECTORS; k++)
        v[k] = fold(v[k - 1], by_one, v[k]);
    _mm_storeu_si128((__m128i *)rest, v[VECTORS - 1]);
    return steps * VECTORS * sizeof(__m128i);
}
