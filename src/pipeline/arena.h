/* SPDX-License-Identifier: MIT */
/** Memory for the bytes of files between read and decode: bounded, reserved once. */
#ifndef FIRN_SRC_PIPELINE_ARENA_H
#define FIRN_SRC_PIPELINE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"

struct firn_arena;

/** The bytes of one file. */
struct firn_blob {
    uint8_t *bytes;
    size_t size; /**< as asked for */
    struct firn_arena *arena;
};

/**
 * An arena for at most `blobs` files of `budget` bytes together, or one alone of up to `limit`
 * bytes (>= budget). Address space is reserved, memory is used as files need it.
 */
int firn_arena_create(struct firn_arena **out, size_t blobs, size_t budget, size_t limit,
                      struct firn_error *err);
/** No blob may be in use. NULL is fine. */
void firn_arena_destroy(struct firn_arena *arena);

/** The largest file. */
size_t firn_arena_limit(const struct firn_arena *arena);

/** Room for `size` <= limit bytes, or NULL when there is none now. */
struct firn_blob *firn_arena_try(struct firn_arena *arena, size_t size);

/**
 * As firn_arena_try(), but waits until others have returned enough. The caller must hold no
 * blob that nobody else will return, or it waits for itself.
 */
struct firn_blob *firn_arena_take(struct firn_arena *arena, size_t size);

/** Gives a blob back; any thread, never waits. NULL is fine. */
void firn_blob_return(struct firn_blob *blob);

#endif
