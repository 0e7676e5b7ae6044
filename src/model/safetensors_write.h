/* SPDX-License-Identifier: MIT */
/** Writing a .safetensors file, whole or not at all. */
#ifndef FIRN_SRC_MODEL_SAFETENSORS_WRITE_H
#define FIRN_SRC_MODEL_SAFETENSORS_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"
#include "model/weights.h"

/** A tensor to write, dense and in C order. */
struct firn_tensor_out {
    const char *name;
    enum firn_dtype dtype;
    int ndim;
    int64_t shape[4];
    const void *data;
};

/** An entry of __metadata__. */
struct firn_pair {
    const char *key, *value;
};

/**
 * Writes `path` as firn/output.h does. Tensors with 8-byte numbers should come first, so that all
 * are aligned. FIRN_CANTCREATE, FIRN_IO; then nothing is left behind.
 */
int firn_safetensors_write(const char *path, const struct firn_pair *pair, size_t n_pair,
                           const struct firn_tensor_out *tensor, size_t n, struct firn_error *err);

#endif
