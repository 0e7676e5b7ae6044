/* SPDX-License-Identifier: MIT */
/** One estimation, from the options to the file: what its methods share. */
#ifndef FIRN_SRC_BN_ESTIMATE_H
#define FIRN_SRC_BN_ESTIMATE_H

#include "bn/engine.h"
#include "firn/bn.h"
#include "model/stats.h"

#define FIRN_BN_BLEND 1e15 /* most photographs of a blend */
#define FIRN_BN_BATCH 4096 /* and of a batch */

struct firn_bn_run {
    const struct firn_bn_options *options;
    struct firn_bn_engine engine;
    struct firn_bn_photos photos;
    size_t first, end;         /**< which of them are this run's: a shard's are not all */
    struct firn_bn_result result;
    struct firn_stats *source; /**< the checkpoint's */
    struct firn_stats *stats;  /**< the new ones */
    uint64_t set[4];           /**< sum of the contents used, modulo 2^256: the set, in any order */
    char listing[65];          /**< hash of the list in its order */
    int batch;
    double momentum;
    enum firn_bn_order order;
    bool dead[FIRN_MAX_CONVS][2048]; /**< channels kept at the checkpoint's statistics */
    int64_t began, reported;
};

/** The two kinds of methods; each fills in result and, unless it is a shard, stats. */
int firn_bn_train(struct firn_bn_run *run, struct firn_error *err);
int firn_bn_sequential(struct firn_bn_run *run, struct firn_error *err);

/**
 * Channels of layer `conv` from mean and var as they were estimated: dead ones keep the source's,
 * the others are blended with it. `less` is taken off a variance that is alive.
 */
void firn_bn_settle(struct firn_bn_run *run, int conv, const double *mean, const double *var,
                    double less);

/** Names those of the run's photographs that failed and were not named before; counts them. */
void firn_bn_count_failed(struct firn_bn_run *run);

/** Counts a photograph as used. */
void firn_bn_use(struct firn_bn_run *run, const struct firn_bn_photo *photo);

/** `photographs` of `total` are through pass `pass`; tells the caller now and then. */
void firn_bn_tell(struct firn_bn_run *run, uint64_t photographs, uint64_t total, int pass,
                  int passes, bool now);

void firn_bn_notice(const struct firn_bn_options *options, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Metadata of `stats`, the "batchnorm" words last: the numbers are final. */
void firn_bn_describe(struct firn_bn_run *run);

#endif
