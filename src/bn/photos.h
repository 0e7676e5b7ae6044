/* SPDX-License-Identifier: MIT */
/** The photographs of an estimation as a list in a known order. */
#ifndef FIRN_SRC_BN_PHOTOS_H
#define FIRN_SRC_BN_PHOTOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"
#include "firn/error.h"
#include "pipeline/roots.h"

struct firn_bn_photo {
    char *path;       /**< absolute; owned */
    size_t name;      /**< where in it the name below the root begins */
    size_t root;      /**< index into roots.root[]; roots.n for a file given by name */
    int label;        /**< -1: no class */
    int state;        /**< 0, or enum firn_state once it has failed */
    char *reason;     /**< why; owned */
    bool cut;         /**< `path` is only how a name begins that is too long */
    bool known;       /**< the fields below are filled in */
    uint64_t size;
    int64_t mtime_ns, ctime_ns;
    uint8_t content[32]; /**< BLAKE2b-256 of the file */
    uint8_t rank[32];    /**< of seed and content: what the order by content goes by */
};

struct firn_bn_photos {
    struct firn_roots roots;
    struct firn_bn_photo *photo;
    size_t n, room;
    int classes; /**< how many labels occur */
    const volatile int *stop; /**< non-zero: an end of reading names; or NULL */
    void (*on_failure)(void *user, const char *path, enum firn_state state, const char *reason);
    void *user;
};

/**
 * Lists directories, files and the names in `files_from` in ImageFolder's order: class, directory,
 * name. stop, on_failure and user are set by the caller before. FIRN_NOINPUT: none are there. To
 * be cleared in any case.
 */
int firn_bn_photos_list(struct firn_bn_photos *list, const char *const *paths, size_t n,
                        const char *files_from, bool zero, struct firn_error *err);
void firn_bn_photos_clear(struct firn_bn_photos *list);

/** Sets `rank` of all photographs that are known and sorts by it; those that failed come last. */
void firn_bn_photos_shuffle(struct firn_bn_photos *list, uint64_t seed);

/** Drops photographs with the contents of their predecessor; for a list sorted by rank. */
void firn_bn_photos_unite(struct firn_bn_photos *list);

/** Adds a content to the sum of a set's, modulo 2^256: the identity of a set in any order. */
void firn_bn_set_add(uint64_t set[4], const uint8_t content[32]);

/** A photograph's failure, once; the reason is copied. Reported by firn_bn_photos_report(). */
void firn_bn_photo_fail(struct firn_bn_photo *photo, enum firn_state state, const char *reason);

/** Tells on_failure of each of photo[first .. first + n) that failed and was not reported. */
void firn_bn_photos_report(struct firn_bn_photos *list, size_t first, size_t n);

#endif
