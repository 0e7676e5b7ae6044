/* SPDX-License-Identifier: MIT */
/** The first stage: finds photographs and lets those through that the cache does not have. */
#ifndef FIRN_SRC_PIPELINE_SCAN_H
#define FIRN_SRC_PIPELINE_SCAN_H

#include <stdbool.h>

#include "pipeline/names.h"
#include "pipeline/offer.h"
#include "pipeline/roots.h"
#include "pipeline/stage.h"

struct firn_scan_config {
    struct firn_offer offer;
    const struct firn_roots *roots;
    struct firn_names *names; /**< a list to read behind the roots, or NULL */
};

/** *any: a walk of the roots finds a photograph, or something that cannot be read. */
int firn_scan_any(const struct firn_roots *roots, bool *any, struct firn_error *err);

/** One worker only. */
extern const struct firn_stage_type firn_scan_stage;

#endif
