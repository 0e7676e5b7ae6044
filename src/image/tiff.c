/* SPDX-License-Identifier: MIT */
/**
 * TIFF through libtiff: strips or tiles, together or in planes, in every compression that it has.
 *
 * A row of tiles (or a strip) is decoded at a time. Where Pillow turns the image (it does so for a
 * TIFF's orientation, unlike for a JPEG's) all of it is decoded first. The file counts as mapped
 * memory, so that libtiff copies nothing of it; its own limit on single allocations is firn's.
 */
#include "image/codec.h"

#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#include "base/error.h"
#include "image/limits.h"
#include "image/tiff_layout.h"
#include "image/turn.h"

struct tiff {
    struct firn_source source;
    uint64_t position; /* of the library in the file */
    TIFF *file;
    struct firn_tiff_kind kind;
    int tile_width, tile_height; /* a strip is a tile as wide as the image */
    size_t tile_bytes, tile_stride;
    struct firn_buffer tile;
    struct firn_band band;   /* one row of tiles */
    struct firn_band turned; /* the whole image as Pillow turns it */
    int y;                   /* the next row */
};

static void *create(void)
{
    return calloc(1, sizeof(struct tiff));
}

static void close_tiff(void *self)
{
    struct tiff *t = self;
    if (t->file)
        TIFFClose(t->file);
    t->file = NULL;
}

static void destroy(void *self)
{
    struct tiff *t = self;
    if (!t)
        return;
    close_tiff(t);
    firn_buffer_free(&t->tile);
    firn_buffer_free(&t->band.memory);
    firn_buffer_free(&t->turned.memory);
    free(t);
}

static tmsize_t on_read(thandle_t handle, void *to, tmsize_t size)
{
    struct tiff *t = handle;
    const size_t left = t->position < t->source.size ? t->source.size - (size_t)t->position : 0;
    const size_t n = (size_t)size < left ? (size_t)size : left;
    if (size <= 0)
        return 0;
    memcpy(to, t->source.bytes + t->source.size - left, n);
    t->position += n;
    return (tmsize_t)n;
}

static tmsize_t on_write(thandle_t handle, void *from, tmsize_t size)
{
    (void)handle;
    (void)from;
    (void)size;
    return -1;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence)
{
    struct tiff *t = handle;
    t->position = whence == SEEK_SET   ? offset
                  : whence == SEEK_CUR ? t->position + offset
                                       : t->source.size + offset;
    return t->position;
}

static int on_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t on_size(thandle_t handle)
{
    return ((struct tiff *)handle)->source.size;
}

static int on_map(thandle_t handle, void **base, toff_t *size)
{
    struct tiff *t = handle;
    *base = (void *)(uintptr_t)t->source.bytes; /* only read */
    *size = t->source.size;
    return 1;
}

static void on_unmap(thandle_t handle, void *base, toff_t size)
{
    (void)handle;
    (void)base;
    (void)size;
}

static int on_message(TIFF *file, void *user, const char *module, const char *format, va_list ap)
{
    (void)file;
    (void)user;
    (void)module;
    (void)format;
    (void)ap;
    return 1; /* said: nothing of it reaches standard error */
}

static int corrupt(struct firn_error *err)
{
    return firn_fail(err, FIRN_DATA, "corrupt or truncated TIFF: copy it again from its source");
}

static bool open_file(struct tiff *t)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return false;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)FIRN_MAX_DECODER_MEMORY);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_message, NULL);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_message, NULL);
    t->position = 0;
    t->file = TIFFClientOpenExt("", "rC", t, on_read, on_write, on_seek, on_close, on_size,
                                on_map, on_unmap, options);
    TIFFOpenOptionsFree(options);
    return t->file != NULL;
}

static int open_tiff(void *self, const struct firn_source *source, struct firn_image_info *info,
                     struct firn_error *err)
{
    struct tiff *t = self;
    struct firn_tiff_tags tags;
    t->source = *source;
    if (!firn_tiff_tags_read(&tags, source->bytes, source->size))
        return corrupt(err);
    int rc = firn_tiff_kind(&t->kind, &tags, err);
    if (!rc)
        rc = firn_check_size(t->kind.width, t->kind.height, err);
    if (rc)
        return rc;
    if (!TIFFIsCODECConfigured((uint16_t)t->kind.compression))
        return firn_fail(err, FIRN_DATA, "a TIFF with compression %d, which this libtiff cannot "
                         "read: save it again", t->kind.compression);
    const bool across = firn_turns_across(t->kind.orientation);
    info->width = (int)(across ? t->kind.height : t->kind.width);
    info->height = (int)(across ? t->kind.width : t->kind.height);
    return 0;
}

/* The library's idea of the image must be that of the tags, or buffers would not fit. */
static bool agrees(struct tiff *t)
{
    uint32_t width = 0, height = 0;
    uint16_t bits = 1, samples = 1, planar = PLANARCONFIG_CONTIG;
    TIFFGetField(t->file, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(t->file, TIFFTAG_IMAGELENGTH, &height);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_PLANARCONFIG, &planar);
    return width == t->kind.width && height == t->kind.height && bits == t->kind.bits &&
           samples == t->kind.samples &&
           (samples == 1 || (planar == PLANARCONFIG_SEPARATE) == t->kind.separate);
}

