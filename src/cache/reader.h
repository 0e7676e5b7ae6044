/* SPDX-License-Identifier: MIT */
/** What the rest of this folder may know of a snapshot. */
#ifndef FIRN_SRC_CACHE_READER_H
#define FIRN_SRC_CACHE_READER_H

#include <stdatomic.h>

#include "cache/view.h"
#include "firn/cache.h"

struct firn_hand; /* what a thread needs while it fetches features */

struct firn_cache {
    struct firn_loaded loaded;
    struct firn_view view;
    struct firn_cache_stat stat;
    /* Kept for the next one. No mutex, which a fork could find locked for ever. */
    _Atomic(struct firn_hand *) idle[16];
};

/** firn_cache_open() without a look at INDEX: the index holds all, as whoever writes needs it. */
int firn_cache_open_whole(struct firn_cache **out, const char *dir, struct firn_error *err);
/** The same, with the photographs of damaged ledgers that INDEX still knows: firn_loaded_rescue().
 */
int firn_cache_open_rescue(struct firn_cache **out, const char *dir, struct firn_error *err);

void firn_cache_destroy_hands(struct firn_cache *cache);

/** Says that a part of INDEX that is needed cannot be read; FIRN_DATA, FIRN_NOMEM. */
int firn_cache_fail_index(const struct firn_cache *cache, struct firn_error *err);

/** Everything that was loaded; lives as long as the snapshot. */
const struct firn_loaded *firn_cache_loaded(const struct firn_cache *cache);

/** The ledger entry of photograph i, in the snapshot's order; NULL: INDEX is damaged. */
const struct firn_entry *firn_cache_entry(const struct firn_cache *cache, size_t i);

#endif
