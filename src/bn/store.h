/* SPDX-License-Identifier: MIT */
/** The slots of many photographs between two passes: in memory, in a file, or nowhere. */
#ifndef FIRN_SRC_BN_STORE_H
#define FIRN_SRC_BN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"

enum firn_bn_place {
    FIRN_BN_MEMORY, /**< every convolution runs once */
    FIRN_BN_FILE,   /**< the same, at the speed of a file */
    FIRN_BN_NOWHERE /**< each pass computes all passes before it again */
};

struct firn_bn_store {
    enum firn_bn_place place;
    size_t slot;   /**< floats of a slot */
    uint64_t bytes;
    float *memory;
    int fd;
};

/**
 * Room for `n` slots of `slot` floats: in memory when they take at most `budget` bytes (0: half of
 * what is free), else in an unlinked file in `dir` when that has twice the room (NULL: no file),
 * else nowhere.
 */
int firn_bn_store_open(struct firn_bn_store *store, size_t n, size_t slot, size_t budget,
                       const char *dir, struct firn_error *err);
void firn_bn_store_close(struct firn_bn_store *store);

/** Slot i: where it is, or read into `buffer`. NULL: a read failed (errno). */
float *firn_bn_store_get(const struct firn_bn_store *store, size_t i, size_t floats,
                         float *buffer);
/** Gives what _get() gave back changed; false: a write failed (errno). */
bool firn_bn_store_put(const struct firn_bn_store *store, size_t i, size_t floats,
                       const float *slot);

#endif
