/* SPDX-License-Identifier: MIT */
/** Row kernels with SSE4.1; as row_kernels_avx2.c, with half the width. */
#include "image/row_kernels.h"

#include <smmintrin.h>
#include <string.h>

#define HALF (1 << (FIRN_WEIGHT_BITS - 1))

static inline __m128i value_of(__m128i low, __m128i high)
{
    const __m128i sum = _mm_add_epi32(low, _mm_slli_epi32(high, FIRN_LOW_BITS));
    return _mm_srli_epi32(sum, FIRN_WEIGHT_BITS);
}

/* One output pixel of `rows` (1 or 2) rows; each store writes a fourth byte that does not count. */
static inline void pixels(uint8_t *out, size_t out_stride, const uint8_t *in, size_t in_stride,
                          const uint32_t *pairs, int n, const int rows)
{
    const __m128i spread =
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
    __m128i low[2], high[2];
    for (int r = 0; r < rows; r++) {
        low[r] = _mm_set1_epi32(HALF);
        high[r] = _mm_setzero_si128();
    }
    for (int t = 0; t < n; t += 2) {
        const __m128i w_low = _mm_set1_epi32((int)pairs[t]);
        const __m128i w_high = _mm_set1_epi32((int)pairs[t + 1]);
        for (int r = 0; r < rows; r++) {
            const __m128i bytes = _mm_loadl_epi64((const __m128i *)(in + r * in_stride + 3 * t));
            const __m128i two = _mm_shuffle_epi8(bytes, spread);
            low[r] = _mm_add_epi32(low[r], _mm_madd_epi16(two, w_low));
            high[r] = _mm_add_epi32(high[r], _mm_madd_epi16(two, w_high));
        }
    }
    for (int r = 0; r < rows; r++) {
        const __m128i words = _mm_packs_epi32(value_of(low[r], high[r]), low[r]);
        const int bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
        memcpy(out + r * out_stride, &bytes, 4);
    }
}

static void horizontal_sse4(uint8_t *out, size_t out_stride, const uint8_t *in, size_t in_stride,
                            int rows, const struct firn_taps *taps, int origin)
{
    for (int step; rows > 0; rows -= step, out += step * out_stride, in += step * in_stride) {
        step = rows > 1 ? 2 : 1;
        for (int i = 0; i < taps->count; i++) {
            const struct firn_span span = taps->spans[i];
            const uint8_t *p = in + (size_t)(span.first - origin) * 3;
            const uint32_t *pairs = taps->pairs + (size_t)i * taps->stride;
            if (step == 2)
                pixels(out + 3 * i, out_stride, p, in_stride, pairs, span.n, 2);
            else
                pixels(out + 3 * i, out_stride, p, in_stride, pairs, span.n, 1);
        }
    }
}

/* Sixteen samples from column `x` on. */
static inline __m128i block(const uint8_t *const *rows, const uint32_t *pairs, int n, size_t x)
{
    const __m128i zero = _mm_setzero_si128(), half = _mm_set1_epi32(HALF);
    __m128i low[4] = {half, half, half, half}, high[4] = {zero, zero, zero, zero};
    for (int t = 0; t < n; t += 2) {
        const uint8_t *second = rows[t + 1 < n ? t + 1 : t];
        const __m128i a = _mm_loadu_si128((const __m128i *)(rows[t] + x));
        const __m128i b = _mm_loadu_si128((const __m128i *)(second + x));
        const __m128i w_low = _mm_set1_epi32((int)pairs[t]);
        const __m128i w_high = _mm_set1_epi32((int)pairs[t + 1]);
        const __m128i ab[2] = {_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)};
        for (int q = 0; q < 4; q++) {
            const __m128i two =
                q & 1 ? _mm_unpackhi_epi8(ab[q / 2], zero) : _mm_unpacklo_epi8(ab[q / 2], zero);
            low[q] = _mm_add_epi32(low[q], _mm_madd_epi16(two, w_low));
            high[q] = _mm_add_epi32(high[q], _mm_madd_epi16(two, w_high));
        }
    }
    for (int q = 0; q < 4; q++)
        low[q] = value_of(low[q], high[q]);
    return _mm_packus_epi16(_mm_packs_epi32(low[0], low[1]), _mm_packs_epi32(low[2], low[3]));
}

static void vertical_sse4(uint8_t *out, const uint8_t *const *rows, const struct firn_taps *taps,
                          int i, size_t bytes)
{
    const uint32_t *pairs = taps->pairs + (size_t)i * taps->stride;
    const int n = taps->spans[i].n;
    size_t x = 0;
    for (; x + 16 <= bytes; x += 16)
        _mm_storeu_si128((__m128i *)(out + x), block(rows, pairs, n, x));
    if (x < bytes) {
        uint8_t tail[16];
        _mm_storeu_si128((__m128i *)tail, block(rows, pairs, n, x));
        memcpy(out + x, tail, bytes - x);
    }
}

const struct firn_row_kernels firn_row_kernels_sse4 = {FIRN_CPU_SSE4, horizontal_sse4,
                                                       vertical_sse4};
