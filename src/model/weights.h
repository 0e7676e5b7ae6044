/* SPDX-License-Identifier: MIT */
/** An open weight file as a list of tensors, whatever its format; numbers are read on demand. */
#ifndef FIRN_SRC_MODEL_WEIGHTS_H
#define FIRN_SRC_MODEL_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/pool.h"
#include "model/weight_file.h"

#define FIRN_MAX_NDIM 8 /* a convolution has 4 */

/** What a number is stored as. */
enum firn_dtype {
    FIRN_F32,
    FIRN_F64,
    FIRN_F16,
    FIRN_BF16,
    FIRN_I64,
    FIRN_I32,
    FIRN_I16,
    FIRN_I8,
    FIRN_U8,
    FIRN_BOOL,
    FIRN_DTYPES
};

/** Bytes of one number. */
size_t firn_dtype_size(enum firn_dtype dtype);

/** "float32", ... */
const char *firn_dtype_name(enum firn_dtype dtype);

/** A run of bytes in the file that tensors look into; little-endian. */
struct firn_storage {
    uint64_t pos;   /**< in the file */
    uint64_t size;  /**< bytes; pos + size lies within the file */
    uint32_t crc;   /**< CRC-32, when `has_crc` */
    bool has_crc;
    bool checked;   /**< the CRC was compared */
};

/** A strided view of a storage; firn_tensor_check() has been through. */
struct firn_tensor {
    const char *name;
    enum firn_dtype dtype;
    int ndim;
    int64_t shape[FIRN_MAX_NDIM];
    int64_t stride[FIRN_MAX_NDIM]; /**< in numbers */
    int64_t offset;                /**< of the first, in numbers */
    size_t storage;                /**< index */
};

/** An entry of a safetensors file's __metadata__; both strings are the file's, and terminated. */
struct firn_meta {
    const char *key, *value;
};
#define FIRN_MAX_META 32

/** Zero-initialise but for `file`. Names live in the pool. */
struct firn_weights {
    struct firn_weight_file file;
    const char *format;           /**< as in struct firn_model_info */
    struct firn_pool pool;
    struct firn_storage *storage; /**< in the pool */
    size_t n_storage;
    struct firn_tensor *tensor;   /**< in the pool; sorted by name once all readers are done */
    size_t n_tensor;
    struct firn_meta meta[FIRN_MAX_META];
    size_t n_meta;
};

/**
 * Opens `path`, finds out its format and lists its tensors. On failure nothing is open. FIRN_DATA
 * for anything that is not exactly one of the formats, with the reason.
 */
int firn_weights_open(struct firn_weights *weights, const char *path, struct firn_error *err);
void firn_weights_close(struct firn_weights *weights);

/** The tensor called `name`, NULL if there is none. */
const struct firn_tensor *firn_weights_find(const struct firn_weights *weights, const char *name);

/** The value of a metadata key, "" when there is none. */
const char *firn_weights_meta(const struct firn_weights *weights, const char *key);

/** The format's word for a type: "F32", ... */
const char *firn_safetensors_dtype(enum firn_dtype dtype);

/**
 * The readers of the formats: each fills in storages and tensors of an open file. They leave
 * everything to firn_weights_close() on failure.
 */
int firn_read_torch_zip(struct firn_weights *weights, struct firn_error *err);
int firn_read_torch_legacy(struct firn_weights *weights, struct firn_error *err);
int firn_read_torch_tar(struct firn_weights *weights, struct firn_error *err);
int firn_read_safetensors(struct firn_weights *weights, struct firn_error *err);

#endif
