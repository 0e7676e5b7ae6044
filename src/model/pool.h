/* SPDX-License-Identifier: MIT */
/** Memory that is given out in small pieces and freed as a whole, up to a limit. */
#ifndef FIRN_SRC_MODEL_POOL_H
#define FIRN_SRC_MODEL_POOL_H

#include <stdbool.h>
#include <stddef.h>

/** Zero-initialise and set `limit`. */
struct firn_pool {
    struct firn_pool_chunk *chunk; /**< the newest; each points at the one before */
    size_t fill;                   /**< bytes given out of it */
    size_t total;                  /**< bytes in all chunks */
    size_t limit;                  /**< total may not exceed this */
    bool out_of_memory;            /**< an allocation failed for want of memory, not the limit */
};

/** `size` zeroed bytes, aligned for any type; NULL when memory or the limit is used up. */
void *firn_pool_alloc(struct firn_pool *pool, size_t size);

/** A terminated copy of `n` bytes, NULL as above. */
char *firn_pool_text(struct firn_pool *pool, const void *bytes, size_t n);

void firn_pool_free(struct firn_pool *pool);

#endif
