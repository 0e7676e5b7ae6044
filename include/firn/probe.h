/* SPDX-License-Identifier: MIT */
/** The linear probe: trains a last layer on cached features, and says how good it is. */
#ifndef FIRN_PROBE_H
#define FIRN_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"
#include "firn/fingerprint.h"

#define FIRN_PROBE_FOLDS 20   /**< most folds of the cross-validation */
#define FIRN_PROBE_TRIALS 16  /**< most values of C that it tries */

/** All fields may be zero but train. */
struct firn_probe_options {
    const char *train; /**< cache */
    const char *val;   /**< cache; NULL: part of `train` is held out */
    int holdout;       /**< percent of `train`, by content hash, where there is no `val` [20] */
    bool mixed;        /**< caches of different fingerprints are accepted */
    bool scale_each;   /**< divide each feature by its own deviation, not all by one */
    double c;          /**< weight of the data against the penalty; 0: cross-validated */
    int folds;         /**< of the cross-validation, 2 to FIRN_PROBE_FOLDS [5] */
    int epochs;        /**< of the SGD head; 0: none */
    double rate;       /**< its learning rate [0.001] */
    int batch;         /**< its batch [4] */
    uint64_t seed;     /**< of its initial values and shuffles */
    int threads;       /**< 0: usable cores; changes no result */
    /** One line of news: what was left out, what to mind. */
    void (*on_notice)(void *user, const char *text);
    void *user;
    const volatile int *stop; /**< becomes non-zero: FIRN_INTERRUPTED */
};

/** A fraction of photographs with its 95% confidence interval by Wilson's score. */
struct firn_proportion {
    size_t right, n;
    double value, low, high; /**< NaN when n is 0 */
};
struct firn_proportion firn_proportion(size_t right, size_t n);

/** One class. Those of the training cache come first, in its order, then others of `val`. */
struct firn_probe_class {
    const char *name;
    size_t train;               /**< photographs to learn from; 0: the head never says it */
    struct firn_proportion val; /**< of its photographs, said to be of it */
};

/** Photographs of one class that were said to be of another, or of it. */
struct firn_probe_cell {
    int truth, said; /**< classes */
    size_t n;        /**< at least 1 */
};

/** One value of C that was tried. */
struct firn_probe_trial {
    double c;
    double loss;     /**< mean of -log p over the photographs held out, all folds */
    double accuracy; /**< of these */
};

/** One epoch of the SGD head. Losses are means of -log p. */
struct firn_probe_epoch {
    double rate;
    double train_loss, train_accuracy; /**< while training went, as PyTorch's tutorial counts */
    double val_loss, val_accuracy;     /**< behind it */
};

/** How steady the SGD head was: largest change of val_accuracy from one epoch to the next. */
struct firn_probe_steadiness {
    double early;   /**< from the second epoch to the first cut of the rate */
    double late;    /**< from there on; NaN without */
    bool bounces;   /**< either is more than one percent and more than the interval's half width */
};

/** The result; owns everything it points to. */
struct firn_probe {
    int dim;
    size_t train, val;            /**< photographs */
    size_t classes;               /**< in per_class[] */
    size_t head_classes;          /**< of these, the first ones, have a row in the head */
    struct firn_probe_class *per_class;
    struct firn_proportion accuracy; /**< on val: the figure */
    double val_loss;              /**< over val's photographs of classes that were trained */
    double train_accuracy;        /**< on what it was trained on */
    double majority;              /**< accuracy of always saying the commonest training class */
    struct firn_probe_cell *cell; /**< the confusion matrix without zeros, by truth, then said */
    size_t cells;

    double c;                     /**< used */
    bool c_given;                 /**< by the caller, or for want of photographs */
    int folds;
    size_t cv_photographs;        /**< that took part in choosing C */
    struct firn_probe_trial trial[FIRN_PROBE_TRIALS]; /**< by rising C */
    int trials;
    int steps;                    /**< of L-BFGS */
    bool converged;

    bool held_out;                /**< val is a part of the training cache */
    size_t shared;                /**< photographs of val that are in train too */
    size_t foreign;               /**< photographs of val whose class was not trained: all wrong */
    size_t unlabelled, failed;    /**< left out, of both caches: no class; no feature */
    char differences[4096];       /**< between the fingerprints, one a line; "" when equal */
    struct firn_fingerprint fingerprint; /**< of train */

    struct firn_probe_epoch *epoch;
    int epochs;
    struct firn_probe_steadiness steadiness;

    /**
     * The head for raw features, as torch's nn.Linear takes it: [head_classes][dim] and
     * [head_classes]. Classes without photographs have zero weights and the bias -10000.
     */
    float *weight, *bias;

    double read_seconds, sgd_seconds, choose_seconds, fit_seconds;
};

/**
 * Multinomial logistic regression with an L2 penalty on standardised features: less the mean of
 * each, over the deviation of all, both of the training set. FIRN_CONFIG: the
 * fingerprints differ (said in words), classes have nothing in common, or this firn was built
 * without liblbfgs; FIRN_DATA: nothing to learn from (no classes, one class, nothing to judge by),
 * or a part of a cache is lost; FIRN_USAGE; as firn_cache_open() and firn_cache_features(). Free
 * with firn_probe_free().
 */
int firn_probe(struct firn_probe **out, const struct firn_probe_options *options,
               struct firn_error *err);
/** Whether a photograph is held out where there is no `val`; see firn_photo.content. */
bool firn_probe_holds_out(const uint8_t content[32], int percent);

/** NULL is fine. */
void firn_probe_free(struct firn_probe *probe);

#endif
