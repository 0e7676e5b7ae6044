/* SPDX-License-Identifier: MIT */
/** Reading a feature cache: a snapshot that stays valid while a writer appends. */
#ifndef FIRN_CACHE_H
#define FIRN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"
#include "firn/fingerprint.h"

/** What became of a photograph. */
enum firn_state {
    FIRN_DONE = 1,    /**< its feature is in the cache */
    FIRN_SKIPPED = 2, /**< not readable or refused by a limit; the next run tries again */
    FIRN_CORRUPT = 3, /**< not decodable; tried again when the file changes */
    FIRN_GONE = 4     /**< was not there any more when its directory was last walked */
};

/** How features are stored. */
enum firn_store { FIRN_STORE_F32 = 0, FIRN_STORE_F16 = 1 };

/** One photograph of the ledger. Pointers live as long as the snapshot, or until
 * firn_cache_forget(). */
struct firn_photo {
    const char *root;       /**< directory the walk began at, absolute; "" for a file by name */
    const char *name;       /**< path below root (or absolute when root is ""); bytes, not UTF-8 */
    const char *class_name; /**< first directory below a root that has classes, else NULL */
    int label;              /**< index into firn_cache_class(), -1 without a class */
    enum firn_state state;
    const char *reason;     /**< why skipped or corrupt; "" when done */
    uint64_t size;          /**< bytes of the file */
    int64_t mtime_ns;       /**< its modification time */
    uint8_t content[32];    /**< BLAKE2b-256 of its bytes; zero when it could not be read */
};

/** Totals. */
struct firn_cache_stat {
    size_t records;     /**< photographs whose feature is in the cache */
    size_t skipped, corrupt, gone;
    size_t rows;        /**< distinct contents whose features are stored (duplicates share one) */
    int dim;            /**< length of a feature */
    enum firn_store store;
    size_t segments;    /**< files that hold blocks */
    uint64_t bytes;     /**< size of the cache on disk */
    uint64_t raw_bytes; /**< rows * views * dim * 4 */
    size_t classes;
    size_t runs;        /**< past runs recorded */
    size_t roots;       /**< directories that photographs were found under */
    size_t lost_segments; /**< files of which something acknowledged is missing */
    int views;          /**< features of each photograph: 1, unless it was made with more views */
    int center;         /**< the view that is the centre crop; -1: none is */
    uint64_t index_bytes; /**< size of the file INDEX, which may be removed; 0: not used */
};

/** One past run of a writer. */
struct firn_run {
    int64_t start;      /**< unix time, seconds */
    double seconds;     /**< wall time */
    uint64_t done, failed, reused; /**< photographs */
    uint64_t bytes_read;
    int threads, batch;
    char cpu[16];       /**< instruction set used; recorded, refuses nothing */
    char version[16];   /**< of firn */
    char slowest[16];   /**< the stage that bounded it */
};

struct firn_cache;

/**
 * Opens a snapshot of what is acknowledged now. FIRN_NOINPUT: no cache there; FIRN_DATA: damaged
 * so that nothing can be read (single damaged blocks are left out and counted by firn_verify()).
 * Of a large cache that has a file INDEX no more is read than is asked for, now and later. One
 * snapshot may be used by several threads. Close it with firn_cache_close(); NULL is fine.
 */
int firn_cache_open(struct firn_cache **out, const char *dir, struct firn_error *err);
void firn_cache_close(struct firn_cache *cache);

void firn_cache_stat(const struct firn_cache *cache, struct firn_cache_stat *stat);
const struct firn_fingerprint *firn_cache_fingerprint(const struct firn_cache *cache);

/**
 * The i-th sign that something is missing (a segment that was removed or cut), as one line, or
 * false: there are no more. What is left can be read all the same.
 */
bool firn_cache_doubt(const struct firn_cache *cache, size_t i, char text[256]);

/** 0, or FIRN_DATA: of what was acknowledged a part is missing; what is left is a smaller set. */
int firn_cache_check(const struct firn_cache *cache, struct firn_error *err);

/** Class names, sorted by code point; NULL beyond the last. */
const char *firn_cache_class(const struct firn_cache *cache, size_t label);

/** The i-th past run, oldest first; 0, or -FIRN_USAGE beyond the last. */
int firn_cache_run(const struct firn_cache *cache, size_t i, struct firn_run *run);

