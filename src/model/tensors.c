/* SPDX-License-Identifier: MIT */
#include "model/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/crc32.h"

#define CHUNK ((size_t)256 << 10) /* stays in L2 between reading, checksum and conversion */
#define BUFFER ((size_t)16 << 10) /* on the stack */

static const struct {
    const char *name;
    size_t size;
} dtypes[FIRN_DTYPES] = {
    [FIRN_F32] = {"float32", 4}, [FIRN_F64] = {"float64", 8},   [FIRN_F16] = {"float16", 2},
    [FIRN_BF16] = {"bfloat16", 2}, [FIRN_I64] = {"int64", 8},   [FIRN_I32] = {"int32", 4},
    [FIRN_I16] = {"int16", 2},   [FIRN_I8] = {"int8", 1},       [FIRN_U8] = {"uint8", 1},
    [FIRN_BOOL] = {"bool", 1},
};

size_t firn_dtype_size(enum firn_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *firn_dtype_name(enum firn_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t firn_tensor_count(const struct firn_tensor *t)
{
    size_t count = 1;
    for (int i = 0; i < t->ndim; i++)
        count *= (size_t)t->shape[i];
    return count;
}

const char *firn_shape_text(int ndim, const int64_t *shape, char *text, size_t room)
{
    size_t n = (size_t)snprintf(text, room, "[");
    for (int i = 0; i < ndim && n < room; i++)
        n += (size_t)snprintf(text + n, room - n, i ? ", %lld" : "%lld", (long long)shape[i]);
    if (n < room)
        snprintf(text + n, room - n, "]");
    return text;
}

/** Index behind the tensor's last number, 0 if it has none; -1 on overflow. */
static int64_t reach(const struct firn_tensor *t)
{
    int64_t last = t->offset, count = 1;
    for (int i = 0; i < t->ndim; i++)
        if (__builtin_mul_overflow(count, t->shape[i], &count))
            return -1;
    if (count == 0)
        return 0;
    for (int i = 0; i < t->ndim; i++) {
        int64_t step;
        if (__builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return -1;
    }
    return last == INT64_MAX ? -1 : last + 1;
}

static int refuse(const struct firn_weights *w, const struct firn_tensor *t, const char *reason,
                  struct firn_error *err)
{
    char name[120], shape[160];
    return firn_fail(err, FIRN_DATA, "%s: tensor %s %s %s", w->file.path,
                     firn_printable(t->name, strlen(t->name), name, sizeof name),
                     firn_shape_text(t->ndim, t->shape, shape, sizeof shape), reason);
}

int firn_tensor_check(const struct firn_weights *w, const struct firn_tensor *t,
                      struct firn_error *err)
{
    for (int i = 0; i < t->ndim; i++)
        if (t->shape[i] < 0 || t->stride[i] < 0)
            return refuse(w, t, "has a negative size or stride", err);
    int64_t end = t->offset < 0 ? -1 : reach(t);
    if (end < 0)
        return refuse(w, t, "has a size that overflows", err);
    if ((uint64_t)end > w->storage[t->storage].size / firn_dtype_size(t->dtype))
        return refuse(w, t, "reaches outside its storage", err);
    return 0;
}

/** True when the numbers lie one after the other in C order. */
static bool is_contiguous(const struct firn_tensor *t)
{
    int64_t expected = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != expected)
            return false;
        expected *= t->shape[i];
    }
    return true;
}

/** IEEE binary16, exactly; scaled by 2^112 as a float, which also makes subnormals come right. */
static float from_half(uint16_t half)
{
    uint32_t bits = (uint32_t)(half & 0x7FFF) << 13;
    float value;
    if ((half & 0x7C00) == 0x7C00)
        bits |= 0x7F800000; /* infinity, NaN */
    memcpy(&value, &bits, sizeof value);
    if ((half & 0x7C00) != 0x7C00)
        value *= 0x1p112f;
    return half & 0x8000 ? -value : value;
}

/** `n` numbers of `dtype` at `bytes` (any alignment) as float32. */
static void convert(enum firn_dtype dtype, const uint8_t *bytes, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t bits;
        double number;
        switch (dtype) {
        case FIRN_F16:
            memcpy(&half, bytes + 2 * i, 2);
            out[i] = from_half(half);
            break;
        case FIRN_BF16: /* the upper half of a float */
            memcpy(&half, bytes + 2 * i, 2);
            bits = (uint32_t)half << 16;
            memcpy(&out[i], &bits, 4);
            break;
        case FIRN_F64:
            memcpy(&number, bytes + 8 * i, 8);
            out[i] = (float)number;
            break;
        default:
            memcpy(&out[i], bytes + 4 * i, 4);
        }
    }
}

