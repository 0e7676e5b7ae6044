/* SPDX-License-Identifier: MIT */
/** Tensors in a weight file: whether they lie in their storage, and their numbers as float32. */
#ifndef FIRN_SRC_MODEL_TENSORS_H
#define FIRN_SRC_MODEL_TENSORS_H

#include "model/weights.h"

/**
 * Refuses a tensor that reaches outside its storage or whose size overflows; `tensor->storage` is
 * valid. Every reader calls this for each tensor before it shows it to anyone.
 */
int firn_tensor_check(const struct firn_weights *weights, const struct firn_tensor *tensor,
                      struct firn_error *err);

/** How many numbers it has; fits, since firn_tensor_check() has been through. */
size_t firn_tensor_count(const struct firn_tensor *tensor);

/** "[64, 3, 7, 7]" into `text`; returns `text`. */
const char *firn_shape_text(int ndim, const int64_t *shape, char *text, size_t room);

/**
 * Reads the tensor as contiguous float32 into `out`, which has room for firn_tensor_count()
 * numbers: the caller has compared the shape with what it expects, so that no file decides how
 * much that is.
 * Float types only. Verifies the storage's checksum the first time that it is used.
 */
int firn_tensor_read(struct firn_weights *weights, const struct firn_tensor *tensor, float *out,
                     struct firn_error *err);

#endif
