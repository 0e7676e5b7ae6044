/* SPDX-License-Identifier: MIT */
/** Reads the part of Python's pickle format that weight files need, and executes nothing. */
#ifndef FIRN_SRC_MODEL_PICKLE_H
#define FIRN_SRC_MODEL_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"
#include "model/pool.h"
#include "model/weights.h"

/** What a pickle may build. Everything else is refused while it is read. */
enum firn_kind {
    FIRN_NONE,
    FIRN_TRUTH,   /**< integer is 0 or 1 */
    FIRN_INTEGER,
    FIRN_LONG,    /**< an integer beyond 64 bits: `text` has its bytes, little-endian */
    FIRN_FLOAT,
    FIRN_TEXT,    /**< terminated too; may hold zero bytes */
    FIRN_TUPLE,
    FIRN_LIST,
    FIRN_DICT,    /**< item: key, value, key, value, ... in the order of insertion */
    FIRN_GLOBAL,  /**< integer indexes the allow-list */
    FIRN_STORAGE, /**< a torch storage, known by its key */
    FIRN_VIEW     /**< a torch tensor; a Parameter before its BUILD may have none yet */
};

struct firn_value;

/** What a persistent id says of a storage: where its bytes are is the container's business. */
struct firn_pickled_storage {
    const char *key; /**< terminated, without zero bytes */
    enum firn_dtype dtype;
    int64_t count;   /**< numbers in it */
    int64_t offset;  /**< legacy files: of a storage that is a part of another, where it begins */
    const struct firn_pickled_storage *next; /**< the one that was read before it */
};

/** A tensor; shape and stride as the pickle has them, not yet compared with the storage. */
struct firn_pickled_tensor {
    const struct firn_pickled_storage *storage;
    int64_t offset;
    int ndim;
    int64_t shape[FIRN_MAX_NDIM], stride[FIRN_MAX_NDIM];
};

struct firn_value {
    enum firn_kind kind;
    bool object; /**< an OrderedDict or a Parameter, which BUILD may give attributes */
    union {
        int64_t integer;
        double number;
        struct {
            const char *bytes;
            size_t size;
        } text;
        struct {
            const struct firn_value **item;
            size_t n, room;
        } list; /**< tuples, lists, dicts */
        struct firn_pickled_storage *storage;
        struct firn_pickled_tensor *tensor;
    };
};

/**
 * Files in the tar form name their tensors by number, written as text, and were written by Pythons
 * and torches that need a little more of the format: with one of these, INT, NEWOBJ of a Parameter
 * and the names of tensor types are read, and `find` says which tensor a number is (NULL: none).
 */
struct firn_pickle_ids {
    struct firn_pickled_tensor *(*find)(void *context, const struct firn_value *id);
    void *context;
};

/** One pickle; everything in it lives in the pool. */
struct firn_pickle {
    const struct firn_value *root;
    const struct firn_pickled_storage *storage; /**< all that it names, the last one first */
    size_t size;                                /**< bytes, up to and with STOP */
};

/**
 * Reads one pickle from the start of the `n` bytes. `ids` is NULL but for the tar form; `where`
 * begins every message. FIRN_DATA, with
 * the opcode or the global by name, for anything outside the allow-lists, anything inconsistent
 * and anything beyond the limits in pickle.c. Values can be shared and can contain themselves:
 * whoever walks them bounds the depth.
 */
int firn_pickle_read(struct firn_pickle *pickle, const uint8_t *bytes, size_t n,
                     struct firn_pool *pool, const struct firn_pickle_ids *ids, const char *where,
                     struct firn_error *err);

/** True when `value` is text equal to `text`. */
bool firn_value_is(const struct firn_value *value, const char *text);

/** What `key` stands for in a dict; NULL when it is not there, or `dict` is none. */
const struct firn_value *firn_value_get(const struct firn_value *dict, const char *key);

/** True, and its dtype, when `value` is a global that names a type of storage. */
bool firn_pickle_dtype(const struct firn_value *value, enum firn_dtype *dtype);

/* Between pickle.c, which knows Python, pickle_torch.c, which knows torch, and their helpers. */

/** What an instruction is called, also one that is refused; NULL when Python has none such. */
const char *firn_pickle_opcode(uint8_t opcode);

/** Index of a global in the allow-list, -1 when it may not be named; `tar` adds tensor types. */
int firn_pickle_global(const char *module, const char *name, bool tar);

/** What REDUCE does: the value of global(*args), where it may be called so. */
int firn_pickle_call(int64_t global, struct firn_value *args, struct firn_pool *pool,
                     struct firn_value **out, struct firn_error *err);

/** What NEWOBJ does, in the tar form: an empty Parameter, which BUILD fills. */
int firn_pickle_new(int64_t global, const struct firn_value *args, struct firn_pool *pool,
                    struct firn_value **out, struct firn_error *err);

/** What BUILD does: an OrderedDict's attributes are dropped, a Parameter may get its tensor. */
int firn_pickle_build(struct firn_value *object, const struct firn_value *state, bool tar,
                      struct firn_error *err);

/** What BINPERSID does, but for the tar form. */
int firn_pickle_persistent(const struct firn_value *id, struct firn_pool *pool,
                           struct firn_value **out, struct firn_error *err);

/* A new value, NULL when the pool is used up; appending to a tuple, list or dict, 0 or -1. */
struct firn_value *firn_value_new(struct firn_pool *pool, enum firn_kind kind);
int firn_value_append(struct firn_value *list, const struct firn_value *item,
                      struct firn_pool *pool);

#endif
