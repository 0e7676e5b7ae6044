/* SPDX-License-Identifier: MIT */
/** Four messages at once: each vector holds the same word of all four. */
#include <immintrin.h>

#include "base/blake2b.h"

typedef __m256i vec;

#define ADD(a, b) _mm256_add_epi64(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)

#define MIX(a, b, c, d, x, y)                                                                      \
    do {                                                                                           \
        a = ADD(ADD(a, b), x), d = _mm256_shuffle_epi32(XOR(d, a), 0xB1);                          \
        c = ADD(c, d), b = _mm256_shuffle_epi8(XOR(b, c), by_24);                                  \
        a = ADD(ADD(a, b), y), d = _mm256_shuffle_epi8(XOR(d, a), by_16);                          \
        c = ADD(c, d), b = XOR(b, c);                                                              \
        b = XOR(_mm256_srli_epi64(b, 63), ADD(b, b));                                              \
    } while (0)

static inline vec load(const void *p)
{
    return _mm256_loadu_si256((const vec *)p);
}

/* Words 4 i .. 4 i + 3 of the block at each of `bytes` as four vectors. */
static inline void gather(const uint8_t *const bytes[4], int i, vec m[4])
{
    vec a = load(bytes[0] + 32 * i), b = load(bytes[1] + 32 * i);
    vec c = load(bytes[2] + 32 * i), d = load(bytes[3] + 32 * i);
    vec ab0 = _mm256_unpacklo_epi64(a, b), ab1 = _mm256_unpackhi_epi64(a, b);
    vec cd0 = _mm256_unpacklo_epi64(c, d), cd1 = _mm256_unpackhi_epi64(c, d);
    m[0] = _mm256_permute2x128_si256(ab0, cd0, 0x20);
    m[1] = _mm256_permute2x128_si256(ab1, cd1, 0x20);
    m[2] = _mm256_permute2x128_si256(ab0, cd0, 0x31);
    m[3] = _mm256_permute2x128_si256(ab1, cd1, 0x31);
}

static inline vec constant(int i)
{
    return _mm256_set1_epi64x((long long)firn_blake2b_iv[i]);
}

static inline void compress(vec h[8], const vec m[16], vec count)
{
    const vec by_24 = _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10,
                                       3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10);
    const vec by_16 = _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9,
                                       2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9);
    vec v0 = h[0], v1 = h[1], v2 = h[2], v3 = h[3], v4 = h[4], v5 = h[5], v6 = h[6], v7 = h[7];
    vec v8 = constant(0), v9 = constant(1), v10 = constant(2), v11 = constant(3);
    vec v12 = XOR(constant(4), count), v13 = constant(5), v14 = constant(6), v15 = constant(7);
#pragma GCC unroll 12
    for (int r = 0; r < 12; r++)
        FIRN_BLAKE2B_ROUND(r);
    h[0] = XOR(h[0], XOR(v0, v8)), h[1] = XOR(h[1], XOR(v1, v9));
    h[2] = XOR(h[2], XOR(v2, v10)), h[3] = XOR(h[3], XOR(v3, v11));
    h[4] = XOR(h[4], XOR(v4, v12)), h[5] = XOR(h[5], XOR(v5, v13));
    h[6] = XOR(h[6], XOR(v6, v14)), h[7] = XOR(h[7], XOR(v7, v15));
}

void firn_blake2b_lanes_avx2(uint64_t state[8][4], const uint8_t *bytes[4], uint64_t counts[4],
                             size_t blocks)
{
    const vec block = _mm256_set1_epi64x(FIRN_BLAKE2B_BLOCK);
    vec h[8], m[16], count = load(counts);
    for (int i = 0; i < 8; i++)
        h[i] = load(state[i]);
    for (; blocks > 0; blocks--) {
        for (int i = 0; i < 4; i++)
            gather(bytes, i, m + 4 * i);
        count = ADD(count, block);
        compress(h, m, count);
        for (int k = 0; k < 4; k++)
            bytes[k] += FIRN_BLAKE2B_BLOCK;
    }
    for (int i = 0; i < 8; i++)
        _mm256_storeu_si256((vec *)state[i], h[i]);
    _mm256_storeu_si256((vec *)counts, count);
}
