/* SPDX-License-Identifier: MIT */
/**
 * A linear head trained by stochastic gradient descent as PyTorch's transfer-learning tutorial
 * trains it: CrossEntropyLoss, SGD with momentum, StepLR, nn.Linear's initial values, a shuffle for
 * every epoch, the last batch as short as it comes. Its curve shows what part of a bouncing
 * accuracy is the head's own.
 */
#ifndef FIRN_SRC_PROBE_SGD_H
#define FIRN_SRC_PROBE_SGD_H

#include <stdint.h>

#include "base/cpu.h"
#include "firn/probe.h"
#include "probe/logistic.h"

struct firn_sgd {
    int epochs, batch;
    double rate, momentum;
    int step;       /**< epochs between two cuts of the rate */
    double gamma;   /**< what the rate is multiplied with */
    uint64_t seed;  /**< of the initial values and the shuffles */
    const volatile int *stop; /**< as in struct firn_minimise */
};

/**
 * Trains on the raw features of `train`, judges with `val` after every epoch, and fills
 * epoch[0..epochs). The bits do not depend on the instruction set nor on the number of threads.
 * FIRN_NOMEM, FIRN_INTERRUPTED.
 */
int firn_sgd_train(const struct firn_sgd *how, const struct firn_rows *train,
                   const struct firn_rows *val, int dim, int classes, struct firn_team *team,
                   struct firn_probe_epoch *epoch, struct firn_error *err);

/** One step of all weights, and the scores of the batch behind it by the new ones. */
struct firn_sgd_step {
    float *w, *v;              /**< [classes][dim]: weights, their momentum */
    const float *const *x;     /**< [n] rows of the batch */
    const float *r;            /**< [n][classes]: derivatives of the loss by the scores */
    int n;                     /**< 0: no step, only scores */
    const float *const *next;  /**< [n_next] rows of the batch behind it */
    float *z;                  /**< [n_next][classes]: their products with the weights */
    int n_next;
    int dim, classes;
    float rate, momentum;
};

/** The same bits from all of them. */
typedef void firn_sgd_step_fn(const struct firn_sgd_step *s);
firn_sgd_step_fn firn_sgd_step_c, firn_sgd_step_avx2;

/** The fastest for `level`. */
firn_sgd_step_fn *firn_sgd_choose(enum firn_cpu level);

#endif
