/* SPDX-License-Identifier: MIT */
/** The last stage: outcomes into the cache, in groups, and free items back to the scan. */
#ifndef FIRN_SRC_PIPELINE_SINK_H
#define FIRN_SRC_PIPELINE_SINK_H

#include "base/ring.h"
#include "cache/writer.h"
#include "pipeline/board.h"
#include "pipeline/stage.h"
#include "pipeline/twins.h"

struct firn_sink_config {
    struct firn_ring *in;  /**< items whose fate is decided */
    struct firn_ring *out; /**< free items */
    struct firn_board *board;
    struct firn_writer *writer;
    struct firn_twins *twins;
    size_t items; /**< in work at most: so many may wait for their twins here */
    bool eager;   /**< commit at once when nothing more is on its way */
};

/**
 * One worker. A failure of the cache ends the run; what was acknowledged before stays. The board
 * counts a photograph as done when it is on disk, and as failed when that is known.
 */
extern const struct firn_stage_type firn_sink_stage;

#endif
