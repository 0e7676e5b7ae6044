/* SPDX-License-Identifier: MIT */
/** The ResNet family as data: what the trunk needs to know of a network. */
#ifndef FIRN_SRC_MODEL_MODEL_H
#define FIRN_SRC_MODEL_MODEL_H

#include "firn/fingerprint.h"
#include "firn/model.h"

#define FIRN_BN_EPS 1e-5
#define FIRN_MAX_CONVS 160 /* resnet152 has 155 with its downsamples */
#define FIRN_MAX_BLOCKS 64 /* resnet152 has 50 */

/** One convolution and the BatchNorm behind it. Pointers live as long as the model. */
struct firn_conv {
    struct firn_model_layer shape;
    const float *weight; /**< [cout][cin / groups][kernel][kernel], torch's OIHW */
    const float *gamma, *beta; /**< [cout] BatchNorm weight and bias; all NULL: none, and no ReLU */
    const float *mean, *var;   /**< [cout] running statistics */
};

/** A residual block: indices into conv[]; ReLU behind each but the last, the last after the sum. */
struct firn_block {
    int conv[3]; /**< conv1, conv2 (, conv3) */
    int n;       /**< 2 BasicBlock, 3 Bottleneck */
    int down;    /**< downsample.0, or -1 where the input itself is added */
};

/** The network: conv[0] (7x7, ReLU, 3x3 max-pool stride 2), the blocks in order, global average. */
struct firn_net {
    int n_conv, n_block;
    int dim; /**< channels at the end */
    struct firn_conv conv[FIRN_MAX_CONVS];
    struct firn_block block[FIRN_MAX_BLOCKS];
};

/**
 * As firn_model_open(), but the numbers may still be hashed when it returns: the two hashes of the
 * model and what is made of them have to wait for firn_model_settle(), and so has any change of
 * the numbers.
 */
int firn_model_begin(struct firn_model **out, const char *spec, struct firn_error *err);
void firn_model_settle(struct firn_model *model);

const struct firn_net *firn_model_net(const struct firn_model *model);

/**
 * Folds BatchNorm (frozen statistics), if there is one, into a convolution, in double, rounded
 * once:
 * w' = w * gamma / sqrt(var + eps), b' = beta - mean * gamma / sqrt(var + eps).
 * `weight` has room for the layer's weights in the same OIHW order, `bias` for cout.
 */
void firn_conv_fold(const struct firn_conv *conv, float *weight, float *bias);

/** Fills in the trunk and batchnorm parts ("family=resnet18 tensors=blake2b:..."). */
void firn_model_fingerprint(const struct firn_model *model, struct firn_fingerprint *fp);

#endif
