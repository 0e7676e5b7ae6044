/* SPDX-License-Identifier: MIT */
/** The keys of the rows of a commit, which ledger entries refer to instead of repeating them. */
#ifndef FIRN_SRC_CACHE_ROLL_H
#define FIRN_SRC_CACHE_ROLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/format.h"

/** The keys of one ROWS block. */
struct firn_roll_block {
    uint64_t sum;   /* checksum of its keys: what a ledger knows it by */
    uint32_t count;
    size_t first;   /* of its keys, in the roll */
};

/** Zero-initialise; free with firn_roll_fini(). */
struct firn_roll {
    uint8_t (*key)[FIRN_KEY];
    size_t n, room;
    struct firn_roll_block *block;
    size_t n_block, block_room;
    size_t next; /* of whoever writes a ledger: the first key that no entry refers to yet */
    bool sorted; /* block[] is by sum */
};

void firn_roll_fini(struct firn_roll *roll);
void firn_roll_clear(struct firn_roll *roll);

/** Adds the `count` keys of a ROWS block. 0; -1: memory is out, and nothing was added. */
int firn_roll_add(struct firn_roll *roll, const uint8_t *keys, uint32_t count);

/** The keys of the block of that sum and count, or NULL. Sorts the blocks. */
const uint8_t *firn_roll_find(struct firn_roll *roll, uint64_t sum, uint32_t count);

#endif
