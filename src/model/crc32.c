/* SPDX-License-Identifier: MIT */
/**
 * CRC-32 eight bytes at a time: table[k][b] is the effect of byte b when k more bytes follow it, so
 * that the eight look-ups do not wait for each other.
 */
#include "model/crc32.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static uint32_t table[8][256];
#if defined(__x86_64__)
static bool can_fold; /* what the table does, faster */
#endif
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_table(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0); /* the reflected polynomial */
        table[0][b] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++)
            table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xFF];
#if defined(__x86_64__)
    can_fold = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

/* The state behind n more bytes. */
static uint32_t go_on(uint32_t state, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= state;
        state = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^
                table[4][low >> 24] ^ table[3][high & 0xFF] ^ table[2][high >> 8 & 0xFF] ^
                table[1][high >> 16 & 0xFF] ^ table[0][high >> 24];
    }
    while (n-- > 0)
        state = state >> 8 ^ table[0][(state ^ *p++) & 0xFF];
    return state;
}

uint32_t firn_crc32(uint32_t crc, const void *bytes, size_t n)
{
    pthread_once(&once, fill_table);
    const uint8_t *p = bytes;
    uint32_t state = ~crc;
#if defined(__x86_64__)
    uint8_t rest[16];
    size_t done = can_fold ? firn_crc32_fold(state, p, n, rest) : 0;
    if (done)
        state = go_on(0, rest, sizeof rest);
    p += done;
    n -= done;
#endif
    return ~go_on(state, p, n);
}
