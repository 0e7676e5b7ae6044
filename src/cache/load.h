/* SPDX-License-Identifier: MIT */
/** A whole cache into memory: what readers, the writer and verification begin with. */
#ifndef FIRN_SRC_CACHE_LOAD_H
#define FIRN_SRC_CACHE_LOAD_H

#include "cache/index.h"
#include "cache/lock.h"
#include "cache/segment.h"

/** Everything but the features. */
struct firn_loaded {
    char *dir;
    struct firn_segment *segment; /* by number, ascending */
    size_t n_segment;
    size_t skipped;               /* files of another cache, or without one whole block */
    uint64_t skipped_bytes;       /* of the largest of them */
    uint32_t last_number;         /* of all segment files; 0 without */
    struct firn_head head;        /* number is meaningless here */
    uint64_t cache;               /* 0: not one readable segment */
    bool has_head;
    struct firn_index index;
};

enum firn_load_for {
    FIRN_LOAD_READER, /* only what is acknowledged */
    FIRN_LOAD_WRITER  /* all that is whole */
};

/**
 * Loads `dir`. `published` is what LOCK says, NULL when nothing. FIRN_NOINPUT: no such directory;
 * FIRN_CONFIG: written by a later version; FIRN_IO; FIRN_NOMEM. A directory without segments is
 * loaded, with cache == 0. On failure there is nothing to free.
 */
int firn_load(struct firn_loaded *loaded, const char *dir, enum firn_load_for what_for,
              const struct firn_published *published, struct firn_error *err);
void firn_loaded_fini(struct firn_loaded *loaded);

/** Text of the path of a segment, for messages; room for n bytes. */
void firn_loaded_path(const struct firn_loaded *loaded, size_t segment, char *path, size_t n);

/** Numbers of the segment files in `dir`, ascending; malloc'ed. */
int firn_list_segments(const char *dir, uint32_t **numbers, size_t *n, struct firn_error *err);

#endif
