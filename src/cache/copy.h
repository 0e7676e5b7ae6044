/* SPDX-License-Identifier: MIT */
/** Photographs with their features from a snapshot into a writer: compaction, repair, merging. */
#ifndef FIRN_SRC_CACHE_COPY_H
#define FIRN_SRC_CACHE_COPY_H

#include "cache/reader.h"
#include "cache/writer_state.h"

struct firn_copy {
    const struct firn_cache *from;
    struct firn_writer *to;
    const uint32_t *root; /* ids in `to` of the roots of `from`; NULL: the same */
    /** Whether to copy an entry (with its id of the root in `to`). NULL: all. May change it. */
    bool (*choose)(void *user, size_t i, struct firn_entry *entry);
    /** Its feature cannot be read; what is done to the entry is copied. NULL: that is a failure. */
    void (*lost)(void *user, struct firn_entry *entry);
    void *user;
    size_t photographs; /* entries copied */
};

/** In the snapshot's order, some at a time. Commits as it goes. */
int firn_copy(struct firn_copy *copy, struct firn_error *err);

/**
 * Rows of the snapshot in segments that leave ([segments]), whose contents no segment that stays
 * has, of photographs that are gone, and with `unnamed` (not NULL) also those that no photograph
 * has: they are counted there. They go into `to` (NULL: nowhere) without an entry, for the next
 * photograph of these contents; what cannot be read is left out. Commits as it goes.
 */
int firn_copy_rows(const struct firn_cache *from, struct firn_writer *to, const bool *leaving,
                   size_t *unnamed, struct firn_error *err);

#endif
