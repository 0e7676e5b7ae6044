/* SPDX-License-Identifier: MIT */
/** What compaction, repair and merging share; the rest is for tests. */
#ifndef FIRN_SRC_CACHE_UPKEEP_H
#define FIRN_SRC_CACHE_UPKEEP_H

#include "cache/writer_state.h"
#include "firn/upkeep.h"

/** Fills in the half of `result` that says how the cache was before, or is now. */
void firn_upkeep_count(const struct firn_cache *cache, struct firn_upkeep *result, bool before);
int firn_upkeep_count_after(const char *dir, struct firn_upkeep *result, struct firn_error *err);

/** The functions of firn/upkeep.h with settings. */
int firn_compact_with(const char *dir, const struct firn_writer_settings *settings,
                      struct firn_upkeep *result, struct firn_error *err);
int firn_repair_with(const char *dir, const struct firn_writer_settings *settings,
                     const struct firn_upkeep_options *options, struct firn_upkeep *result,
                     struct firn_error *err);

#endif