static int measure(struct tiff *t, struct firn_error *err)
{
    const struct firn_tiff_kind *k = &t->kind;
    const bool tiled = TIFFIsTiled(t->file);
    uint32_t width = (uint32_t)k->width, height = 0;
    if (tiled) {
        TIFFGetField(t->file, TIFFTAG_TILEWIDTH, &width);
        TIFFGetField(t->file, TIFFTAG_TILELENGTH, &height);
    } else {
        TIFFGetFieldDefaulted(t->file, TIFFTAG_ROWSPERSTRIP, &height);
        height = height > k->height ? (uint32_t)k->height : height;
    }
    if (width < 1 || height < 1 || width > INT32_MAX || height > INT32_MAX)
        return corrupt(err);
    const tmsize_t bytes = tiled ? TIFFTileSize(t->file) : TIFFVStripSize(t->file, height);
    const tmsize_t stride = tiled ? TIFFTileRowSize(t->file) : TIFFScanlineSize(t->file);
    const size_t bits = (size_t)(k->separate ? k->bits : k->layout.bits);
    if (bytes > (tmsize_t)FIRN_MAX_DECODER_MEMORY)
        return firn_fail(err, FIRN_CONFIG, "a TIFF with tiles of %zu MiB, the limit is %zu: save "
                         "it again", (size_t)bytes >> 20, FIRN_MAX_DECODER_MEMORY >> 20);
    if (!k->ycbcr && (bytes <= 0 || (size_t)stride < (width * bits + 7) / 8 ||
                      (size_t)bytes < (size_t)stride * height))
        return corrupt(err);
    t->tile_width = (int)width;
    t->tile_height = (int)height;
    t->tile_bytes = (size_t)bytes;
    t->tile_stride = (size_t)stride;
    return 0;
}

