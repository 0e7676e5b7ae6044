/* SPDX-License-Identifier: MIT */
/** The first stage of the daemon: takes names as they are noticed, for as long as there are any. */
#ifndef FIRN_SRC_PIPELINE_FOLLOW_H
#define FIRN_SRC_PIPELINE_FOLLOW_H

#include "pipeline/feed.h"
#include "pipeline/offer.h"
#include "pipeline/stage.h"

struct firn_follow_config {
    struct firn_offer offer;
    struct firn_feed *feed;
    int64_t idle_ns; /**< so long without a name ends the run; INT64_MAX: only the feed's close */
    int cpu_percent; /**< of one core, that the whole process may use on average; 0: no limit */
};

/** One worker. Ends when the feed is closed, or has had nothing for a while. */
extern const struct firn_stage_type firn_follow_stage;

#endif
