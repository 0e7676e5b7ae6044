/* SPDX-License-Identifier: MIT */
/** What the versions of BLAKE2b share: the constants of RFC 7693 and their interface. */
#ifndef FIRN_SRC_BASE_BLAKE2B_H
#define FIRN_SRC_BASE_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define FIRN_BLAKE2B_BLOCK 128
#define FIRN_BLAKE2B_LANES 4

/* RFC 7693, section 2.6: the first 64 bits of the fractional parts of sqrt(2, 3, 5, ... 19). */
static const uint64_t firn_blake2b_iv[8] = {
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
};

/* RFC 7693, section 2.7; rounds 10 and 11 repeat rounds 0 and 1. */
static const uint8_t firn_blake2b_sigma[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

/** One round on v0 .. v15 with the words m[16], by a MIX(a, b, c, d, x, y) of the includer. */
#define FIRN_BLAKE2B_ROUND(r)                                                                      \
    do {                                                                                           \
        const uint8_t *s = firn_blake2b_sigma[r];                                                  \
        MIX(v0, v4, v8, v12, m[s[0]], m[s[1]]);                                                    \
        MIX(v1, v5, v9, v13, m[s[2]], m[s[3]]);                                                    \
        MIX(v2, v6, v10, v14, m[s[4]], m[s[5]]);                                                   \
        MIX(v3, v7, v11, v15, m[s[6]], m[s[7]]);                                                   \
        MIX(v0, v5, v10, v15, m[s[8]], m[s[9]]);                                                   \
        MIX(v1, v6, v11, v12, m[s[10]], m[s[11]]);                                                 \
        MIX(v2, v7, v8, v13, m[s[12]], m[s[13]]);                                                  \
        MIX(v3, v4, v9, v14, m[s[14]], m[s[15]]);                                                  \
    } while (0)

/**
 * Compresses `blocks` blocks, none of them a last one, of four messages side by side: word i of
 * the state of message k is h[i][k], its blocks begin at bytes[k], and count[k] bytes of it are
 * compressed already. Advances all three.
 */
typedef void firn_blake2b_lanes(uint64_t h[8][FIRN_BLAKE2B_LANES],
                                const uint8_t *bytes[FIRN_BLAKE2B_LANES],
                                uint64_t count[FIRN_BLAKE2B_LANES], size_t blocks);

firn_blake2b_lanes firn_blake2b_lanes_avx2; /**< only where the build has it */

#endif
