/* SPDX-License-Identifier: MIT */
/**
 * PNG through libspng, row by row; an interlaced one as a whole.
 *
 * As in Pillow: alpha is dropped, not blended; of 16 bits of colour the upper 8 count; grey of 16
 * bits without alpha is a number and clipped to 255; palette entries that the file lacks are grey.
 * Stricter than Pillow: checksums of the image data, and data that end before the last row.
 */
#include "image/codec.h"

#include <stdlib.h>
#include <string.h>

#include <spng.h>

#include "base/error.h"
#include "image/limits.h"
#include "image/turn.h"
#include "image/unpack.h"

#define BATCH 16

struct png {
    struct firn_source source;
    spng_ctx *ctx;
    struct spng_ihdr head;
    struct firn_layout layout;
    uint8_t palette[256][3];
    struct firn_buffer stored; /* one row as stored, or all of them when interlaced */
    size_t row_bytes;
    int y;                     /* the next row */
    bool whole;                /* all rows are in `stored` */
    struct firn_band band;
};

static void *create(void)
{
    return calloc(1, sizeof(struct png));
}

static void close_png(void *self)
{
    struct png *p = self;
    spng_ctx_free(p->ctx);
    p->ctx = NULL;
}

static void destroy(void *self)
{
    struct png *p = self;
    if (!p)
        return;
    close_png(p);
    firn_buffer_free(&p->stored);
    firn_buffer_free(&p->band.memory);
    free(p);
}

static int fail(int status, struct firn_error *err)
{
    if (status == SPNG_EMEM)
        return firn_fail_nomem(err, "the PNG decoder");
    return firn_fail(err, FIRN_DATA, "corrupt PNG: %s; copy it again from its source",
                     spng_strerror(status));
}

static int open_png(void *self, const struct firn_source *source, struct firn_image_info *info,
                    struct firn_error *err)
{
    struct png *p = self;
    p->source = *source;
    p->ctx = spng_ctx_new(0);
    if (!p->ctx)
        return firn_fail_nomem(err, "the PNG decoder");
    spng_set_chunk_limits(p->ctx, FIRN_MAX_DECODER_MEMORY, FIRN_MAX_DECODER_MEMORY);
    int status = spng_set_png_buffer(p->ctx, source->bytes, source->size);
    if (!status)
        status = spng_get_ihdr(p->ctx, &p->head);
    if (status)
        return fail(status, err);
    const int rc = firn_check_size(p->head.width, p->head.height, err);
    struct spng_exif exif;
    info->width = (int)p->head.width;
    info->height = (int)p->head.height;
    if (!rc && !spng_get_exif(p->ctx, &exif))
        info->orientation = firn_exif_orientation((const uint8_t *)exif.data, exif.length);
    return rc;
}

static int set_palette(struct png *p, struct firn_error *err)
{
    struct spng_plte plte;
    const int status = spng_get_plte(p->ctx, &plte);
    if (status)
        return fail(status, err);
    firn_palette_gray(p->palette, 8, false);
    for (uint32_t i = 0; i < plte.n_entries && i < 256; i++) {
        p->palette[i][0] = plte.entries[i].red;
        p->palette[i][1] = plte.entries[i].green;
        p->palette[i][2] = plte.entries[i].blue;
    }
    return 0;
}

static int set_layout(struct png *p, struct firn_error *err)
{
    static const uint8_t channels[7] = {1, 0, 3, 1, 2, 0, 4};
    const int depth = p->head.bit_depth, n = channels[p->head.color_type];
    const uint8_t step = depth == 16 ? 2 : 1, green = n < 3 ? 0 : step;
    p->layout = (struct firn_layout){FIRN_PIXEL_RGB, depth * n, {0, green, (uint8_t)(2 * green)},
                                     true, p->palette};
    if (p->head.color_type == SPNG_COLOR_TYPE_INDEXED) {
        p->layout.kind = FIRN_PIXEL_INDEX;
        return set_palette(p, err);
    }
    if (n == 1 && depth == 16)
        p->layout.kind = FIRN_PIXEL_U16;
    if (n == 1 && depth <= 8) {
        p->layout.kind = FIRN_PIXEL_INDEX;
        firn_palette_gray(p->palette, depth, false);
    }
    return 0;
}

static int start(void *self, const struct firn_window *window, bool partial,
                 struct firn_error *err)
{
    struct png *p = self;
    (void)window;
    (void)partial; /* rows build on each other */
    int status = spng_decode_image(p->ctx, NULL, 0, SPNG_FMT_RAW, SPNG_DECODE_PROGRESSIVE);
    if (status)
        return fail(status, err);
    status = set_layout(p, err);
    if (status)
        return status;
    p->y = 0;
    p->whole = false;
    p->row_bytes = firn_layout_bytes(&p->layout, (int)p->head.width);
    const size_t rows = p->head.interlace_method ? p->head.height : 1;
    if (p->row_bytes * rows > FIRN_MAX_DECODER_MEMORY)
        return firn_fail(err, FIRN_CONFIG,
                         "an interlaced PNG of %u x %u pixels needs %zu MiB, the limit is %zu: "
                         "save it without interlacing",
                         p->head.width, p->head.height, p->row_bytes * rows >> 20,
                         FIRN_MAX_DECODER_MEMORY >> 20);
    if (!firn_buffer_need(&p->stored, p->row_bytes * rows))
        return firn_fail_nomem(err, "rows of the PNG decoder");
    memset(p->stored.bytes, 0, p->row_bytes * rows); /* small samples of passes are put in by or */
    return firn_band_need(&p->band, (int)p->head.width, BATCH, err);
}

/* The seven passes of an interlaced file, each into its place. */
static int read_whole(struct png *p, struct firn_error *err)
{
    struct spng_row_info row;
    int status = 0;
    while (!status && !(status = spng_get_row_info(p->ctx, &row))) {
        uint8_t *to = (uint8_t *)p->stored.bytes + p->row_bytes * row.row_num;
        status = spng_decode_row(p->ctx, to, p->row_bytes);
        if (firn_source_late(&p->source))
            return firn_fail_late(err);
    }
    p->whole = true;
    return status == SPNG_EOI ? 0 : fail(status, err);
}

static int rows(void *self, struct firn_rows *out, struct firn_error *err)
{
    struct png *p = self;
    const int height = (int)p->head.height;
    if (p->head.interlace_method && !p->whole) {
        const int rc = read_whole(p, err);
        if (rc)
            return rc;
    }
    *out = (struct firn_rows){firn_band_row(&p->band, 0), p->band.stride, 0, p->y, 0};
    for (; out->n < BATCH && p->y < height; p->y++, out->n++) {
        const uint8_t *row = p->stored.bytes;
        const int status = p->whole ? 0 : spng_decode_row(p->ctx, p->stored.bytes, p->row_bytes);
        if (status && (status != SPNG_EOI || p->y != height - 1))
            return fail(status, err);
        firn_unpack(&p->layout, p->whole ? row + p->row_bytes * (size_t)p->y : row, 0,
                    (int)p->head.width, firn_band_row(&p->band, out->n));
    }
    return 0;
}

static int finish(void *self, struct firn_image_info *info, struct firn_error *err)
{
    struct png *p = self;
    struct firn_rows rest;
    int rc = 0;
    info->warnings = 0;
    while (!rc && p->y < (int)p->head.height) {
        rc = rows(p, &rest, err);
        if (!rc && firn_source_late(&p->source))
            rc = firn_fail_late(err);
    }
    return rc;
}

const struct firn_codec firn_codec_png = {"PNG",  create, destroy, open_png,
                                          start, rows,   finish,  close_png};
