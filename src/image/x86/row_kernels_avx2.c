/* SPDX-License-Identifier: MIT */
/**
 * Row kernels with AVX2. Both passes multiply 16-bit pairs (see struct firn_taps):
 *
 *   horizontal: four RGB pixels, spread so that each 32-bit lane holds one channel of two taps
 *       r0 g0 b0 r1 g1 b1 r2 g2 b2 r3 g3 b3 ....
 *       -> lower half (r0 r1) (g0 g1) (b0 b1) 0    upper half (r2 r3) (g2 g3) (b2 b3) 0
 *   vertical: the same bytes of two rows, interleaved.
 *
 * Weights past the end of a span are zero, so what is read there does not count.
 */
#include "image/row_kernels.h"

#include <immintrin.h>
#include <string.h>

#define HALF (1 << (FIRN_WEIGHT_BITS - 1))

static inline __m256i sum_of(__m256i low, __m256i high)
{
    return _mm256_add_epi32(low, _mm256_slli_epi32(high, FIRN_LOW_BITS));
}

static inline void store4(uint8_t *out, int value)
{
    memcpy(out, &value, 4);
}

/* The halves of `a` added in the lower half of the result, those of `b` in the upper one. */
static inline __m256i fold(__m256i a, __m256i b)
{
    const __m256i sum = _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                                         _mm256_permute2x128_si256(a, b, 0x31));
    return _mm256_srli_epi32(sum, FIRN_WEIGHT_BITS);
}

/* Sums of four rows to one pixel of each; the fourth byte is overwritten by the next pixel. */
static inline void store_pixels(uint8_t *out, size_t stride, const __m256i *sum)
{
    const __m256i words = _mm256_packs_epi32(fold(sum[0], sum[1]), fold(sum[2], sum[3]));
    const __m256i bytes = _mm256_packus_epi16(words, words);
    const __m128i even = _mm256_castsi256_si128(bytes), odd = _mm256_extracti128_si256(bytes, 1);
    store4(out, _mm_cvtsi128_si32(even));
    store4(out + stride, _mm_cvtsi128_si32(odd));
    store4(out + 2 * stride, _mm_extract_epi32(even, 1));
    store4(out + 3 * stride, _mm_extract_epi32(odd, 1));
}

/* One output pixel of four rows, `at[r]` being the first pixel under it. */
static inline void pixel4(uint8_t *out, size_t out_stride, const uint8_t *const at[4],
                          const uint32_t *pairs, int n)
{
    const __m256i spread = _mm256_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, /* taps 0 and 1 */
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1 /* taps 2 and 3 */);
    const __m256i low_of = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2);
    const __m256i high_of = _mm256_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3);
    const __m256i half = _mm256_setr_epi32(HALF, HALF, HALF, HALF, 0, 0, 0, 0);
    __m256i sum[4] = {half, half, half, half};
    for (int t = 0; t < n; t += 4) {
        const __m256i w = _mm256_castsi128_si256(_mm_load_si128((const __m128i *)(pairs + t)));
        const __m256i w_low = _mm256_permutevar8x32_epi32(w, low_of);
        const __m256i w_high = _mm256_permutevar8x32_epi32(w, high_of);
        for (int r = 0; r < 4; r++) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *)(at[r] + 3 * t));
            const __m256i two = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), spread);
            sum[r] = _mm256_add_epi32(sum[r], _mm256_madd_epi16(two, w_low));
            sum[r] = sum_of(sum[r], _mm256_madd_epi16(two, w_high));
        }
    }
    store_pixels(out, out_stride, sum);
}

/*
 * Four rows share the weights that were loaded. Where fewer are left, they go one by one, each four
 * times at once: rare enough not to deserve code of its own.
 */
static void horizontal_avx2(uint8_t *out, size_t out_stride, const uint8_t *in, size_t in_stride,
                            int rows, const struct firn_taps *taps, int origin)
{
    for (; rows >= 4; rows -= 4, out += 4 * out_stride, in += 4 * in_stride) {
        for (int i = 0; i < taps->count; i++) {
            const struct firn_span span = taps->spans[i];
            const uint8_t *p = in + (size_t)(span.first - origin) * 3;
            const uint8_t *const at[4] = {p, p + in_stride, p + 2 * in_stride, p + 3 * in_stride};
            pixel4(out + 3 * i, out_stride, at, taps->pairs + (size_t)i * taps->stride, span.n);
        }
    }
    for (; rows > 0; rows--, out += out_stride, in += in_stride) {
        for (int i = 0; i < taps->count; i++) {
            const struct firn_span span = taps->spans[i];
            const uint8_t *p = in + (size_t)(span.first - origin) * 3;
            const uint8_t *const at[4] = {p, p, p, p};
            uint8_t pixel[16];
            pixel4(pixel, 4, at, taps->pairs + (size_t)i * taps->stride, span.n);
            memcpy(out + 3 * i, pixel, 3);
        }
    }
}

/* Thirty-two samples from column `x` on. */
static inline __m256i block(const uint8_t *const *rows, const uint32_t *pairs, int n, size_t x)
{
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(HALF);
    __m256i low[4] = {half, half, half, half}, high[4] = {zero, zero, zero, zero};
    for (int t = 0; t < n; t += 2) {
        const uint8_t *second = rows[t + 1 < n ? t + 1 : t];
        const __m256i a = _mm256_loadu_si256((const __m256i *)(rows[t] + x));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(second + x));
        const __m256i w_low = _mm256_set1_epi32((int)pairs[t]);
        const __m256i w_high = _mm256_set1_epi32((int)pairs[t + 1]);
        const __m256i ab[2] = {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)};
        for (int q = 0; q < 4; q++) {
            const __m256i two = q & 1 ? _mm256_unpackhi_epi8(ab[q / 2], zero)
                                      : _mm256_unpacklo_epi8(ab[q / 2], zero);
            low[q] = _mm256_add_epi32(low[q], _mm256_madd_epi16(two, w_low));
            high[q] = _mm256_add_epi32(high[q], _mm256_madd_epi16(two, w_high));
        }
    }
    for (int q = 0; q < 4; q++)
        low[q] = _mm256_srli_epi32(sum_of(low[q], high[q]), FIRN_WEIGHT_BITS);
    return _mm256_packus_epi16(_mm256_packs_epi32(low[0], low[1]),
                               _mm256_packs_epi32(low[2], low[3]));
}

static void vertical_avx2(uint8_t *out, const uint8_t *const *rows, const struct firn_taps *taps,
                          int i, size_t bytes)
{
    const uint32_t *pairs = taps->pairs + (size_t)i * taps->stride;
    const int n = taps->spans[i].n;
    size_t x = 0;
    for (; x + 32 <= bytes; x += 32)
        _mm256_storeu_si256((__m256i *)(out + x), block(rows, pairs, n, x));
    if (x < bytes) {
        uint8_t tail[32];
        _mm256_storeu_si256((__m256i *)tail, block(rows, pairs, n, x));
        memcpy(out + x, tail, bytes - x);
    }
}

const struct firn_row_kernels firn_row_kernels_avx2 = {FIRN_CPU_AVX2, horizontal_avx2,
                                                       vertical_avx2};
