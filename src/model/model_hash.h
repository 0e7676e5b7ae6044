/* SPDX-License-Identifier: MIT */
/** The identity of a network: what its tensors hold, not how a file wraps them. */
#ifndef FIRN_SRC_MODEL_MODEL_HASH_H
#define FIRN_SRC_MODEL_MODEL_HASH_H

#include "model/family.h"

/**
 * BLAKE2b-256 in hexadecimal over the trunk's tensors in canonical order, each as the line
 * "NAME DIM DIM ...\n" and its float32 numbers, little-endian: `trunk` over convolution weights,
 * gamma and beta (left out when NULL); `batchnorm` over running means and variances.
 */
void firn_network_hash(const struct firn_network *network, char trunk[65], char batchnorm[65]);

/** The same beside the reading of the tensors, on a thread of its own if that can be had. */
struct firn_network_hasher;
int firn_network_hasher_create(struct firn_network_hasher **out, struct firn_error *err);
/** `param` is the next in canonical order, and stays as it is until the end. */
void firn_network_hasher_add(struct firn_network_hasher *hasher, struct firn_param *param);
/** Waits until all is hashed, and frees the hasher. */
void firn_network_hasher_finish(struct firn_network_hasher *hasher, char trunk[65],
                                char batchnorm[65]);

#endif