/**
 * Photographs, newest entry of each path, in the order of torchvision's ImageFolder: by class
 * index (no class first), then root, directory, file name.
 */
size_t firn_cache_count(const struct firn_cache *cache);
void firn_cache_photo(const struct firn_cache *cache, size_t i, struct firn_photo *photo);

/** The state of a photograph, at less cost. */
enum firn_state firn_cache_state(const struct firn_cache *cache, size_t i);

/**
 * Gives back the memory of photographs that were looked at, for programs that go through millions:
 * what firn_cache_photo() pointed to is gone. No other thread may use the snapshot meanwhile.
 */
void firn_cache_forget(struct firn_cache *cache);

/**
 * The index of a photograph by path: absolute, or relative to its root, or any unambiguous tail of
 * whole path components. -FIRN_NOINPUT when there is none, -FIRN_USAGE when several match.
 */
int firn_cache_find(const struct firn_cache *cache, const char *path, size_t *i,
                    struct firn_error *err);

/**
 * The features of photographs index[0..n) into out[n][views][dim]. FIRN_NOINPUT: one has none;
 * FIRN_DATA: its block is damaged.
 */
int firn_cache_features(const struct firn_cache *cache, const size_t *index, size_t n, float *out,
                        struct firn_error *err);

/** A photograph of these contents (BLAKE2b-256 of a file's bytes): 0, or -FIRN_NOINPUT. */
int firn_cache_find_content(const struct firn_cache *cache, const uint8_t content[32], size_t *i);

/**
 * Rows: the features of the photographs that have them, in the same order; of each photograph its
 * views, one behind another. A program that trains needs no more than these: row r is a feature, a
 * label and a path, view r % views of its photograph.
 */
size_t firn_cache_rows(const struct firn_cache *cache);

/** The photograph of a row, SIZE_MAX beyond the last. */
size_t firn_cache_row(const struct firn_cache *cache, size_t row);

/** The labels of all rows. */
void firn_cache_labels(const struct firn_cache *cache, int64_t *label);

/** The absolute paths of all rows, each with a NUL behind it; returns the size of all of them.
 * With text NULL it only says the size. */
size_t firn_cache_paths(const struct firn_cache *cache, char *text);

/** The features of rows row[0..n), in any order and with repeats, into out[n][dim]. Errors as
 * above; FIRN_USAGE: there is no such row. */
int firn_cache_gather(const struct firn_cache *cache, const int64_t *row, size_t n, float *out,
                      struct firn_error *err);

/** The features of rows first, first + 1, ... into out[n][dim]. */
int firn_cache_range(const struct firn_cache *cache, size_t first, size_t n, float *out,
                     struct firn_error *err);

/** The features of a file's contents (BLAKE2b-256), whatever photographs have them, into
 * out[views][dim]. As above. */
int firn_cache_feature_of(const struct firn_cache *cache, const uint8_t content[32], float *out,
                          struct firn_error *err);

/** What verification found; one call for each damaged or suspicious place. */
struct firn_finding {
    const char *file;   /**< name inside the cache */
    uint64_t offset;    /**< of the block */
    uint64_t bytes;     /**< that cannot be used; 0 when unknown */
    const char *what;   /**< one line: what is wrong and what is lost */
    size_t photographs; /**< lost with it, 0 when unknown */
};
typedef void firn_finding_fn(void *user, const struct firn_finding *finding);

struct firn_verify_result {
    size_t segments, blocks, findings;
    size_t photographs; /**< that are done, by the ledger */
    uint64_t bytes;
    /** The ledger is cut or damaged, INDEX does not have all that it said, and no later run has
     * made good for it: photographs may be missing from the list, or out of date. */
    bool ledger_damaged;
    /** No segment is left that says what the features were made with: nothing can go on with it. */
    bool hopeless;
};

/**
 * Full: checks every checksum, decompresses, checks the values (finite, not negative), and that
 * every photograph marked done has its feature. Else a glance: whether all segments are there, as
 * long as they were, and end as they should, and whether every photograph that is done has a place
 * where its feature should be; that reads the ledger and no feature. 0 when nothing is lost: either
 * there are no findings, or all are damaged features that were computed again since; -FIRN_DATA
 * otherwise.
 */
int firn_verify(const char *dir, int full, firn_finding_fn *report, void *user,
                struct firn_verify_result *result, struct firn_error *err);

#endif
