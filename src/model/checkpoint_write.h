/* SPDX-License-Identifier: MIT */
/** A model as a checkpoint. */
#ifndef FIRN_SRC_MODEL_CHECKPOINT_WRITE_H
#define FIRN_SRC_MODEL_CHECKPOINT_WRITE_H

#include "model/model.h"

/**
 * Writes the trunk of `model` as it is now, and fc of the file that it came from, as a .safetensors
 * of float32 under torchvision's names, which torch loads with load_state_dict(). `words` say in
 * its metadata where its BatchNorm statistics come from.
 */
int firn_checkpoint_write(const struct firn_model *model, const char *words, const char *path,
                          struct firn_error *err);

#endif
