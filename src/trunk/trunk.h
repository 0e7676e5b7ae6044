/* SPDX-License-Identifier: MIT */
/** uint8 crops in, features out. */
#ifndef FIRN_SRC_TRUNK_TRUNK_H
#define FIRN_SRC_TRUNK_TRUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "firn/error.h"
#include "firn/fingerprint.h"
#include "model/model.h"

/** Folded, transformed and packed weights of one network: immutable, shared by all workers. */
struct firn_trunk;

/** One thread's activations and scratch memory. */
struct firn_trunk_worker;

/**
 * Packs the weights of `model` (which may be closed afterwards) for crops of `crop` x `crop`
 * pixels and the instruction set `cpu`. `small`: in less than half of the memory, for the same
 * features; large layers then cost a little more time, the less the larger the batch.
 */
int firn_trunk_create(struct firn_trunk **out, const struct firn_model *model, int crop,
                      enum firn_cpu cpu, bool small, struct firn_error *err);
void firn_trunk_destroy(struct firn_trunk *trunk);

/** Length of a feature. */
int firn_trunk_dim(const struct firn_trunk *trunk);

/** Bytes of packed weights. */
size_t firn_trunk_bytes(const struct firn_trunk *trunk);

/**
 * The numeric part but for the storage type: algorithm family and stated error bound. NULL stands
 * for the layered trunk, which does not know careful networks.
 */
void firn_trunk_fingerprint(const struct firn_trunk *trunk, struct firn_fingerprint *fp);

/** Memory for batches of up to `max_batch` crops. Several workers may share one trunk. */
int firn_trunk_worker_create(struct firn_trunk_worker **out, const struct firn_trunk *trunk,
                             int max_batch, struct firn_error *err);
void firn_trunk_worker_destroy(struct firn_trunk_worker *worker);
size_t firn_trunk_worker_bytes(const struct firn_trunk_worker *worker);

/**
 * Features of `n` <= max_batch crops (crop * crop * 3 bytes each, R G B) into features[n][dim].
 * Allocates nothing, cannot fail. A crop gives the same bits whatever else is in the batch. Sets
 * flush-to-zero for the duration of the call.
 */
void firn_trunk_run(struct firn_trunk_worker *worker, const uint8_t *const *crops, int n,
                    float *features);

#endif
