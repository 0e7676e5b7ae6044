/* SPDX-License-Identifier: MIT */
/**
 * Windows and OS/2 bitmaps, as Pillow 9.4 reads them.
 *
 * What is peculiar there and kept here: a palette that is a plain grey ramp is ignored, and the
 * pixels are then taken for bits (of two colours) or bytes, whatever their depth; the pixels of
 * run-length coding follow each other without regard to rows; a delta of run-length coding takes
 * its distances from the two bytes after its own.
 */
#include "image/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "image/limits.h"
#include "image/unpack.h"

#define BATCH 16

enum { RAW = 0, RLE8 = 1, RLE4 = 2, BITFIELDS = 3 };

struct bmp {
    struct firn_source source;
    size_t at;            /* of what is read next in the header; then of the pixels */
    size_t stride;        /* from row to row in the file */
    int width, height;
    int bits, compression;
    bool down;            /* the first row in the file is the top one */
    bool bits_or_bytes;   /* the palette was ignored */
    struct firn_layout layout;
    uint8_t palette[256][3];
    struct firn_buffer indices; /* of run-length coding, width * height */
    const uint8_t *pixels;      /* the first row in the file */
    int y;                /* the next row */
    struct firn_band band;
};

static void *create(void)
{
    return calloc(1, sizeof(struct bmp));
}

static void destroy(void *self)
{
    struct bmp *b = self;
    if (!b)
        return;
    firn_buffer_free(&b->band.memory);
    firn_buffer_free(&b->indices);
    free(b);
}

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | get16(p + 2) << 16;
}

static int unsupported(struct firn_error *err, const char *what, uint32_t value)
{
    return firn_fail(err, FIRN_DATA, "a BMP with %s %u, which Pillow does not read either: save it "
                     "again", what, value);
}

static int short_of(struct firn_error *err, const char *part)
{
    return firn_fail(err, FIRN_DATA, "the BMP ends in its %s: truncated, copy it again from its "
                     "source", part);
}

