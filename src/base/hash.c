/* SPDX-License-Identifier: MIT */
/** BLAKE2b as RFC 7693 describes it, and the one door to xxHash. */
#include "base/hash.h"

#include <string.h>
#include <xxhash.h>

#include "base/blake2b.h"

#define BLOCK FIRN_BLAKE2B_BLOCK

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

static inline uint64_t rotate(uint64_t x, int right)
{
    return x >> right | x << (64 - right);
}

#define MIX(a, b, c, d, x, y)                                                                      \
    do {                                                                                           \
        a += b + (x), d = rotate(d ^ a, 32);                                                       \
        c += d, b = rotate(b ^ c, 24);                                                             \
        a += b + (y), d = rotate(d ^ a, 16);                                                       \
        c += d, b = rotate(b ^ c, 63);                                                             \
    } while (0)

/* The state is in sixteen scalars and the rounds unroll, so that sigma becomes constants. */
static void compress(uint64_t h[8], const uint8_t block[BLOCK], uint64_t count, uint64_t last)
{
    uint64_t m[16];
    for (int i = 0; i < 16; i++)
        m[i] = load64(block + 8 * i);
    uint64_t v0 = h[0], v1 = h[1], v2 = h[2], v3 = h[3], v4 = h[4], v5 = h[5], v6 = h[6], v7 = h[7];
    const uint64_t *iv = firn_blake2b_iv;
    uint64_t v8 = iv[0], v9 = iv[1], v10 = iv[2], v11 = iv[3];
    uint64_t v12 = iv[4] ^ count, v13 = iv[5], v14 = iv[6] ^ last, v15 = iv[7];
#pragma GCC unroll 12
    for (int r = 0; r < 12; r++)
        FIRN_BLAKE2B_ROUND(r);
    h[0] ^= v0 ^ v8, h[1] ^= v1 ^ v9, h[2] ^= v2 ^ v10, h[3] ^= v3 ^ v11;
    h[4] ^= v4 ^ v12, h[5] ^= v5 ^ v13, h[6] ^= v6 ^ v14, h[7] ^= v7 ^ v15;
}

void firn_hash_init(struct firn_hasher *h)
{
    memcpy(h->h, firn_blake2b_iv, sizeof firn_blake2b_iv);
    h->h[0] ^= 0x01010000 ^ FIRN_HASH_SIZE; /* depth 1, fanout 1, no key, length of the digest */
    h->count = 0;
    h->fill = 0;
}

void firn_hash_update(struct firn_hasher *h, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    while (n > 0) {
        /* The last block is compressed differently: a full one waits until more bytes follow. */
        if (h->fill == BLOCK) {
            compress(h->h, h->buffer, h->count += BLOCK, 0);
            h->fill = 0;
        }
        if (h->fill == 0)
            for (; n > BLOCK; p += BLOCK, n -= BLOCK)
                compress(h->h, p, h->count += BLOCK, 0);
        size_t part = BLOCK - h->fill < n ? BLOCK - h->fill : n;
        memcpy(h->buffer + h->fill, p, part);
        h->fill += part;
        p += part;
        n -= part;
    }
}

void firn_hash_final(struct firn_hasher *h, uint8_t digest[FIRN_HASH_SIZE])
{
    memset(h->buffer + h->fill, 0, BLOCK - h->fill);
    compress(h->h, h->buffer, h->count + h->fill, ~(uint64_t)0);
    for (int i = 0; i < FIRN_HASH_SIZE; i++)
        digest[i] = (uint8_t)(h->h[i / 8] >> 8 * (i % 8));
}

void firn_hash(const void *bytes, size_t n, uint8_t digest[FIRN_HASH_SIZE])
{
    struct firn_hasher h;
    firn_hash_init(&h);
    firn_hash_update(&h, bytes, n);
    firn_hash_final(&h, digest);
}

void firn_hex(const uint8_t *bytes, size_t n, char *text)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *text++ = digit[bytes[i] >> 4];
        *text++ = digit[bytes[i] & 15];
    }
    *text = '\0';
}

uint64_t firn_checksum(const void *bytes, size_t n)
{
    return XXH3_64bits(bytes, n);
}
