/* SPDX-License-Identifier: MIT */
/**
 * Sums in a fixed binary tree, so that they have the same bits however they came about.
 *
 *     leaf     0   1   2   3   4   5   6         a batch, or a photograph
 *               \ /     \ /     \ /    |
 *                .       .       .     |         merged as soon as both halves are there
 *                 \     /        |     |
 *                  \   /         |     |
 *                    .           .     .         what is kept of seven leaves: one of 4, 2 and 1
 *
 * Floating-point sums depend on the order of their terms. Here the order follows from the numbers
 * of the leaves alone: threads hand their leaves over in that order, and a shard that has leaves
 * 2 to 5 keeps the nodes (2 3) and (4 5), which are nodes of the whole tree. Beside those of the
 * other shards they merge into exactly the nodes of a single run. It also is pairwise summation,
 * whose error grows with the logarithm of the number of leaves, and keeps few nodes.
 */
#ifndef FIRN_SRC_BN_TREE_H
#define FIRN_SRC_BN_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"

/** How two neighbours a, b become one; each has a weight w and `width` numbers x and y. */
enum firn_tree_kind {
    FIRN_TREE_POOL, /**< w photographs with mean x and summed variance y: Chan's formula */
    FIRN_TREE_SUM,  /**< all three are added */
    FIRN_TREE_DECAY /**< value -> w * value + x (and y): b after a */
};

#define FIRN_TREE_NODES 64

struct firn_tree_node {
    uint64_t level, index; /**< leaves index * 2^level and on */
    double weight;
    double *x, *y;
};

struct firn_tree {
    enum firn_tree_kind kind;
    size_t width;
    uint64_t next; /**< number of the next leaf */
    int n;
    struct firn_tree_node node[FIRN_TREE_NODES];
};

void firn_tree_init(struct firn_tree *tree, enum firn_tree_kind kind, size_t width,
                    uint64_t first);
void firn_tree_free(struct firn_tree *tree);

/** Forgets all leaves, keeps the memory. */
void firn_tree_clear(struct firn_tree *tree, uint64_t first);

/** The weight of a leaf that is missing: merging it changes nothing. */
double firn_tree_nothing(enum firn_tree_kind kind);

/** Adds the next leaf; x and y are copied (and may be NULL when it is missing). */
int firn_tree_push(struct firn_tree *tree, double weight, const double *x, const double *y,
                   struct firn_error *err);

/** Adds a node of another tree that follows; FIRN_DATA when it does not. */
int firn_tree_append(struct firn_tree *tree, const struct firn_tree_node *node,
                     struct firn_error *err);

/** Merges all that is there, from the last node to the first: w, x and y of all leaves. */
int firn_tree_total(const struct firn_tree *tree, double *weight, double *x, double *y,
                    struct firn_error *err);

#endif
