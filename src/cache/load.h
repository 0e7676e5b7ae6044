/* SPDX-License-Identifier: MIT */
/** A whole cache into memory: what readers, the writer and verification begin with. */
#ifndef FIRN_SRC_CACHE_LOAD_H
#define FIRN_SRC_CACHE_LOAD_H

#include "cache/atlas.h"
#include "cache/index.h"
#include "cache/lock.h"
#include "cache/segment.h"

/** A segment that is not as it was when it was acknowledged. */
struct firn_doubt {
    uint32_t number;
    uint64_t offset, bytes; /* what is missing; bytes 0: unknown */
    bool certain;           /* something acknowledged is lost */
    const char *what;       /* one line */
    bool block;             /* one that is in its place, and its segment as long as it was */
};

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
    bool vanished;                /* a segment went away while we looked: look again */
    struct firn_published published; /* as LOCK was before the segments were listed */
    struct firn_doubt *doubt;
    size_t n_doubt;
    uint32_t *stale;              /* numbers of files that are no part of the cache any more */
    size_t n_stale;
    struct firn_index index;
    struct firn_atlas *atlas; /* NULL: the index holds everything, else what came after it */
    bool misfit;              /* the atlas is not of these segments */
};

enum firn_load_for {
    FIRN_LOAD_READER, /* only what is acknowledged; by the atlas when there is one */
    FIRN_LOAD_WHOLE,  /* the same without atlas */
    FIRN_LOAD_RESCUE, /* ... and then what only the atlas still knows: firn_loaded_rescue() */
    FIRN_LOAD_WRITER  /* all that is whole */
};

/**
 * Loads `dir`. FIRN_NOINPUT: no such directory; FIRN_CONFIG: written by a later version; FIRN_IO;
 * FIRN_NOMEM; FIRN_INTERRUPTED: `*stop` (NULL: never) became non-zero. A directory without segments
 * is loaded, with cache == 0. On failure there is nothing to free.
 */
int firn_load(struct firn_loaded *loaded, const char *dir, enum firn_load_for what_for,
              const volatile int *stop, struct firn_error *err);
void firn_loaded_fini(struct firn_loaded *loaded);

/** Takes in what the blocks on the lists of the segments say, in their order; part of firn_load().
 */
int firn_load_records(struct firn_loaded *loaded, struct firn_codec *codec,
                      const volatile int *stop, struct firn_error *err);

/**
 * Adds the entries of ledgers that are damaged, if there is an atlas of these segments. Their
 * `segment` is FIRN_OF_NO_SEGMENT, for no block that can be read has them. FIRN_IO, FIRN_NOMEM.
 */
int firn_loaded_rescue(struct firn_loaded *loaded, struct firn_error *err);
#define FIRN_OF_NO_SEGMENT UINT32_MAX

/**
 * Holds the segments against the newest roster and LOCK: takes those off the list that are no part
 * of the cache any more, and notes what is not as it was. 0, -1: memory is out.
 */
int firn_loaded_check(struct firn_loaded *loaded);

/** Takes a segment off the list; `stale`: its file may be removed. 0, -1: memory is out. */
int firn_loaded_drop(struct firn_loaded *loaded, size_t segment, bool stale);
/** Its file may be removed when the next roster is on disk. 0, -1: memory is out. */
int firn_loaded_add_stale(struct firn_loaded *loaded, uint32_t number);

/** Notes the first doubt of a segment. 0, -1: memory is out. */
int firn_loaded_add_doubt(struct firn_loaded *loaded, struct firn_doubt doubt);

/** The i-th doubt as one line, or false: there are no more. */
bool firn_loaded_doubt(const struct firn_loaded *loaded, size_t i, char text[256]);
bool firn_loaded_is_stale(const struct firn_loaded *loaded, uint32_t number);

/** Text of the path of a segment, for messages; room for n bytes. */
void firn_loaded_path(const struct firn_loaded *loaded, size_t segment, char *path, size_t n);

/** 0 when there is a segment in `dir`; FIRN_NOINPUT, FIRN_IO, FIRN_NOMEM. */
int firn_cache_exists(const char *dir, struct firn_error *err);

/** Numbers of the segment files in `dir`, ascending; malloc'ed. */
int firn_list_segments(const char *dir, uint32_t **numbers, size_t *n, struct firn_error *err);

#endif
