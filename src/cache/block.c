/* SPDX-License-Identifier: MIT */
#include "cache/block.h"

#include <math.h>

#include "base/hash.h"
#include "cache/shuffle.h"

/* Where the fields of a header are. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_TYPE = 5,
    AT_STORE = 6,
    AT_ZERO = 7,
    AT_CACHE = 8,
    AT_SEGMENT = 16,
    AT_SEQUENCE = 24,
    AT_COUNT = 28,
    AT_STORED = 32,
    AT_RAW = 36,
    AT_WIDTH = 40,
    AT_ZERO4 = 44,
    AT_PAYLOAD_SUM = 48,
    AT_HEADER_SUM = 56
};
_Static_assert(AT_HEADER_SUM + 8 == FIRN_HEADER, "the header checksum ends the header");

/* A plane is stored compressed when that saves at least this part of it: decoding costs about
 * 2 ns a byte, which the last percent is not worth. Leaving zeros out costs less. */
enum { PLANE_GAIN = 32, ZERO_GAIN = 256, PAYLOAD_GAIN = 8 };

/* In the length of a plane: the bytes of zeros are left out. */
#define SPARSE 0x80000000u

void firn_header_encode(const struct firn_block *b, uint8_t bytes[FIRN_HEADER])
{
    memset(bytes, 0, FIRN_HEADER);
    firn_put(bytes + AT_MAGIC, FIRN_MAGIC_BLOCK, 4);
    bytes[AT_VERSION] = FIRN_FORMAT;
    bytes[AT_TYPE] = b->type;
    bytes[AT_STORE] = b->store;
    firn_put(bytes + AT_CACHE, b->cache, 8);
    firn_put(bytes + AT_SEGMENT, b->segment, 8);
    firn_put(bytes + AT_SEQUENCE, b->sequence, 4);
    firn_put(bytes + AT_COUNT, b->count, 4);
    firn_put(bytes + AT_STORED, b->stored, 4);
    firn_put(bytes + AT_RAW, b->raw, 4);
    firn_put(bytes + AT_WIDTH, b->width, 4);
    firn_put(bytes + AT_PAYLOAD_SUM, b->payload_sum, 8);
    firn_put(bytes + AT_HEADER_SUM, firn_checksum(bytes, AT_HEADER_SUM), 8);
}

/* The bytes of a ROWS block when nothing is compressed: plane lengths, keys, values. */
static uint64_t rows_bytes(const struct firn_block *b)
{
    uint64_t planes = firn_store_bytes(b->store);
    return planes * 4 + (uint64_t)b->count * (FIRN_KEY + planes * b->width);
}

static bool lengths_make_sense(const struct firn_block *b)
{
    if (b->raw > FIRN_MAX_RAW || b->stored > b->raw)
        return false;
    if (b->type == FIRN_BLOCK_ROWS)
        return b->store <= FIRN_STORE_F16 && b->count > 0 && b->width > 0 &&
               b->width <= FIRN_MAX_DIM && b->raw == rows_bytes(b) &&
               b->stored >= 4 * firn_store_bytes(b->store) + (uint64_t)b->count * FIRN_KEY;
    return b->raw / FIRN_MAX_RATIO <= b->stored && b->store == 0 && b->width == 0;
}

enum firn_header_state firn_header_decode(const uint8_t bytes[FIRN_HEADER], struct firn_block *b)
{
    if (firn_get(bytes + AT_MAGIC, 4) != FIRN_MAGIC_BLOCK ||
        firn_get(bytes + AT_HEADER_SUM, 8) != firn_checksum(bytes, AT_HEADER_SUM))
        return FIRN_HEADER_BAD;
    if (bytes[AT_VERSION] > FIRN_FORMAT)
        return FIRN_HEADER_NEWER;
    *b = (struct firn_block){
        .type = bytes[AT_TYPE],
        .store = bytes[AT_STORE],
        .cache = firn_get(bytes + AT_CACHE, 8),
        .segment = firn_get(bytes + AT_SEGMENT, 8),
        .sequence = (uint32_t)firn_get(bytes + AT_SEQUENCE, 4),
        .count = (uint32_t)firn_get(bytes + AT_COUNT, 4),
        .stored = (uint32_t)firn_get(bytes + AT_STORED, 4),
        .raw = (uint32_t)firn_get(bytes + AT_RAW, 4),
        .width = (uint32_t)firn_get(bytes + AT_WIDTH, 4),
        .payload_sum = firn_get(bytes + AT_PAYLOAD_SUM, 8),
    };
    bool zeros = bytes[AT_ZERO] == 0 && firn_get(bytes + AT_ZERO4, 4) == 0;
    return bytes[AT_VERSION] == FIRN_FORMAT && zeros && lengths_make_sense(b) ? FIRN_HEADER_GOOD
                                                                              : FIRN_HEADER_BAD;
}

