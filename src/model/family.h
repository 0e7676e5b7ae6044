/* SPDX-License-Identifier: MIT */
/** The ten ResNets that firn knows, as data, and the list of parameters that follows from it. */
#ifndef FIRN_SRC_MODEL_FAMILY_H
#define FIRN_SRC_MODEL_FAMILY_H

#include <stdbool.h>
#include <stddef.h>

#include "model/model.h"

#define FIRN_MAX_PARAMS (5 * FIRN_MAX_CONVS)
#define FIRN_FAMILIES 10

/** One row of the table; the words are those of torchvision's resnet.py. */
struct firn_family {
    const char *name;    /**< "resnet18", ... */
    int blocks[4];       /**< residual blocks of layer1 to layer4 */
    bool bottleneck;     /**< 1x1, 3x3 (which has the stride), 1x1; else two 3x3 */
    int groups;          /**< of the 3x3 in a bottleneck */
    int width_per_group; /**< channels of the 3x3 in layer1, per group */
};

extern const struct firn_family firn_families[FIRN_FAMILIES];

/** The row called `name`, NULL if there is none. */
const struct firn_family *firn_family_find(const char *name);

/** Channels of the 3x3 of layer `layer` (0 to 3). */
int firn_family_width(const struct firn_family *family, int layer);

/** What a parameter is to its layer. */
enum firn_role { FIRN_WEIGHT, FIRN_GAMMA, FIRN_BETA, FIRN_MEAN, FIRN_VAR };

struct firn_tensor;

/** A trunk tensor that a weight file has to bring. */
struct firn_param {
    char name[48];        /**< "layer1.0.bn1.running_mean" */
    enum firn_role role;
    int conv;             /**< index of the convolution it belongs to */
    int ndim;             /**< 4 for weights, else 1 */
    int shape[4];
    size_t count;         /**< product of the shape */
    const struct firn_tensor *source; /**< in the weight file, while that is open */
    float *data;          /**< `count` numbers in the network's one block of memory */
};

/** A network without its numbers, or, once they are filled in, with them. */
struct firn_network {
    const struct firn_family *family;
    struct firn_net net;
    int n_param;
    struct firn_param param[FIRN_MAX_PARAMS]; /**< by convolution, then role: the canonical order */
    char name[FIRN_MAX_CONVS][2][32];         /**< convolution, BatchNorm */
    size_t parameters;                        /**< numbers in all of param[] */
    float *numbers;                           /**< the block, for firn_free() */
};

/** Lays `family` out: names, shapes, blocks. Allocates nothing; data pointers are NULL. */
void firn_network_init(struct firn_network *network, const struct firn_family *family);

/** Gives every parameter its place in one block, each on its own cache line. */
int firn_network_alloc(struct firn_network *network, struct firn_error *err);

/**
 * Refuses what would make nonsense of every feature: numbers that are NaN or infinite, and
 * variances below zero. Names the tensor; `where` is the file.
 */
int firn_param_check(const struct firn_param *param, const char *where, struct firn_error *err);

#endif
