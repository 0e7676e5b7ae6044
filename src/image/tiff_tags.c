/* SPDX-License-Identifier: MIT */
#include "image/tiff_tags.h"

#include <string.h>

struct reader {
    const uint8_t *bytes;
    size_t size;
    bool big;
};

static uint64_t get(const struct reader *r, const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[r->big ? i : bytes - 1 - i];
    return v;
}

/* Bytes of a value of the whole-number types; 0 for the others, which no tag here may have. */
static int width_of(uint64_t type)
{
    switch (type) {
    case 1:
        return 1;
    case 3:
        return 2;
    case 4:
    case 13:
        return 4;
    case 16:
        return 8;
    default:
        return 0;
    }
}

static struct firn_tiff_tag *find(struct firn_tiff_tags *t, uint64_t number)
{
    switch (number) {
    case 256:
        return &t->width;
    case 257:
        return &t->height;
    case 258:
        return &t->bits;
    case 259:
        return &t->compression;
    case 262:
        return &t->photometric;
    case 266:
        return &t->fill_order;
    case 273:
        return &t->strips;
    case 274:
        return &t->orientation;
    case 277:
        return &t->samples;
    case 278:
        return &t->rows_per_strip;
    case 284:
        return &t->planar;
    case 320:
        return &t->colormap;
    case 322:
        return &t->tile_width;
    case 323:
        return &t->tile_height;
    case 324:
        return &t->tiles;
    case 338:
        return &t->extra;
    case 339:
        return &t->format;
    default:
        return NULL;
    }
}

/* One entry: number (2), type (2), count (word), values or where they are (word). */
static void read_entry(struct firn_tiff_tags *t, const struct reader *r, const uint8_t *entry,
                       int word)
{
    struct firn_tiff_tag *tag = find(t, get(r, entry, 2));
    const int bytes = width_of(get(r, entry + 2, 2));
    const uint64_t count = get(r, entry + 4, word);
    if (!tag || !bytes || count == 0 || count > r->size)
        return;
    const uint64_t length = count * (uint64_t)bytes;
    const uint8_t *values = entry + 4 + word;
    if (length > (uint64_t)word) {
        const uint64_t at = get(r, values, word);
        if (at > r->size || length > r->size - at)
            return;
        values = r->bytes + at;
    }
    *tag = (struct firn_tiff_tag){values, (uint32_t)count, bytes};
}

bool firn_tiff_tags_read(struct firn_tiff_tags *t, const uint8_t *bytes, size_t size)
{
    struct reader r = {bytes, size, size > 0 && bytes[0] == 'M'};
    memset(t, 0, sizeof *t);
    t->big = r.big;
    if (size < 16 || size > UINT32_MAX)
        return false;
    const int word = get(&r, bytes + 2, 2) == 43 ? 8 : 4;
    const int head = word == 8 ? 8 : 2;
    const size_t step = word == 8 ? 20 : 12;
    const uint64_t at = get(&r, bytes + word, word);
    if (at < 8 || at > size || size - at < (size_t)head)
        return false;
    const uint64_t entries = get(&r, bytes + at, head);
    if (entries == 0 || entries > (size - at - (size_t)head) / step)
        return false;
    for (uint64_t i = 0; i < entries; i++)
        read_entry(t, &r, bytes + at + head + i * step, word);
    return true;
}

int64_t firn_tiff_value(const struct firn_tiff_tags *t, const struct firn_tiff_tag *tag,
                        uint32_t i, int64_t otherwise)
{
    const struct reader r = {.big = t->big};
    if (i >= tag->count)
        return otherwise;
    return (int64_t)get(&r, tag->values + (size_t)i * (size_t)tag->bytes, tag->bytes);
}
