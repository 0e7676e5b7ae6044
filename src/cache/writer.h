/* SPDX-License-Identifier: MIT */
/** The one writer of a cache. Acknowledged means: fdatasync has returned. */
#ifndef FIRN_SRC_CACHE_WRITER_H
#define FIRN_SRC_CACHE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"
#include "firn/error.h"
#include "firn/fingerprint.h"

struct firn_writer;

/**
 * Opens `dir` for writing, creating it when absent, and takes its lock until firn_writer_close().
 * `dim`: values of a row. A segment that a killed writer left behind is sealed at its last whole
 * block. FIRN_LOCKED names the holder; FIRN_CONFIG names what differs between the cache's
 * fingerprint and `fp`; FIRN_CANTCREATE; FIRN_IO.
 */
int firn_writer_open(struct firn_writer **out, const char *dir, const struct firn_fingerprint *fp,
                     int dim, enum firn_store store, struct firn_error *err);

struct firn_disk;

/** Zeros are the defaults. */
struct firn_writer_settings {
    bool allow_network;           /**< write to a network file system, whose locks may not lock */
    const struct firn_disk *disk; /**< for tests; NULL: firn_disk_system */
    const volatile int *stop;     /**< non-zero: FIRN_INTERRUPTED, if it is not open yet; or NULL */
    int lock;                     /**< from firn_writer_hold(): taken already; 0: not yet */
    int views;                    /**< features in a row; 0: 1 */
    uint64_t segment_bytes;       /**< a segment of this size is closed; 0: 256 MiB */
    size_t index_from;            /**< with so many photographs INDEX is made; 0: 8192 */
    size_t footer_blocks;         /**< a footer is written when it can say so many; 0: 4096 */
    uint64_t tidy_from;           /**< for firn_writer_finish(); 0: 256 KiB */
};

/** firn_writer_open() with settings. */
int firn_writer_open_with(struct firn_writer **out, const char *dir,
                          const struct firn_fingerprint *fp, int dim, enum firn_store store,
                          const struct firn_writer_settings *settings, struct firn_error *err);

/**
 * Declares a root (absolute path, or "" for files given by name) and its class names (sorted; none
 * for a root without sub-directories); *id is for struct firn_record. Declaring it again with
 * other classes supersedes. Written with the next commit when it is new.
 */
int firn_writer_root(struct firn_writer *w, const char *root, const char *const *classes,
                     size_t n_classes, uint32_t *id, struct firn_error *err);

/** True, and *id, when the cache knows the root: what it says of its classes stays as it is. */
bool firn_writer_knows_root(struct firn_writer *w, const char *root, uint32_t *id);

/**
 * Root number i: its path (the writer's), NULL behind the last, "" for files given by name or where
 * there is none.
 */
const char *firn_writer_root_path(struct firn_writer *w, uint32_t i);

/** How many photographs of a root are not gone; looks at all that the cache has. */
size_t firn_writer_root_count(struct firn_writer *w, uint32_t root);

/** True when a photograph that is not gone lies directly in this root, in no sub-directory. */
bool firn_writer_is_flat(struct firn_writer *w, uint32_t root);

/**
 * How many classes of a root that is declared (else: 0) would have another number among `classes`;
 * *which: the first of them, *was: its number so far.
 */
size_t firn_writer_renumbers(struct firn_writer *w, const char *root, const char *const *classes,
                             size_t n_classes, size_t *which, size_t *was);

/** What the cache knows of a photograph before it is read. */
enum firn_known {
    FIRN_UNKNOWN,      /**< never seen, changed since, or skipped last time: work */
    FIRN_KNOWN_DONE,   /**< same size and times, feature present */
    FIRN_KNOWN_CORRUPT /**< same size and times, known not to decode */
};
enum firn_known firn_writer_known(struct firn_writer *w, uint32_t root, const char *name,
                                  uint64_t size, int64_t mtime_ns, int64_t ctime_ns);

/**
 * Why a photograph that is FIRN_KNOWN_CORRUPT does not decode, as the ledger has it; the text is
 * the writer's, till it is closed.
 */
const char *firn_writer_reason(struct firn_writer *w, uint32_t root, const char *name);

/** Says that a photograph is still there, when firn_writer_known() was not asked about it. */
void firn_writer_meet(struct firn_writer *w, uint32_t root, const char *name);

/**
 * After a complete walk of a root, or of its sub-directory `below` ("": all of it): the photographs
 * of the ledger there that were neither asked about, met nor added since the cache was opened, or
 * firn_writer_walk(), are gone. *gone: how many were so marked. Each keeps its feature until the
 * cache is compacted, and is done again without work when it comes back.
 */
int firn_writer_sweep(struct firn_writer *w, uint32_t root, const char *below, size_t *gone,
                      struct firn_error *err);

/** A walk of this root, or of its sub-directory, begins anew: nothing of it has been met. */
void firn_writer_walk(struct firn_writer *w, uint32_t root, const char *below);

/** One photograph is gone, as firn_writer_sweep() says it of many. */
int firn_writer_gone(struct firn_writer *w, uint32_t root, const char *name,
                     struct firn_error *err);

/** As firn_cache_doubt(): what was missing when the cache was opened. */
bool firn_writer_doubt(const struct firn_writer *w, size_t i, char text[256]);

/** True when a feature of these file contents is stored already. Any thread may ask. */
bool firn_writer_has(struct firn_writer *w, const uint8_t content[32]);

/** One photograph's outcome, as the sink hands it over. */
struct firn_record {
    uint32_t root;         /**< from firn_writer_root() */
    const char *name;      /**< path below it */
    uint64_t size;         /**< of the file */
    int64_t mtime_ns, ctime_ns;
    enum firn_state state;
    const char *reason;    /**< "" when done; cut at 255 bytes */
    uint8_t content[32];   /**< BLAKE2b-256 of the bytes that were decoded */
    /** [dim], views one behind another, when done; NULL when firn_writer_has() says it is stored */
    const float *feature;
};

/**
 * Copies the record into the growing block; nothing is on disk yet. A failure that the ledger has
 * already, with the same reason, size and times, counts as met, and is not written again.
 */
int firn_writer_add(struct firn_writer *w, const struct firn_record *record,
                    struct firn_error *err);

/** How many added records await the next commit. */
size_t firn_writer_pending(const struct firn_writer *w);

/** Writes and syncs all that was added: when it returns 0, that is acknowledged. */
int firn_writer_commit(struct firn_writer *w, struct firn_error *err);

/** How many records added since the last firn_writer_run() said what the ledger did not have. */
size_t firn_writer_news(const struct firn_writer *w);

/** Remembers a run for `firn stat`; on disk with the next commit. */
int firn_writer_run(struct firn_writer *w, const struct firn_run *run, struct firn_error *err);

/**
 * A descriptor that keeps the cache locked when this writer has been closed, for the next one: till
 * it is closed. 0: there is none to be had.
 */
int firn_writer_hold(const struct firn_writer *w);

/** Commits, seals the segment, unlocks, frees (always). NULL is fine. */
int firn_writer_close(struct firn_writer *w, struct firn_error *err);

/**
 * firn_writer_close(), at the end of a one-shot run. Each commit begins a page: if
 * there were several, and the cache has from settings.tidy_from to 16 MiB, then it is written anew
 * as firn_compact() does it, when that drops nothing and wins enough. Whatever prevents it leaves
 * the cache as it is, and is no failure.
 */
int firn_writer_finish(struct firn_writer *w, struct firn_error *err);

#endif
