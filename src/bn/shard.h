/* SPDX-License-Identifier: MIT */
/** The file of a shard: nodes of the tree over all batches, and what they are of. */
#ifndef FIRN_SRC_BN_SHARD_H
#define FIRN_SRC_BN_SHARD_H

#include "bn/estimate.h"
#include "bn/tree.h"

/** Statistics of all layers from a whole tree; `pixels` of each layer's map by conv. */
int firn_bn_conclude(struct firn_bn_run *run, const struct firn_tree *tree,
                     struct firn_error *err);

/** The kind of tree that a method needs. */
enum firn_tree_kind firn_bn_tree_kind(enum firn_bn_method method);

int firn_bn_shard_write(struct firn_bn_run *run, const struct firn_tree *tree, uint64_t batches,
                        struct firn_error *err);

#endif
