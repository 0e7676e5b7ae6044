/* SPDX-License-Identifier: MIT */
/** Hashes: BLAKE2b-256 for identity (cryptographic), XXH3-64 for accidental damage (fast). */
#ifndef FIRN_SRC_BASE_HASH_H
#define FIRN_SRC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

#define FIRN_HASH_SIZE 32

/** BLAKE2b with a 32-byte digest (RFC 7693, unkeyed): what `b2sum -l 256` prints. */
struct firn_hasher {
    uint64_t h[8];       /* chained state */
    uint64_t count;      /* bytes compressed so far; photographs stay far below 2^64 */
    uint8_t buffer[128]; /* a block not yet compressed */
    size_t fill;         /* bytes in buffer */
};

void firn_hash_init(struct firn_hasher *h);
void firn_hash_update(struct firn_hasher *h, const void *bytes, size_t n);
void firn_hash_final(struct firn_hasher *h, uint8_t digest[FIRN_HASH_SIZE]);

/** All three in one. */
void firn_hash(const void *bytes, size_t n, uint8_t digest[FIRN_HASH_SIZE]);

/** A message, and where its digest of FIRN_HASH_SIZE bytes goes. */
struct firn_hash_job {
    const void *bytes;
    size_t n;
    uint8_t *digest;
};

/**
 * firn_hash() of `n` messages, side by side where instructions up to `cpu` have room for several:
 * the more there are, and of the more equal length, the faster.
 */
void firn_hash_many(enum firn_cpu cpu, const struct firn_hash_job *job, size_t n);

/** Lower-case hexadecimal; `text` has room for 2 * n + 1. */
void firn_hex(const uint8_t *bytes, size_t n, char *text);

/** XXH3-64 with seed 0. */
uint64_t firn_checksum(const void *bytes, size_t n);

#endif
