/* SPDX-License-Identifier: MIT */
/** The third stage: bytes to crops, and the identity of the bytes. */
#ifndef FIRN_SRC_PIPELINE_DECODE_H
#define FIRN_SRC_PIPELINE_DECODE_H

#include "base/cpu.h"
#include "base/ring.h"
#include "cache/writer.h"
#include "firn/image.h"
#include "pipeline/cell.h"
#include "pipeline/board.h"
#include "pipeline/stage.h"
#include "pipeline/twins.h"

/** So many photographs a worker takes at once, for their hashes, when there are many. */
#define FIRN_DECODE_GROUP 8

struct firn_decode_config {
    struct firn_ring *in;  /**< items with their file's bytes */
    struct firn_ring *out; /**< items with content and crop, bytes given back */
    struct firn_board *board;
    struct firn_writer *writer; /**< asked whether it has a content already */
    struct firn_twins *twins;   /**< and these, whether it is under way */
    struct firn_image_spec spec;
    bool whole;        /**< see struct firn_extract_options */
    enum firn_cpu cpu; /**< the most that decoders and hashes may use */
    struct firn_warden *warden; /**< NULL: decode in this process */
};

/** Any number of workers. A photograph whose content is known is done here, as reused. */
extern const struct firn_stage_type firn_decode_stage;

#endif