/* Completes the block whose header is at `start` and whose payload reaches to out->size. */
static void finish(struct firn_buffer *out, size_t start, struct firn_stamp *stamp,
                   struct firn_block *b)
{
    if (out->failed)
        return;
    b->cache = stamp->cache;
    b->segment = stamp->segment;
    b->sequence = stamp->sequence++;
    b->stored = (uint32_t)(out->size - start - FIRN_HEADER);
    b->payload_sum = firn_checksum(out->data + start + FIRN_HEADER, b->stored);
    firn_header_encode(b, out->data + start);
    firn_buffer_pad(out, FIRN_HEADER);
}

/* Room for a header and at least `size` bytes of payload; returns where the block starts. */
static size_t begin(struct firn_buffer *out, size_t size)
{
    size_t start = out->size;
    if (firn_buffer_room(out, FIRN_HEADER + size + FIRN_HEADER))
        out->size += FIRN_HEADER;
    return start;
}

bool firn_block_put_parts(struct firn_buffer *out, struct firn_codec *codec,
                          struct firn_stamp *stamp, uint8_t type, uint32_t count,
                          const void *payload, const size_t *part, size_t n_part)
{
    size_t size = 0;
    for (size_t k = 0; k < n_part; k++)
        size += part[k];
    struct firn_block b = {.type = type, .count = count, .raw = (uint32_t)size};
    size_t start = begin(out, size);
    if (out->failed)
        return true;
    size_t small = 0;
    if (codec)
        small = firn_squeeze_parts(codec, payload, size, part, n_part, out->data + out->size,
                                   size - size / PAYLOAD_GAIN);
    bool too_small = small > 0 && small < size / FIRN_MAX_RATIO;
    if (small > 0 && !too_small)
        out->size += small;
    else
        firn_buffer_add(out, payload, size);
    finish(out, start, stamp, &b);
    return !too_small;
}

void firn_block_put(struct firn_buffer *out, struct firn_codec *codec, struct firn_stamp *stamp,
                    uint8_t type, uint32_t count, const void *payload, size_t size)
{
    firn_block_put_parts(out, codec, stamp, type, count, payload, &size, 1);
}

void firn_block_put_rows(struct firn_buffer *out, struct firn_codec *codec,
                         struct firn_stamp *stamp, enum firn_store store, uint32_t width,
                         const uint8_t (*key)[FIRN_KEY], const float *values, uint32_t n)
{
    struct firn_block b = {
        .type = FIRN_BLOCK_ROWS, .store = (uint8_t)store, .count = n, .width = width};
    size_t plane_bytes = (size_t)n * width, planes = firn_store_bytes(store);
    b.raw = (uint32_t)rows_bytes(&b);
    uint8_t *plane = malloc(planes * plane_bytes);
    size_t start = begin(out, b.raw);
    if (!plane || out->failed) {
        out->failed = true;
        free(plane);
        return;
    }
    firn_split(values, plane_bytes, store, plane);
    size_t zeros = plane_bytes - firn_count_nonzero(plane + (planes - 1) * plane_bytes,
                                                    plane_bytes);
    size_t kept = plane_bytes;
    if (zeros > plane_bytes / ZERO_GAIN)
        kept = firn_drop_zeros(plane, plane_bytes, store);
    uint8_t *lengths = out->data + out->size;
    out->size += 4 * planes;
    firn_buffer_add(out, key, (size_t)n * FIRN_KEY);
    for (size_t k = 0; k < planes; k++) {
        const uint8_t *p = plane + k * plane_bytes;
        size_t size = k + 1 < planes ? kept : plane_bytes;
        size_t small = firn_squeeze_plane(codec, p, size, out->data + out->size,
                                          size - size / PLANE_GAIN);
        if (small > 0)
            out->size += small;
        else
            firn_buffer_add(out, p, size);
        firn_put(lengths + 4 * k, (small > 0 ? small : size) | (size < plane_bytes ? SPARSE : 0),
                 4);
    }
    free(plane);
    finish(out, start, stamp, &b);
}

