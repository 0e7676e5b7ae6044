/* SPDX-License-Identifier: MIT */
/** The fourth stage: crops to features, in batches. */
#ifndef FIRN_SRC_PIPELINE_INFER_H
#define FIRN_SRC_PIPELINE_INFER_H

#include "base/ring.h"
#include "pipeline/board.h"
#include "pipeline/stage.h"
#include "trunk/trunk.h"

struct firn_infer_config {
    struct firn_ring *in;  /**< items with crops */
    struct firn_ring *out; /**< items with features, and those that need none */
    struct firn_board *board;
    const struct firn_trunk *trunk;
    int batch;         /**< crops at once, at most */
    int views;         /**< crops and features of an item */
    int workers;       /**< that share the last items */
    size_t crop_bytes; /**< of one crop */
};

/**
 * Any number of workers. FIRN_INTERNAL names a photograph whose feature is not a number, infinite
 * or negative: a mean of ReLUs cannot be, so firn itself is wrong and the run ends.
 */
extern const struct firn_stage_type firn_infer_stage;

#endif
