/* SPDX-License-Identifier: MIT */
/** Made-up blocks that no checksum gives away. */
#ifndef FIRN_TESTS_CACHE_SEAL_H
#define FIRN_TESTS_CACHE_SEAL_H

#include "base/hash.h"
#include "cache/bytes.h"
#include "cache/format.h"

/** Puts the sums of the block at p right, which has at most `left` bytes. */
static inline void seal_block(uint8_t *p, size_t left)
{
    uint64_t stored = firn_get(p + 32, 4);
    left -= FIRN_HEADER;
    firn_put(p + 48, firn_checksum(p + FIRN_HEADER, stored < left ? stored : left), 8);
    firn_put(p + 56, firn_checksum(p, 56), 8);
}

/** The same for all that looks like a block. */
static inline void seal_blocks(uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at + FIRN_HEADER <= size; at += FIRN_HEADER)
        if (firn_get(bytes + at, 4) == FIRN_MAGIC_BLOCK)
            seal_block(bytes + at, size - at);
}

#endif