/* The masks of 16 and 32 bits that Pillow knows. */
static int set_masks(struct bmp *b, const uint8_t *masks, uint32_t alpha, struct firn_error *err)
{
    static const struct {
        uint32_t bits, r, g, b, a;
        enum firn_pixel kind;
        uint8_t at[3];
    } known[] = {
        {32, 0xFF0000, 0xFF00, 0xFF, 0, FIRN_PIXEL_RGB, {2, 1, 0}},
        {32, 0xFF000000, 0xFF0000, 0xFF00, 0, FIRN_PIXEL_RGB, {3, 2, 1}},
        {32, 0xFF000000, 0xFF0000, 0xFF00, 0xFF, FIRN_PIXEL_RGB, {3, 2, 1}},
        {32, 0xFF, 0xFF00, 0xFF0000, 0xFF000000, FIRN_PIXEL_RGB, {0, 1, 2}},
        {32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000, FIRN_PIXEL_RGB, {2, 1, 0}},
        {32, 0, 0, 0, 0, FIRN_PIXEL_RGB, {2, 1, 0}},
        {24, 0xFF0000, 0xFF00, 0xFF, 0, FIRN_PIXEL_RGB, {2, 1, 0}},
        {16, 0xF800, 0x7E0, 0x1F, 0, FIRN_PIXEL_565, {0}},
        {16, 0x7C00, 0x3E0, 0x1F, 0, FIRN_PIXEL_555, {0}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((int)known[i].bits != b->bits || known[i].r != get32(masks) ||
            known[i].g != get32(masks + 4) || known[i].b != get32(masks + 8) ||
            (b->bits == 32 && known[i].a != alpha))
            continue;
        b->layout.kind = known[i].kind;
        memcpy(b->layout.at, known[i].at, 3);
        return 0;
    }
    return unsupported(err, "unusual colour masks of bits", (uint32_t)b->bits);
}

/* How pixels of this depth are stored where nothing else is said. */
static int set_depth(struct bmp *b, struct firn_error *err)
{
    b->layout = (struct firn_layout){FIRN_PIXEL_RGB, b->bits, {2, 1, 0}, false, b->palette};
    switch (b->bits) {
    case 1:
    case 4:
    case 8:
        b->layout.kind = FIRN_PIXEL_INDEX;
        return 0;
    case 16:
        b->layout.kind = FIRN_PIXEL_555;
        return 0;
    case 24:
    case 32:
        return 0;
    default:
        return unsupported(err, "bits per pixel of", (uint32_t)b->bits);
    }
}

static bool is_ramp(const uint8_t *entries, size_t have, uint32_t colors, size_t entry)
{
    for (uint32_t i = 0; i < colors; i++) {
        const uint8_t want = colors == 2 ? (uint8_t)(i * 255) : (uint8_t)i;
        const uint8_t *e = entries + i * entry;
        if (have < i * entry + 3 || e[0] != want || e[1] != want || e[2] != want)
            return false;
    }
    return true;
}

static int read_palette(struct bmp *b, uint32_t colors, size_t entry, struct firn_error *err)
{
    if (colors == 0 || colors > 65536)
        return unsupported(err, "colours numbering", colors);
    const uint8_t *entries = b->source.bytes + b->at;
    size_t have = b->source.size - b->at;
    have = have < colors * entry ? have : colors * entry;
    b->at += have;
    b->bits_or_bytes = is_ramp(entries, have, colors, entry);
    firn_palette_gray(b->palette, b->bits_or_bytes && colors == 2 ? 1 : 8, false);
    if (b->bits_or_bytes) {
        b->layout.bits = colors == 2 ? 1 : 8;
        return 0;
    }
    if (have / entry > 256)
        return unsupported(err, "colours numbering", colors);
    for (size_t i = 0; i < have / entry; i++)
        for (int c = 0; c < 3; c++)
            b->palette[i][c] = entries[i * entry + 2 - c];
    return 0;
}

/* The information header behind the first 14 bytes; `*colors` is 0 where it does not say. */
static int read_info(struct bmp *b, uint32_t head, uint32_t *colors, int64_t size[2],
                     struct firn_error *err)
{
    const uint8_t *h = b->source.bytes + 18;
    if (head == 12) {
        size[0] = get16(h);
        size[1] = get16(h + 2);
        b->bits = (int)get16(h + 6);
        return 0;
    }
    if (head != 40 && head != 64 && head != 108 && head != 124)
        return unsupported(err, "a header of bytes", head);
    b->down = h[7] == 0xFF;
    size[0] = get32(h);
    size[1] = b->down ? ((int64_t)1 << 32) - get32(h + 4) : get32(h + 4);
    b->bits = (int)get16(h + 10);
    b->compression = (int)get32(h + 12);
    *colors = get32(h + 28);
    return 0;
}

static int set_compression(struct bmp *b, uint32_t head, struct firn_error *err)
{
    const uint8_t *h = b->source.bytes + 18;
    if (b->compression == BITFIELDS) {
        const bool inside = head >= 56;
        if (!inside && b->source.size - b->at < 12)
            return short_of(err, "header");
        const uint8_t *masks = inside ? h + 36 : b->source.bytes + b->at;
        b->at += inside ? 0 : 12;
        return set_masks(b, masks, inside ? get32(h + 48) : 0, err);
    }
    if (b->compression != RAW && b->compression != RLE8 && b->compression != RLE4)
        return unsupported(err, "compression", (uint32_t)b->compression);
    return 0;
}

static int open_bmp(void *self, const struct firn_source *source, struct firn_image_info *info,
                    struct firn_error *err)
{
    struct bmp *b = self;
    int64_t size[2] = {0, 0};
    uint32_t colors = 0;
    b->source = *source;
    b->compression = RAW;
    b->down = b->bits_or_bytes = false;
    const uint32_t head = source->size >= 18 ? get32(source->bytes + 14) : 0;
    if (source->size < 26 || source->size - 14 < head)
        return short_of(err, "header");
    int rc = read_info(b, head, &colors, size, err);
    if (!rc)
        rc = firn_check_size(size[0], size[1], err);
    b->at = 14 + head;
    if (!rc)
        rc = set_depth(b, err);
    if (!rc)
        rc = set_compression(b, head, err);
    if (rc)
        return rc;
    size_t pixels = get32(source->bytes + 10);
    colors = colors ? colors : b->bits < 32 ? 1u << b->bits : 0;
    if (b->bits <= 8 && pixels == 14 + head)
        pixels += 4 * (size_t)colors;
    if (b->bits <= 8)
        rc = read_palette(b, colors, head == 12 ? 3 : 4, err);
    b->at = pixels ? pixels : b->at;
    b->width = info->width = (int)size[0];
    b->height = info->height = (int)size[1];
    b->stride = ((size_t)b->width * (size_t)b->bits + 31) / 8 & ~(size_t)3;
    return rc;
}

/* Run-length coded pixels to one byte each. */
struct runs {
    const uint8_t *in;
    size_t size, at;
    uint8_t *out;
    size_t room, n; /* of out; n may run past it, where nothing is written */
};

static void put(struct runs *r, uint8_t index, size_t times)
{
    for (; times; times--, r->n++)
        if (r->n < r->room)
            r->out[r->n] = index;
}

static void put_literal(struct runs *r, bool four, int count)
{
    size_t bytes = (size_t)(four ? count / 2 : count);
    bytes = r->size - r->at < bytes ? r->size - r->at : bytes;
    for (; bytes; bytes--, r->at++) {
        if (four)
            put(r, r->in[r->at] >> 4, 1);
        put(r, four ? r->in[r->at] & 15 : r->in[r->at], 1);
    }
}

static void put_run(struct runs *r, bool four, size_t width, size_t *x, const uint8_t *code)
{
    size_t n = code[0];
    if (*x + n > width)
        n = *x < width ? width - *x : 0;
    for (size_t i = 0; i < n; i++)
        put(r, !four ? code[1] : i % 2 ? code[1] & 15 : code[1] >> 4, 1);
    *x += n;
}

/* False when the data end in the middle of what needs more. */
static bool run_escape(struct runs *r, bool four, size_t width, size_t *x, int code)
{
    if (code == 0) {
        put(r, 0, (width - r->n % width) % width);
        *x = 0;
    } else if (code == 2) {
        if (r->size - r->at < 4)
            return false;
        put(r, 0, r->in[r->at + 2] + r->in[r->at + 3] * width);
        r->at += 4;
        *x = r->n % width;
    } else {
        put_literal(r, four, code);
        *x += (size_t)code;
        r->at += r->at % 2;
        r->at = r->at < r->size ? r->at : r->size;
    }
    return true;
}

static int run_length(struct bmp *b, struct firn_error *err)
{
    const size_t width = (size_t)b->width, room = width * (size_t)b->height;
    struct runs r = {b->source.bytes, b->source.size, b->at, NULL, room, 0};
    size_t x = 0;
    if (b->layout.bits < 8 && b->bits_or_bytes)
        return unsupported(err, "run-length coding and colours numbering", 2);
    if (b->layout.kind != FIRN_PIXEL_INDEX)
        return unsupported(err, "run-length coding and bits per pixel of", (uint32_t)b->bits);
    if (room > FIRN_MAX_DECODER_MEMORY || !(r.out = firn_buffer_need(&b->indices, room)))
        return firn_fail_nomem(err, "the pixels of a BMP");
    while (r.n < room && r.size - r.at >= 2) {
        const uint8_t *code = r.in + r.at;
        r.at += 2;
        if (code[0])
            put_run(&r, b->compression == RLE4, width, &x, code);
        else if (code[1] == 1 || !run_escape(&r, b->compression == RLE4, width, &x, code[1]))
            break;
        if (r.at % 1024 < 2 && firn_source_late(&b->source))
            return firn_fail_late(err);
    }
    if (r.n < room)
        return short_of(err, "pixels");
    b->layout.bits = 8;
    b->pixels = r.out;
    b->stride = width;
    return 0;
}

static int start(void *self, const struct firn_window *window, bool partial,
                 struct firn_error *err)
{
    struct bmp *b = self;
    b->y = partial ? window->y0 : 0;
    if (b->at > b->source.size)
        return short_of(err, "pixels");
    if (b->compression == RLE8 || b->compression == RLE4) {
        const int rc = run_length(b, err);
        return rc ? rc : firn_band_need(&b->band, b->width, BATCH, err);
    }
    const size_t row = firn_layout_bytes(&b->layout, b->width);
    if (row > b->stride)
        return unsupported(err, "a grey palette and bits per pixel of", (uint32_t)b->bits);
    if (b->source.size - b->at < b->stride * (size_t)(b->height - 1) + row)
        return short_of(err, "pixels");
    b->pixels = b->source.bytes + b->at;
    return firn_band_need(&b->band, b->width, BATCH, err);
}

static int rows(void *self, struct firn_rows *out, struct firn_error *err)
{
    struct bmp *b = self;
    (void)err;
    *out = (struct firn_rows){firn_band_row(&b->band, 0), b->band.stride, 0, b->y, 0};
    for (; out->n < BATCH && b->y < b->height; b->y++, out->n++) {
        const size_t row = (size_t)(b->down ? b->y : b->height - 1 - b->y);
        firn_unpack(&b->layout, b->pixels + row * b->stride, 0, b->width,
                    firn_band_row(&b->band, out->n));
    }
    return 0;
}

static int finish(void *self, struct firn_image_info *info, struct firn_error *err)
{
    (void)self;
    (void)err;
    info->warnings = 0;
    return 0;
}

static void close_bmp(void *self)
{
    (void)self;
}

const struct firn_codec firn_codec_bmp = {"BMP",  create, destroy, open_bmp,
                                          start, rows,   finish,  close_bmp};
