/* SPDX-License-Identifier: MIT */
/** Weight files: what is in them, and which ResNet it is. */
#ifndef FIRN_MODEL_H
#define FIRN_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "firn/error.h"

/** A loaded network: trunk weights and BatchNorm parameters as float32. Immutable, shareable. */
struct firn_model;

/** What a weight file is; strings live as long as the model. */
struct firn_model_info {
    const char *spec;       /**< what the caller asked for */
    const char *path;       /**< the file, or NULL for untrained weights */
    const char *format;     /**< "torch-zip", "torch-legacy", "torch-tar", "safetensors" or
                                 "untrained" */
    const char *family;     /**< torchvision's name: "resnet18", "resnext50_32x4d", ... */
    const char *preset;     /**< "IMAGENET1K_V1" or "IMAGENET1K_V2", by file name; V1 if unknown */
    int resize;             /**< the preset's shorter side, pixels */
    int crop;               /**< the preset's crop, pixels */
    int dim;                /**< length of a feature */
    int convolutions;       /**< convolutions of the trunk */
    int batchnorms;         /**< BatchNorm layers of the trunk */
    size_t tensors;         /**< tensors in the file, fc and others included */
    size_t parameters;      /**< numbers in the trunk's convolutions and BatchNorms */
    size_t ignored;         /**< tensors that belong to no part of the family (fc is known) */
    bool has_fc;            /**< the file has the last layer */
    int classes;            /**< rows of fc, 0 without */
    bool untrained;         /**< seeded random weights: good for trying, not for use */
    bool zero_tracked;      /**< num_batches_tracked missing (old files) */
    char trunk_hash[65];    /**< BLAKE2b-256 of names, shapes and float32 contents, without
                                 BatchNorm statistics */
    char batchnorm_hash[65]; /**< the same over running_mean and running_var */
};

/**
 * Loads `spec`: a path to .pth, .pt or .safetensors; a name ("resnet18", "resnet50.v2") looked for
 * in $TORCH_HOME/hub/checkpoints, ~/.cache/torch/hub/checkpoints, then $XDG_CACHE_HOME/firn/models;
 * or "untrained:FAMILY[:SEED]". On success *out is the caller's, to be closed; on failure *out is
 * NULL: FIRN_USAGE (no such family, seed or version), FIRN_NOINPUT (nothing there), FIRN_DATA
 * (refused, with the reason), FIRN_IO, FIRN_NOMEM. Nothing in a file is ever executed.
 */
int firn_model_open(struct firn_model **out, const char *spec, struct firn_error *err);
void firn_model_close(struct firn_model *model);

/** The facts; lives as long as the model. */
const struct firn_model_info *firn_model_info(const struct firn_model *model);

/** The i-th convolution of the trunk in torchvision's order, for listings. */
struct firn_model_layer {
    const char *name;    /**< "layer1.0.conv1" */
    const char *bn_name; /**< "layer1.0.bn1" */
    int cin, cout, kernel, stride, pad, groups;
};
void firn_model_layer(const struct firn_model *model, int i, struct firn_model_layer *layer);

#endif
