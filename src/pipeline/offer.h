/* SPDX-License-Identifier: MIT */
/** One name becomes an item on its way, unless the cache knows it: what all sources do. */
#ifndef FIRN_SRC_PIPELINE_OFFER_H
#define FIRN_SRC_PIPELINE_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ring.h"
#include "cache/writer.h"
#include "pipeline/board.h"

struct firn_offer {
    struct firn_ring *in;  /**< free items: the only thing that holds a source back */
    struct firn_ring *out; /**< items with root, path, size and times */
    struct firn_board *board;
    struct firn_writer *writer;
    bool follows; /**< what is gone at its turn is no failure */
};

/**
 * Looks at the file `path` (of `root`, below it from `name` on), counts it, and sends it on its
 * way when it is new or has changed. What is no regular file goes as skipped. False: the run ends.
 */
bool firn_offer(const struct firn_offer *offer, uint32_t root, const char *path, size_t name);

/** A directory that cannot be read goes as skipped, in the place of what is in it. */
void firn_offer_unreadable(const struct firn_offer *offer, uint32_t root, const char *path,
                           size_t name, int error);

#endif