void firn_block_put_stored(struct firn_buffer *out, struct firn_stamp *stamp,
                           const struct firn_block *block, const uint8_t *payload)
{
    struct firn_block b = *block;
    size_t start = begin(out, block->stored);
    firn_buffer_add(out, payload, block->stored);
    finish(out, start, stamp, &b);
}

int firn_block_get(struct firn_codec *codec, const struct firn_block *block,
                   const uint8_t *payload, uint8_t **raw)
{
    *raw = malloc(block->raw + 1u);
    if (!*raw)
        return -2;
    if (block->stored == block->raw)
        memcpy(*raw, payload, block->raw);
    else if (firn_expand(codec, payload, block->stored, *raw, block->raw) != 0) {
        free(*raw);
        *raw = NULL;
        return -1;
    }
    return 0;
}

static int room_for_rows(struct firn_rows *rows, size_t bytes, size_t count)
{
    if (rows->room < bytes) {
        free(rows->memory);
        rows->memory = malloc(bytes);
        rows->room = rows->memory ? bytes : 0;
    }
    if (rows->start_room < count) {
        free(rows->start);
        rows->start = malloc(count * sizeof *rows->start);
        rows->start_room = rows->start ? count : 0;
    }
    return rows->memory && rows->start ? 0 : -2;
}

/* Where the rows of sparse planes start; returns the bytes of such a plane. */
static size_t index_zeros(struct firn_rows *rows, const struct firn_block *b, const uint8_t *top)
{
    size_t at = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        rows->start[i] = (uint32_t)at;
        at += firn_count_nonzero(top + (size_t)i * b->width, b->width);
    }
    return at;
}

int firn_block_get_rows(struct firn_codec *codec, const struct firn_block *b,
                        const uint8_t *payload, struct firn_rows *rows)
{
    size_t planes = firn_store_bytes(b->store), n = (size_t)b->count * b->width, expect = n;
    const uint8_t *stored[FIRN_MAX_PLANES];
    struct firn_cursor c = {payload, b->stored, false};
    const uint8_t *lengths = firn_take(&c, 4 * planes);
    rows->key = firn_take(&c, (size_t)b->count * FIRN_KEY);
    if (c.bad)
        return -1;
    for (size_t k = 0; k < planes; k++)
        stored[k] = firn_take(&c, firn_get(lengths + 4 * k, 4) & ~SPARSE);
    if (c.bad || c.left > 0)
        return -1;
    if (room_for_rows(rows, planes * n, b->count) != 0)
        return -2;
    rows->sparse = (firn_get(lengths, 4) & SPARSE) != 0;
    /* The last plane first: it says how long the others are. */
    for (size_t k = planes; k-- > 0;) {
        size_t length = firn_get(lengths + 4 * k, 4);
        bool sparse = (length & SPARSE) != 0;
        length &= ~SPARSE;
        if (sparse != (rows->sparse && k + 1 < planes))
            return -1;
        if (rows->sparse && k + 2 == planes)
            expect = index_zeros(rows, b, rows->plane[planes - 1]);
        rows->plane[k] = stored[k];
        if (length == expect)
            continue;
        uint8_t *out = rows->memory + k * n;
        if (length > expect || firn_expand(codec, stored[k], length, out, expect) != 0)
            return -1;
        rows->plane[k] = out;
    }
    return 0;
}

void firn_rows_values(const struct firn_rows *rows, const struct firn_block *b, uint32_t row,
                      float *values)
{
    const uint8_t *at[FIRN_MAX_PLANES] = {NULL};
    size_t planes = firn_store_bytes(b->store), first = (size_t)row * b->width;
    for (size_t k = 0; k < planes; k++)
        at[k] = rows->plane[k] + (rows->sparse && k + 1 < planes ? rows->start[row] : first);
    if (rows->sparse)
        firn_join_sparse(at, b->width, b->store, values);
    else
        firn_join(at, b->width, b->store, values);
}

size_t firn_rows_fault(const float *value, size_t n, enum firn_store store)
{
    const float most = store == FIRN_STORE_F16 ? 65504.0f : INFINITY;
    size_t i = 0;
    while (i < n && value[i] >= 0 && value[i] < INFINITY && value[i] <= most)
        i++;
    return i;
}

void firn_rows_fini(struct firn_rows *rows)
{
    free(rows->memory);
    free(rows->start);
    memset(rows, 0, sizeof *rows);
}