/** Compares the checksum of all of a storage with the file's word on it. */
static int check_crc(const struct firn_weights *w, struct firn_storage *s, uint32_t crc,
                     struct firn_error *err)
{
    s->checked = true;
    if (!s->has_crc || crc == s->crc)
        return 0;
    return firn_fail(err, FIRN_DATA, "%s: damaged: the checksum of the %llu bytes at %llu is %08x "
                     "and not %08x; download or copy the file again", w->file.path,
                     (unsigned long long)s->size, (unsigned long long)s->pos, crc, s->crc);
}

/**
 * Reads `count` numbers, beginning with number `first` of the storage, as float32. A run that is
 * the whole storage pays for its checksum on the way.
 */
static int read_run(struct firn_weights *w, struct firn_storage *s, enum firn_dtype dtype,
                    uint64_t first, size_t count, float *out, struct firn_error *err)
{
    uint8_t buffer[BUFFER];
    size_t size = firn_dtype_size(dtype);
    bool direct = dtype == FIRN_F32;
    size_t step = (direct ? CHUNK : sizeof buffer) / size;
    uint32_t crc = 0;
    for (size_t done = 0; done < count; done += step) {
        size_t n = count - done < step ? count - done : step;
        void *bytes = direct ? (void *)(out + done) : buffer;
        int rc = firn_weight_file_read(&w->file, s->pos + (first + done) * size, bytes, n * size,
                                       err);
        if (rc)
            return rc;
        if (!s->checked && s->has_crc)
            crc = firn_crc32(crc, bytes, n * size);
        if (!direct)
            convert(dtype, buffer, n, out + done);
    }
    return s->checked ? 0 : check_crc(w, s, crc, err);
}

/** Verifies a storage of which only parts will be read. */
static int check_storage(struct firn_weights *w, struct firn_storage *s, struct firn_error *err)
{
    uint8_t buffer[BUFFER];
    uint32_t crc = 0;
    for (uint64_t done = 0; s->has_crc && done < s->size; done += sizeof buffer) {
        size_t n = s->size - done < sizeof buffer ? (size_t)(s->size - done) : sizeof buffer;
        int rc = firn_weight_file_read(&w->file, s->pos + done, buffer, n, err);
        if (rc)
            return rc;
        crc = firn_crc32(crc, buffer, n);
    }
    return check_crc(w, s, crc, err);
}

/** Copies a view out of `span`, the numbers of the storage from its first to its last. */
static void gather(const struct firn_tensor *t, const float *span, float *out)
{
    int64_t index[FIRN_MAX_NDIM] = {0}, row = 0;
    int inner = t->ndim - 1, d;
    do {
        for (int64_t i = 0; i < t->shape[inner]; i++)
            *out++ = span[row + i * t->stride[inner]];
        for (d = inner - 1; d >= 0; d--) { /* the next row: counts like an odometer */
            if (++index[d] < t->shape[d]) {
                row += t->stride[d];
                break;
            }
            row -= t->stride[d] * (t->shape[d] - 1);
            index[d] = 0;
        }
    } while (d >= 0);
}

/** A view that is not contiguous: reads what it spans, then picks. */
static int read_view(struct firn_weights *w, const struct firn_tensor *t, float *out,
                     struct firn_error *err)
{
    /* A few numbers spread over a gigabyte would cost a gigabyte: no network has such weights. */
    const size_t slack = 8, least = 65536;
    size_t count = firn_tensor_count(t), span = (size_t)(reach(t) - t->offset);
    if (span > slack * count && span > least)
        return refuse(w, t, "is a view with gaps; save a copy of it (.clone())", err);
    float *numbers = malloc(span * sizeof *numbers);
    if (!numbers)
        return firn_fail_nomem(err, "a tensor's view");
    int rc = read_run(w, &w->storage[t->storage], t->dtype, (uint64_t)t->offset, span, numbers,
                      err);
    if (rc == 0)
        gather(t, numbers, out);
    free(numbers);
    return rc;
}

int firn_tensor_read(struct firn_weights *w, const struct firn_tensor *t, float *out,
                     struct firn_error *err)
{
    if (t->dtype > FIRN_BF16) {
        char reason[80];
        snprintf(reason, sizeof reason, "is %s, and not floating point",
                 firn_dtype_name(t->dtype));
        return refuse(w, t, reason, err);
    }
    size_t count = firn_tensor_count(t);
    if (count == 0)
        return 0;
    struct firn_storage *s = &w->storage[t->storage];
    bool contiguous = is_contiguous(t);
    bool whole = contiguous && count * firn_dtype_size(t->dtype) == s->size;
    int rc = whole || s->checked ? 0 : check_storage(w, s, err);
    if (rc)
        return rc;
    if (contiguous)
        return read_run(w, s, t->dtype, (uint64_t)t->offset, count, out, err);
    return read_view(w, t, out, err);
}
