/* SPDX-License-Identifier: MIT */
/** The network laid out for one crop size: the shape of every convolution and the order of work. */
#ifndef FIRN_SRC_TRUNK_PLAN_H
#define FIRN_SRC_TRUNK_PLAN_H

#include "firn/error.h"
#include "model/model.h"
#include "trunk/conv.h"

#define FIRN_MAX_STAGES 8

/**
 * Pixels of output maps that are worked on at once: one image at 56x56, two at 28x28, 32 at 7x7.
 * With twice as many, what a layer leaves to the next does not wait in the last level of cache.
 */
#define FIRN_STAGE_PIXELS 1568

/**
 * Consecutive blocks whose output maps have one size. The trunk goes depth-first: a stage collects
 * `images` of its inputs by running the stage before it, so that what passes between two layers is
 * still in cache. Sizes are in floats per image.
 */
struct firn_stage {
    int first, count; /**< blocks */
    int images;       /**< worked on at once, however large the batch is */
    size_t in, out;   /**< input and output map of the stage */
    size_t inner[2];  /**< largest map behind the first and second convolution of its blocks */
};

struct firn_plan {
    int crop, dim;
    int n_conv, n_block, n_stage;
    struct firn_conv_shape conv[FIRN_MAX_CONVS];
    struct firn_block block[FIRN_MAX_BLOCKS];
    struct firn_stage stage[FIRN_MAX_STAGES];
    int out_pixels; /**< of the last map */
};

/** Follows the maps through the network. FIRN_USAGE: the crop is too large or too small. */
int firn_plan_build(struct firn_plan *plan, const struct firn_net *net, int crop,
                    struct firn_error *err);

/**
 * Chooses the algorithm of one layer: the first suited one of a list. As the constructors.
 * `small` changes how large weights are kept, not what is computed.
 */
int firn_plan_conv(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                   const float *weight, const float *bias, const struct firn_kernels *kernels,
                   bool small);

/** Folds BatchNorm into every convolution and packs it, on all cores. On failure op[] is NULL. */
int firn_plan_pack(struct firn_conv_op **op, const struct firn_plan *plan,
                   const struct firn_net *net, const struct firn_kernels *kernels, bool small,
                   struct firn_error *err);

#endif
