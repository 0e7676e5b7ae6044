/* SPDX-License-Identifier: MIT */
/**
 * safetensors: an 8-byte length N, N bytes of JSON, then the numbers. Strict as the reference is:
 * every byte behind the header belongs to exactly one tensor, in one order, and no key repeats.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_read.h"
#include "model/le.h"
#include "model/tensors.h"

#define MAX_HEADER 100000000u /* the reference's own limit */

struct header {
    struct firn_weights *weights;
    struct firn_error *err;
    struct firn_json_reader json;
    size_t room;    /* for tensors and storages */
    uint64_t start; /* of the numbers, in the file */
};

static int refuse(struct header *h, const char *what, const char *reason)
{
    char name[120];
    firn_printable(what, strlen(what), name, sizeof name);
    return firn_fail(h->err, FIRN_DATA, "%s: safetensors header: %s%s%s", h->weights->file.path,
                     name, *name ? ": " : "", reason);
}

static int refuse_json(struct header *h)
{
    return firn_fail(h->err, FIRN_DATA, "%s: safetensors header: byte %zu: %s",
                     h->weights->file.path, h->json.at,
                     h->json.problem ? h->json.problem : "another value is expected here");
}

static const char *const names[FIRN_DTYPES] = {
    [FIRN_F32] = "F32", [FIRN_F64] = "F64", [FIRN_F16] = "F16", [FIRN_BF16] = "BF16",
    [FIRN_I64] = "I64", [FIRN_I32] = "I32", [FIRN_I16] = "I16", [FIRN_I8] = "I8",
    [FIRN_U8] = "U8",   [FIRN_BOOL] = "BOOL",
};

const char *firn_safetensors_dtype(enum firn_dtype dtype)
{
    return names[dtype];
}

/** "F32", ...; FIRN_DTYPES for what firn does not know. */
static enum firn_dtype parse_dtype(const char *text)
{
    for (int i = 0; i < FIRN_DTYPES; i++)
        if (strcmp(names[i], text) == 0)
            return (enum firn_dtype)i;
    return FIRN_DTYPES;
}

/** An array of at most `room` whole numbers; returns how many, or a failure. */
static int read_numbers(struct header *h, const char *name, uint64_t *out, int room)
{
    if (firn_json_next(&h->json) != FIRN_JSON_ARRAY)
        return refuse_json(h);
    for (int n = 0;; n++) {
        enum firn_json_token token = firn_json_next(&h->json);
        if (token == FIRN_JSON_END_ARRAY)
            return n;
        if (token != FIRN_JSON_NUMBER)
            return refuse_json(h);
        if (n == room)
            return refuse(h, name, "an array is too long");
        if (!firn_json_uint(&h->json, &out[n]) || out[n] > INT64_MAX)
            return refuse(h, name, "a number is not a whole number below 2^63");
    }
}

/** Turns the shape into C-order strides and compares its product with the size in bytes. */
static int lay_out(struct header *h, struct firn_tensor *t, uint64_t size)
{
    uint64_t count = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        t->stride[i] = (int64_t)count;
        if (__builtin_mul_overflow(count, (uint64_t)t->shape[i], &count) || count > INT64_MAX)
            return refuse(h, t->name, "its size overflows");
    }
    if (__builtin_mul_overflow(count, firn_dtype_size(t->dtype), &count) || count != size)
        return refuse(h, t->name, "its offsets do not fit its shape");
    return 0;
}

static int add_tensor(struct header *h, struct firn_tensor *t, const uint64_t offsets[2])
{
    struct firn_weights *w = h->weights;
    uint64_t room = w->file.size - h->start;
    if (offsets[0] > offsets[1] || offsets[1] > room)
        return refuse(h, t->name, "its offsets lie outside the file");
    int rc = lay_out(h, t, offsets[1] - offsets[0]);
    if (rc)
        return rc;
    if (w->n_tensor == h->room)
        return refuse(h, t->name, "too many tensors");
    t->storage = w->n_storage;
    w->storage[w->n_storage++] = (struct firn_storage){
        .pos = h->start + offsets[0], .size = offsets[1] - offsets[0]};
    w->tensor[w->n_tensor++] = *t;
    return firn_tensor_check(w, t, h->err);
}

/** {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]} in any order, each once. */
static int read_tensor(struct header *h, const char *name)
{
    struct firn_tensor t = {.name = name};
    uint64_t shape[FIRN_MAX_NDIM], offsets[2];
    unsigned seen = 0;
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4 };
    enum firn_json_token token;
    while ((token = firn_json_next(&h->json)) == FIRN_JSON_KEY) {
        unsigned key = strcmp(h->json.text, "dtype") == 0   ? DTYPE
                       : strcmp(h->json.text, "shape") == 0 ? SHAPE
                       : strcmp(h->json.text, "data_offsets") == 0 ? OFFSETS : 0;
        if (key == 0 || seen & key)
            return refuse(h, name, key ? "a key occurs twice" : "a key that is not in the format");
        seen |= key;
        if (key == DTYPE) {
            if (firn_json_next(&h->json) != FIRN_JSON_STRING)
                return refuse_json(h);
            t.dtype = parse_dtype(h->json.text);
            if (t.dtype == FIRN_DTYPES)
                return refuse(h, name, "a dtype that firn does not read");
        } else if (key == SHAPE) {
            t.ndim = read_numbers(h, name, shape, FIRN_MAX_NDIM);
            if (t.ndim < 0)
                return t.ndim;
        } else {
            int n = read_numbers(h, name, offsets, 2);
            if (n != 2)
                return n < 0 ? n : refuse(h, name, "data_offsets are not two");
        }
    }
    if (token != FIRN_JSON_END_OBJECT)
        return refuse_json(h);
    if (seen != (DTYPE | SHAPE | OFFSETS))
        return refuse(h, name, "dtype, shape or data_offsets is missing");
    for (int i = 0; i < t.ndim; i++)
        t.shape[i] = (int64_t)shape[i];
    return add_tensor(h, &t, offsets);
}

