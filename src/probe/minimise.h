/* SPDX-License-Identifier: MIT */
/** Minimising a smooth function: L-BFGS by liblbfgs, an optional library. */
#ifndef FIRN_SRC_PROBE_MINIMISE_H
#define FIRN_SRC_PROBE_MINIMISE_H

#include <stdbool.h>
#include <stddef.h>

#include "firn/error.h"

/** The function at `x` [n]; its gradient into `g` [n]. */
typedef double firn_minimise_fn(void *user, const double *x, double *g);

struct firn_minimise {
    firn_minimise_fn *evaluate;
    void *user;
    double gradient;           /**< ends when |gradient| < this * max(1, |x|) */
    double decrease;           /**< ends when ten steps bring less than this part of the value */
    int max_steps;
    const volatile int *stop;  /**< becomes non-zero: FIRN_INTERRUPTED; may be NULL */
    int steps;                 /**< result: taken */
    double value;              /**< result: at the end */
    bool converged;            /**< result: not ended by max_steps */
};

/** Whether this firn was built with liblbfgs. */
extern const bool firn_can_minimise;

/**
 * From `x` [n] downhill; the best point found is in `x`. Numbers behind x[n] up to the next
 * multiple of 8 must be allocated and zero; x is 16-byte aligned. FIRN_NOMEM; FIRN_CONFIG: no
 * liblbfgs; FIRN_INTERRUPTED; FIRN_INTERNAL.
 */
int firn_minimise(struct firn_minimise *m, double *x, size_t n, struct firn_error *err);

#endif
