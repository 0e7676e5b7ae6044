/* SPDX-License-Identifier: MIT */
/** A batch in training mode: every layer normalised with the statistics of the batch itself. */
#ifndef FIRN_SRC_BN_BATCH_H
#define FIRN_SRC_BN_BATCH_H

#include "bn/engine.h"

struct firn_bn_batch;

/** Memory for up to `max` photographs. */
int firn_bn_batch_create(struct firn_bn_batch **out, struct firn_bn_engine *engine, size_t max,
                         struct firn_error *err);
void firn_bn_batch_destroy(struct firn_bn_batch *batch);
size_t firn_bn_batch_bytes(const struct firn_bn_batch *batch);

/** Decodes `n` <= max photographs; the failed ones are left out. Returns how many there are. */
size_t firn_bn_batch_load(struct firn_bn_batch *batch, struct firn_bn_photo *photo, size_t n);

/** The i-th of those that were loaded. */
struct firn_bn_photo *firn_bn_batch_photo(struct firn_bn_batch *batch, size_t i);

/**
 * Runs the batch. `mean` and `var` get the batch's means and biased variances of all channels
 * (engine->offset), `features` (or NULL) [loaded][dim]. FIRN_CONFIG: one value per channel
 * somewhere, of which there is no variance; FIRN_DATA: statistics that are not finite.
 */
int firn_bn_batch_run(struct firn_bn_batch *batch, double *mean, double *var, float *features,
                      struct firn_error *err);

/** Refuses means or sums that are not finite, naming the layer. */
int firn_bn_check_finite(const struct firn_bn_engine *engine, int pass, const double *mean,
                         const double *sum, struct firn_error *err);

/** Name of the BatchNorm layer behind a channel of a pass. */
const char *firn_bn_layer_name(const struct firn_bn_engine *engine, int pass, int channel);

/** Copies [channels] of a pass to where its layers' channels are among all. */
void firn_bn_spread(const struct firn_bn_engine *engine, int pass, const double *from, double *to);

/** Sets the norms of the layers of a pass from [all channels]. */
void firn_bn_set_norms(struct firn_bn_engine *engine, int pass, const double *mean,
                       const double *var);

#endif
