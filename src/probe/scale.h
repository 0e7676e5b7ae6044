/* SPDX-License-Identifier: MIT */
/**
 * Standardising features by the training set: each by its own mean, and all by one deviation, the
 * root of their mean variance, or each by its own. Features of one network have one unit, and one
 * that hardly varies carries little: dividing each by its own deviation makes it as loud as the
 * others.
 */
#ifndef FIRN_SRC_PROBE_SCALE_H
#define FIRN_SRC_PROBE_SCALE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/team.h"
#include "firn/error.h"

struct firn_scale {
    int dim;
    double *mean;    /**< [dim] */
    double *inverse; /**< [dim]: 1 / deviation; 0 for a feature that is as good as constant */
};

/** Measures x[n][dim], n at least 1. FIRN_NOMEM. Free with firn_scale_fini() in any case. */
int firn_scale_init(struct firn_scale *scale, const float *x, size_t n, int dim, bool each,
                    struct firn_team *team, struct firn_error *err);
void firn_scale_fini(struct firn_scale *scale);

/** (x - mean) / deviation, in place; 0 for a constant feature. */
void firn_scale_apply(const struct firn_scale *scale, float *x, size_t n, struct firn_team *team);

#endif
