/* SPDX-License-Identifier: MIT */
/** Counting what a head said. */
#ifndef FIRN_SRC_PROBE_SCORE_H
#define FIRN_SRC_PROBE_SCORE_H

#include "firn/probe.h"
#include "probe/sample.h"

/**
 * Fills per_class[].train and .val, accuracy, majority, cell[] and foreign of `probe`, whose
 * per_class[].name is there already; said[] are classes of val's photographs. FIRN_NOMEM.
 */
int firn_score(struct firn_probe *probe, const struct firn_sample *train,
               const struct firn_sample *val, const int *said, struct firn_error *err);

/** Fills steadiness from epoch[]; `step` epochs lie before the first cut of the rate. */
void firn_score_epochs(struct firn_probe *probe, int step);

#endif
