/* SPDX-License-Identifier: MIT */
/** Which of the ten families a list of tensors is, and its numbers. */
#ifndef FIRN_SRC_MODEL_RECOGNISE_H
#define FIRN_SRC_MODEL_RECOGNISE_H

#include "model/family.h"
#include "model/model_hash.h"
#include "model/weights.h"

/** What else was found on the way. */
struct firn_recognised {
    bool has_fc;       /**< fc.weight is there */
    int classes;       /**< its rows */
    bool zero_tracked; /**< a num_batches_tracked is missing */
    size_t ignored;    /**< tensors that are neither the trunk's nor fc's */
};

/**
 * Finds the family by the names and shapes of the tensors, whatever prefix they share ("module."),
 * and initialises `network` (no memory yet). FIRN_DATA with the tensor that is missing, has another
 * shape or belongs to another kind of network.
 */
int firn_recognise(const struct firn_weights *weights, struct firn_network *network,
                   struct firn_recognised *found, struct firn_error *err);

/**
 * Reads every parameter of a recognised network whose memory is allocated, refuses numbers that
 * are not finite and variances below zero, and adds the others to `hasher`.
 */
int firn_load_parameters(struct firn_weights *weights, struct firn_network *network,
                         struct firn_network_hasher *hasher, struct firn_error *err);

#endif