/** "__metadata__": strings only, of which the first FIRN_MAX_META are kept. */
static int read_metadata(struct header *h)
{
    struct firn_weights *w = h->weights;
    enum firn_json_token token;
    if (firn_json_next(&h->json) != FIRN_JSON_OBJECT)
        return refuse_json(h);
    while ((token = firn_json_next(&h->json)) == FIRN_JSON_KEY) {
        const char *key = h->json.text;
        if (firn_json_next(&h->json) != FIRN_JSON_STRING)
            return refuse(h, "__metadata__", "a value is not a string");
        if (w->n_meta < FIRN_MAX_META)
            w->meta[w->n_meta++] = (struct firn_meta){key, h->json.text};
    }
    return token == FIRN_JSON_END_OBJECT ? 0 : refuse_json(h);
}

static int read_header(struct header *h)
{
    bool metadata = false;
    enum firn_json_token token;
    if (firn_json_next(&h->json) != FIRN_JSON_OBJECT)
        return refuse_json(h);
    while ((token = firn_json_next(&h->json)) == FIRN_JSON_KEY) {
        const char *name = h->json.text;
        int rc;
        if (memchr(name, 0, h->json.size))
            return refuse(h, name, "a name with zero bytes");
        if (strcmp(name, "__metadata__") == 0) {
            rc = metadata ? refuse(h, name, "occurs twice") : read_metadata(h);
            metadata = true;
        } else {
            rc = firn_json_next(&h->json) == FIRN_JSON_OBJECT ? read_tensor(h, name)
                                                              : refuse_json(h);
        }
        if (rc)
            return rc;
    }
    if (token != FIRN_JSON_END_OBJECT || firn_json_next(&h->json) != FIRN_JSON_END)
        return refuse_json(h);
    return 0;
}

static int by_position(const void *a, const void *b)
{
    const struct firn_storage *x = a, *y = b;
    if (x->pos != y->pos)
        return x->pos < y->pos ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size);
}

/** No holes, no overlaps, nothing behind: what the reference demands. */
static int check_cover(struct header *h)
{
    struct firn_weights *w = h->weights;
    struct firn_storage *sorted = malloc((w->n_storage + 1) * sizeof *sorted);
    if (!sorted)
        return firn_fail_nomem(h->err, "the list of storages");
    if (w->n_storage)
        memcpy(sorted, w->storage, w->n_storage * sizeof *sorted);
    qsort(sorted, w->n_storage, sizeof *sorted, by_position);
    uint64_t end = h->start;
    const char *reason = NULL;
    for (size_t i = 0; i < w->n_storage && !reason; i++) {
        if (sorted[i].pos != end)
            reason = sorted[i].pos < end ? "two tensors overlap" : "a hole between two tensors";
        end = sorted[i].pos + sorted[i].size;
    }
    free(sorted);
    if (!reason && end != w->file.size)
        reason = "bytes behind the last tensor";
    return reason ? refuse(h, "", reason) : 0;
}

int firn_read_safetensors(struct firn_weights *w, struct firn_error *err)
{
    uint8_t field[8];
    w->format = "safetensors";
    int rc = firn_weight_file_read(&w->file, 0, field, sizeof field, err);
    if (rc)
        return rc;
    uint64_t n = firn_le64(field);
    if (n > MAX_HEADER || n > w->file.size - sizeof field)
        return firn_fail(err, FIRN_DATA, "%s: truncated, or not a safetensors file: a header of "
                         "%llu bytes", w->file.path, (unsigned long long)n);
    struct header h = {.weights = w, .err = err, .start = sizeof field + n};
    /* A tensor takes at least `"":{"dtype":"U8","shape":[],"data_offsets":[0,0]},` of header. */
    h.room = (size_t)n / 50 + 1;
    w->pool.limit = (size_t)n + h.room * (sizeof *w->tensor + sizeof *w->storage) + (1 << 20);
    char *bytes = firn_pool_alloc(&w->pool, (size_t)n + 1); /* names stay in it */
    w->tensor = firn_pool_alloc(&w->pool, h.room * sizeof *w->tensor);
    w->storage = firn_pool_alloc(&w->pool, h.room * sizeof *w->storage);
    if (!bytes || !w->tensor || !w->storage)
        return firn_fail_nomem(err, "the safetensors header");
    rc = firn_weight_file_read(&w->file, sizeof field, bytes, (size_t)n, err);
    if (rc)
        return rc;
    firn_json_begin(&h.json, bytes, (size_t)n);
    rc = read_header(&h);
    return rc ? rc : check_cover(&h);
}