static int start(void *self, const struct firn_window *window, bool partial,
                 struct firn_error *err)
{
    struct tiff *t = self;
    struct firn_tiff_kind *k = &t->kind;
    (void)window;
    (void)partial;
    if (!open_file(t) || !agrees(t))
        return corrupt(err);
    if (k->ycbcr && k->compression == COMPRESSION_JPEG && !k->separate) {
        TIFFSetField(t->file, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        k->ycbcr = false;
        k->layout.bits = 24;
    }
    t->y = 0;
    int rc = measure(t, err);
    const int height = t->tile_height > k->height ? (int)k->height : t->tile_height;
    if (!rc)
        rc = firn_band_need(&t->band, (int)k->width, height, err);
    if (!rc && k->orientation != 1)
        rc = firn_turn_need(&t->turned, k->orientation, (int)k->width, (int)k->height, err);
    const size_t need = k->ycbcr ? (size_t)k->width * (size_t)height * 4 : t->tile_bytes;
    if (!rc && need > FIRN_MAX_DECODER_MEMORY)
        rc = firn_fail(err, FIRN_CONFIG, "a TIFF with strips of %zu MiB, the limit is %zu: save it "
                       "again", need >> 20, FIRN_MAX_DECODER_MEMORY >> 20);
    if (!rc && !firn_buffer_need(&t->tile, need))
        rc = firn_fail_nomem(err, "the TIFF decoder");
    return rc;
}

static int planes(const struct firn_tiff_kind *k)
{
    const int most = k->compression == 1 ? k->samples : 4;
    return !k->separate ? 1 : k->samples < most ? k->samples : most;
}

static void place_sample(const struct firn_tiff_kind *k, uint8_t *rgb, uint8_t sample, int plane)
{
    if (k->layout.kind != FIRN_PIXEL_INDEX)
        rgb[plane] = sample;
    else if (plane == 0)
        memcpy(rgb, k->palette[sample], 3);
}

/* The tile of a plane (or of all) at column `x` into the band. */
static void place(struct tiff *t, int x, int n, int plane)
{
    const struct firn_tiff_kind *k = &t->kind;
    const int width = t->tile_width < k->width - x ? t->tile_width : (int)k->width - x;
    for (int i = 0; i < n; i++) {
        const uint8_t *in = (uint8_t *)t->tile.bytes + t->tile_stride * (size_t)i;
        uint8_t *rgb = firn_band_row(&t->band, i) + 3 * (size_t)x;
        if (!k->separate)
            firn_unpack(&k->layout, in, 0, width, rgb);
        else
            for (int p = 0, step = k->bits / 8; p < width; p++)
                place_sample(k, rgb + 3 * p, in[p * step + step - 1], plane);
    }
}

/* The fourth plane of premultiplied colour or of ink acts on the three before it. */
static void place_fourth(struct tiff *t, int x, int n)
{
    const struct firn_tiff_kind *k = &t->kind;
    const int width = t->tile_width < k->width - x ? t->tile_width : (int)k->width - x;
    const struct firn_layout four = {k->layout.kind, 32, {0, 1, 2, 3}, false, NULL};
    const int step = k->bits / 8;
    for (int i = 0; i < n; i++) {
        const uint8_t *in = (uint8_t *)t->tile.bytes + t->tile_stride * (size_t)i;
        uint8_t *rgb = firn_band_row(&t->band, i) + 3 * (size_t)x;
        for (int p = 0; p < width; p++, rgb += 3) {
            const uint8_t pixel[4] = {rgb[0], rgb[1], rgb[2], in[p * step + step - 1]};
            firn_unpack(&four, pixel, 0, 1, rgb);
        }
    }
}

static bool read_tile(struct tiff *t, int x, int y, int plane)
{
    const uint16_t sample = (uint16_t)plane;
    const uint32_t index = TIFFIsTiled(t->file)
                               ? TIFFComputeTile(t->file, (uint32_t)x, (uint32_t)y, 0, sample)
                               : TIFFComputeStrip(t->file, (uint32_t)y, sample);
    const tmsize_t size = (tmsize_t)t->tile_bytes;
    return (TIFFIsTiled(t->file) ? TIFFReadEncodedTile(t->file, index, t->tile.bytes, size)
                                 : TIFFReadEncodedStrip(t->file, index, t->tile.bytes, size)) >= 0;
}

/* All tiles that rows y .. y + n lie in, into the band. */
static int read_tiles(struct tiff *t, int y, int n, struct firn_error *err)
{
    const struct firn_tiff_kind *k = &t->kind;
    const bool fourth =
        k->layout.kind == FIRN_PIXEL_CMYK || k->layout.kind == FIRN_PIXEL_RGBA_PRE;
    for (int plane = 0; plane < planes(k); plane++)
        for (int64_t x = 0; x < k->width; x += t->tile_width) {
            if (!read_tile(t, (int)x, y, plane))
                return corrupt(err);
            if (plane == 3 && fourth)
                place_fourth(t, (int)x, n);
            else if (plane < 3)
                place(t, (int)x, n, plane);
            if (firn_source_late(&t->source))
                return firn_fail_late(err);
        }
    return 0;
}

/* The way of TIFFReadRGBAImage() for colour differences, in the portions that Pillow takes. */
static int read_ycbcr(struct tiff *t, int y, int n, struct firn_error *err)
{
    TIFFRGBAImage image;
    char text[1024];
    const struct firn_tiff_kind *k = &t->kind;
    if (!TIFFRGBAImageOK(t->file, text) || !TIFFRGBAImageBegin(&image, t->file, 0, text))
        return corrupt(err);
    image.req_orientation = ORIENTATION_TOPLEFT;
    image.row_offset = y;
    const bool ok = TIFFRGBAImageGet(&image, t->tile.bytes, image.width, (uint32_t)n);
    TIFFRGBAImageEnd(&image);
    if (!ok)
        return corrupt(err);
    for (int i = 0; i < n; i++)
        firn_unpack(&k->layout, (uint8_t *)t->tile.bytes + 4 * (size_t)k->width * (size_t)i, 0,
                    (int)k->width, firn_band_row(&t->band, i));
    return firn_source_late(&t->source) ? firn_fail_late(err) : 0;
}

static int read_rows(struct tiff *t, int y, int *n, struct firn_error *err)
{
    const int64_t left = t->kind.height - y;
    *n = t->tile_height < left ? t->tile_height : (int)left;
    return t->kind.ycbcr ? read_ycbcr(t, y, *n, err) : read_tiles(t, y, *n, err);
}

/* All rows, each to where it belongs in the turned image. */
static int read_turned(struct tiff *t, struct firn_error *err)
{
    const struct firn_tiff_kind *k = &t->kind;
    struct firn_rows rows = {firn_band_row(&t->band, 0), t->band.stride, 0, 0, 0};
    int rc = 0;
    for (; !rc && t->y < k->height; t->y += rows.n) {
        rows.y = t->y;
        rc = read_rows(t, t->y, &rows.n, err);
        if (!rc)
            firn_turn(&t->turned, &rows, k->orientation, (int)k->width, (int)k->height);
    }
    return rc;
}

static int rows(void *self, struct firn_rows *out, struct firn_error *err)
{
    struct tiff *t = self;
    const struct firn_tiff_kind *k = &t->kind;
    const bool turned = k->orientation != 1;
    int n = firn_turns_across(k->orientation) ? (int)k->width : (int)k->height;
    const int y = t->y, rc = turned ? read_turned(t, err) : read_rows(t, y, &n, err);
    if (rc)
        return rc;
    t->y = turned ? (int)k->height : y + n;
    const struct firn_band *band = turned ? &t->turned : &t->band;
    *out = (struct firn_rows){firn_band_row(band, 0), band->stride, 0, y, n};
    return 0;
}

static int finish(void *self, struct firn_image_info *info, struct firn_error *err)
{
    struct tiff *t = self;
    struct firn_rows rest;
    int rc = 0;
    info->warnings = 0;
    while (!rc && t->y < t->kind.height)
        rc = rows(t, &rest, err);
    return rc;
}

const struct firn_codec firn_codec_tiff = {"TIFF", create, destroy, open_tiff,
                                           start,  rows,   finish,  close_tiff};
