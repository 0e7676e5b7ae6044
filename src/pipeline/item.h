/* SPDX-License-Identifier: MIT */
/** One photograph on its way through the stages, and the slab that all of them live in. */
#ifndef FIRN_SRC_PIPELINE_ITEM_H
#define FIRN_SRC_PIPELINE_ITEM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ring.h"
#include "firn/cache.h"
#include "firn/error.h"
#include "pipeline/arena.h"

/** What an item's fate may be besides enum firn_state. */
enum {
    FIRN_LIVE = 0,     /**< wants the work of the stages ahead */
    FIRN_DROPPED = 100 /**< not recorded: the run ends, or its file is gone, before its turn */
};

/** What an item is to others of the same bytes that are under way (twins.h). */
enum firn_kin { FIRN_KIN_NONE = 0, FIRN_KIN_FIRST, FIRN_KIN_TWIN };

/**
 * Exactly one thread owns an item at any time: the one that took it out of a ring. A stage that
 * sets the fate still passes the item on; the stages behind let it through untouched.
 */
struct firn_item {
    /* scan */
    uint32_t root;       /**< from firn_writer_root() */
    size_t name;         /**< where in `path` the name below the root begins */
    char path[PATH_MAX]; /**< absolute, terminated; bytes, not UTF-8 */

    /* scan, then read: of the file that was opened */
    uint64_t size;              /**< bytes */
    int64_t mtime_ns, ctime_ns; /**< as stat(2) has them */

    /* read; given back by decode */
    struct firn_blob *file; /**< the bytes of the file, or NULL */

    /* decode */
    uint8_t content[32]; /**< BLAKE2b-256 of the bytes; zero when they were not read */
    enum firn_kin kin;
    bool reused;         /**< the cache has a feature of this content, or will have its twin's */
    uint8_t *crop;       /**< [views][crop * crop * 3]; the slab's */

    /* infer */
    float *feature; /**< [views][dim]; the slab's */

    /* any stage */
    int fate;         /**< FIRN_LIVE, an enum firn_state, or FIRN_DROPPED */
    char reason[256]; /**< why skipped or corrupt, else "" */
};

/** The items of a run: allocated once, before the first photograph. */
struct firn_slab {
    struct firn_item *item; /**< [count] */
    size_t count;
    size_t bytes; /**< of all that was allocated */
    uint8_t *crops;
    float *features;
};

/** `count` items with room for `views` crops of `crop` pixels and features of `dim` numbers. */
int firn_slab_create(struct firn_slab *slab, size_t count, int views, int crop, int dim,
                     struct firn_error *err);
void firn_slab_destroy(struct firn_slab *slab);

/** Puts every item into `ring`, which has room for all. */
void firn_slab_fill(struct firn_slab *slab, struct firn_ring *ring);

/** Makes a used item as good as new; its path, crop and feature keep their memory. */
void firn_item_reset(struct firn_item *item);

/** Decides the fate of a live item. A reason that is too long is cut. */
void firn_item_fail(struct firn_item *item, enum firn_state state, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * Decides the fate of a live item whose file cannot be read, `error` says why: skipped, or, where
 * the run `follows` what comes and goes, dropped if there is no such name any more.
 */
void firn_item_unreadable(struct firn_item *item, int error, bool follows);

/** Drops a live item; whatever its fate, its file's bytes are given back. */
void firn_item_drop(struct firn_item *item);

/** The part of the path below the root. */
static inline const char *firn_item_name(const struct firn_item *item)
{
    return item->path + item->name;
}

#endif
