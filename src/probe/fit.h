/* SPDX-License-Identifier: MIT */
/** Fitting a head on standardised features, and choosing how strong the penalty is. */
#ifndef FIRN_SRC_PROBE_FIT_H
#define FIRN_SRC_PROBE_FIT_H

#include "firn/probe.h"
#include "probe/logistic.h"
#include "probe/sample.h"

/** Parameters of a head: double [classes][dim] weights, then [classes] biases. */
struct firn_fit {
    int dim, classes;
    double *w;    /**< zeros to begin with */
    float *head;  /**< the same as float32, after firn_fit_run() */
    int steps;    /**< of L-BFGS */
    bool converged;
};

int firn_fit_init(struct firn_fit *fit, int dim, int classes, struct firn_error *err);
void firn_fit_fini(struct firn_fit *fit);

/** From where `fit` is to the minimum of `p` with `c`; `loosely` for a comparison of C's. */
int firn_fit_run(struct firn_fit *fit, struct firn_logistic *p, double c, bool loosely,
                 const volatile int *stop, struct firn_error *err);

/** The fitted head; valid until the next run. */
struct firn_head firn_fit_head(const struct firn_fit *fit);

/**
 * Tries values of C on the standardised features of `train` by stratified cross-validation and sets
 * probe->c, trial[], trials, folds and cv_photographs. Copies of a photograph are in one fold. When
 * there is nothing to validate by (each class has one photograph), c is 1 and trials 0. The means
 * and deviations come from all of `train`, folds included: they do not know the classes.
 */
int firn_choose_c(struct firn_probe *probe, const struct firn_sample *train, int classes, int folds,
                  struct firn_team *team, const volatile int *stop, struct firn_error *err);

#endif
