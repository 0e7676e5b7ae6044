/* SPDX-License-Identifier: MIT */
/** Making the file INDEX. Nothing depends on whether it works. */
#ifndef FIRN_SRC_CACHE_ATLAS_WRITE_H
#define FIRN_SRC_CACHE_ATLAS_WRITE_H

#include "cache/disk.h"
#include "cache/load.h"

/**
 * Whether INDEX ought to be made anew, given what a writer has loaded and written: it does not
 * fit, or is damaged, or lacks many photographs. Caches of less than `least` photographs need
 * none: one that does not fit is removed.
 */
bool firn_atlas_is_due(const struct firn_loaded *loaded, size_t least,
                       const struct firn_disk *disk);

/** Makes it from what a reader sees now, aside, and puts it in place. 0; -1: it did not work, or
 * the cache is damaged. */
int firn_atlas_write(const char *dir, const struct firn_disk *disk);

#endif
