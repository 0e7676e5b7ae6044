/* SPDX-License-Identifier: MIT */
/** What the rest of this folder may know of a snapshot. */
#ifndef FIRN_SRC_CACHE_READER_H
#define FIRN_SRC_CACHE_READER_H

#include <stdatomic.h>

#include "cache/load.h"
#include "cache/order.h"
#include "firn/cache.h"

/** Where the features of a photograph that has them most likely are. */
struct firn_spot {
    uint32_t photo; /* index in the snapshot's order */
    uint32_t place, row;
};

struct firn_hand; /* what a thread needs while it fetches features */

struct firn_cache {
    struct firn_loaded loaded;
    struct firn_order order;
    struct firn_cache_stat stat;
    struct firn_spot *spot; /* [stat.records] */
    /* Kept for the next one. No mutex, which a fork could find locked for ever. */
    _Atomic(struct firn_hand *) idle[16];
};

void firn_cache_destroy_hands(struct firn_cache *cache);

/** Everything that was loaded; lives as long as the snapshot. */
const struct firn_loaded *firn_cache_loaded(const struct firn_cache *cache);

/** The ledger entry of photograph i, in the snapshot's order. */
const struct firn_entry *firn_cache_entry(const struct firn_cache *cache, size_t i);

#endif
