/* SPDX-License-Identifier: MIT */
/**
 * Multinomial logistic regression with an L2 penalty: its loss and gradient, and what a head says.
 *
 *     loss(W, b) = 1/n [ sum over rows of -log softmax(W x + b)[y]  +  |W|^2 / (2 C) ]
 *
 * which has the minimum of scikit-learn's LogisticRegression(multi_class="multinomial"), whose
 * objective is n C times this one; the biases are not penalised there either.
 *
 * Products are float32 through BLIS; sums over rows are cut into lanes that depend on the rows
 * alone and are joined in their order in double: the number of threads changes no bit.
 */
#ifndef FIRN_SRC_PROBE_LOGISTIC_H
#define FIRN_SRC_PROBE_LOGISTIC_H

#include <stddef.h>

#include "base/team.h"
#include "firn/error.h"

/** Rows of features with their classes; not owned. */
struct firn_rows {
    const float *x; /**< [n][dim] */
    const int *y;   /**< [n], class of each row */
    size_t n;
};

/** Most runs of rows that a problem may consist of. */
#define FIRN_LOGISTIC_RUNS 2

struct firn_logistic;

/**
 * A problem over the rows of `run[0..runs)`, which must outlive it; every label is below `classes`.
 * Parameters are double [classes][dim] weights, then [classes] biases. FIRN_NOMEM.
 */
int firn_logistic_create(struct firn_logistic **out, const struct firn_rows *run, int runs,
                         int dim, int classes, struct firn_team *team, struct firn_error *err);
void firn_logistic_destroy(struct firn_logistic *p);

/** The strength of the penalty; to be set before the first evaluation. */
void firn_logistic_set_c(struct firn_logistic *p, double c);

/** The loss at `w`; its gradient into `g`, laid out as `w`. */
double firn_logistic_evaluate(struct firn_logistic *p, const double *w, double *g);

/** A linear layer; not owned. */
struct firn_head {
    const float *weight; /**< [classes][dim] */
    const float *bias;   /**< [classes] */
    int dim, classes;
};

/** What a head makes of rows. */
struct firn_verdict {
    double loss;  /**< sum of -log p of the true class, over rows whose class the head has */
    size_t right; /**< rows whose class has the highest score */
    size_t known; /**< rows whose class the head has: 0 <= y < classes */
};

/**
 * Applies a head to rows. `predicted` [n] gets the class of the highest score, the first of equals;
 * NULL when it is not wanted. FIRN_NOMEM.
 */
int firn_head_apply(const struct firn_head *head, const struct firn_rows *rows,
                    struct firn_team *team, int *predicted, struct firn_verdict *verdict,
                    struct firn_error *err);

#endif
