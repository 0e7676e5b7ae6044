/* SPDX-License-Identifier: MIT */
/** The way from bytes to crops: type, header, limits, rows, resize of each view, mirror images. */
#include "image/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/thread.h"
#include "image/codec.h"
#include "image/geometry.h"
#include "image/limits.h"
#include "image/resample.h"
#include "image/turn.h"
#include "image/views.h"

/* The resizes of all views of a photograph together stay within the memory of one, but each may
 * take as much as a photograph of ordinary shape needs. */
#define LEAST_RESAMPLE_LIMIT ((size_t)2 << 20)

/* A view in the making. */
struct view {
    struct firn_geometry geometry;
    int same;      /* an earlier view that is cut in the same place, or its own number */
    bool mirrored;
    struct firn_resampler resampler;
};

struct firn_decoder {
    struct firn_image_spec spec;
    void *state[FIRN_CODECS]; /* of each format that this build reads */
    struct firn_band turned;  /* the photograph the right way up, where it is not stored so */
    bool partial;
    int n_views;
    struct view view[];
};

int firn_decoder_create(struct firn_decoder **out, const struct firn_image_spec *spec,
                        struct firn_error *err)
{
    *out = NULL;
    const int rc = firn_spec_check(spec, err), n = firn_views_count(&spec->views);
    if (rc)
        return rc;
    struct firn_decoder *decoder = calloc(1, sizeof *decoder + (size_t)n * sizeof *decoder->view);
    if (!decoder)
        return firn_fail_nomem(err, "an image decoder");
    decoder->spec = *spec;
    decoder->n_views = n;
    firn_decoder_tune(decoder, firn_cpu_best(), true);
    for (int i = 0; i < FIRN_CODECS; i++)
        if (firn_codec_at(i) && !(decoder->state[i] = firn_codec_at(i)->create())) {
            firn_decoder_destroy(decoder);
            return firn_fail_nomem(err, "an image decoder");
        }
    *out = decoder;
    return 0;
}

void firn_decoder_destroy(struct firn_decoder *decoder)
{
    if (!decoder)
        return;
    for (int i = 0; i < FIRN_CODECS; i++)
        if (decoder->state[i])
            firn_codec_at(i)->destroy(decoder->state[i]);
    firn_buffer_free(&decoder->turned.memory);
    for (int i = 0; i < decoder->n_views; i++)
        firn_resample_free(&decoder->view[i].resampler);
    free(decoder);
}

void firn_decoder_tune(struct firn_decoder *decoder, enum firn_cpu level, bool partial)
{
    const size_t limit = FIRN_RESAMPLE_LIMIT / (size_t)decoder->n_views;
    for (int i = 0; i < decoder->n_views; i++) {
        decoder->view[i].resampler.kernels = firn_row_kernels_choose(level);
        decoder->view[i].resampler.limit =
            limit > LEAST_RESAMPLE_LIMIT ? limit : LEAST_RESAMPLE_LIMIT;
    }
    decoder->partial = partial;
}

/* Of an earlier view that is cut in the same place, else `number`. */
static int same_place(const struct firn_decoder *d, int number)
{
    const struct firn_geometry *g = &d->view[number].geometry;
    for (int i = 0; i < number; i++)
        if (memcmp(&d->view[i].geometry, g, sizeof *g) == 0)
            return i;
    return number;
}

/* A side of the photograph as it comes out of the codec. */
static int scaled(int side, const struct firn_image_info *info)
{
    return (side + info->scale - 1) / info->scale;
}

/* Where all views lie, in the photograph as it comes out of the codec, or turned. */
static void place_views(struct firn_decoder *d, const struct firn_image_info *info,
                        const uint8_t content[32], bool turned)
{
    const int width = scaled(info->width, info), height = scaled(info->height, info);
    const bool across = turned && firn_turns_across(info->orientation);
    for (int i = 0; i < d->n_views; i++) {
        struct view *v = &d->view[i];
        v->mirrored = firn_geometry_view(&v->geometry, &d->spec, content,
                                         across ? info->height : info->width,
                                         across ? info->width : info->height, i);
        if (info->scale > 1) {
            v->geometry.x.in = across ? height : width;
            v->geometry.y.in = across ? width : height;
        }
        v->same = same_place(d, i);
    }
}

/* Begins all resizes; *window is what they need together. */
static int begin_views(struct firn_decoder *d, uint8_t *rgb, struct firn_window *window,
                       struct firn_error *err)
{
    const size_t bytes = firn_crop_bytes(&d->spec);
    for (int i = 0; i < d->n_views; i++) {
        struct view *v = &d->view[i];
        if (v->same != i)
            continue;
        const int rc = firn_resample_begin(&v->resampler, &v->geometry, rgb + (size_t)i * bytes,
                                           d->spec.crop, err);
        if (rc)
            return rc;
        const struct firn_window w = firn_resample_window(&v->resampler);
        if (i == 0)
            *window = w;
        window->x0 = w.x0 < window->x0 ? w.x0 : window->x0;
        window->y0 = w.y0 < window->y0 ? w.y0 : window->y0;
        window->x1 = w.x1 > window->x1 ? w.x1 : window->x1;
        window->y1 = w.y1 > window->y1 ? w.y1 : window->y1;
    }
    return 0;
}

static void mirror(uint8_t *rgb, int side)
{
    for (int y = 0; y < side; y++, rgb += (size_t)side * 3)
        for (int left = 0, right = side - 1; left < right; left++, right--) {
            uint8_t pixel[3];
            memcpy(pixel, rgb + left * 3, 3);
            memcpy(rgb + left * 3, rgb + right * 3, 3);
            memcpy(rgb + right * 3, pixel, 3);
        }
}

/* Copies come first, while their originals are not mirrored. */
static void finish_views(const struct firn_decoder *d, uint8_t *rgb)
{
    const size_t bytes = firn_crop_bytes(&d->spec);
    for (int i = 0; i < d->n_views; i++)
        if (d->view[i].same != i)
            memcpy(rgb + (size_t)i * bytes, rgb + (size_t)d->view[i].same * bytes, bytes);
    for (int i = 0; i < d->n_views; i++)
        if (d->view[i].mirrored)
            mirror(rgb + (size_t)i * bytes, d->spec.crop);
}

static void resize_rows(struct firn_decoder *d, const struct firn_rows *rows,
                        struct firn_image_info *info)
{
    const int64_t start = firn_now_ns();
    for (int i = 0; i < d->n_views; i++)
        if (d->view[i].same == i)
            firn_resample_rows(&d->view[i].resampler, rows);
    info->resize_ns += firn_now_ns() - start;
}

/* Rows from window->y0 to y1, to the resize or into the turned photograph. */
static int decode_rows(struct firn_decoder *d, const struct firn_codec *codec, void *state,
                       const struct firn_source *source, const struct firn_window *window,
                       bool turned, struct firn_image_info *info, struct firn_error *err)
{
    struct firn_rows rows;
    int rc = codec->start(state, window, d->partial, err);
    for (int y = 0; !rc && y < window->y1; y = rows.y + rows.n) {
        rc = codec->rows(state, &rows, err);
        if (!rc && firn_source_late(source))
            rc = firn_fail_late(err);
        if (rc)
            break;
        if (turned)
            firn_turn(&d->turned, &rows, info->orientation, window->x1, window->y1);
        else
            resize_rows(d, &rows, info);
    }
    return rc;
}

/* Turning exchanges the two passes of the resize, so the whole photograph is turned first. */
static int decode_turned(struct firn_decoder *d, const struct firn_codec *codec, void *state,
                         const struct firn_source *source, struct firn_image_info *info,
                         struct firn_error *err)
{
    const bool across = firn_turns_across(info->orientation);
    const int width = scaled(info->width, info), height = scaled(info->height, info);
    const struct firn_window all = {0, width, 0, height};
    int rc = firn_turn_need(&d->turned, info->orientation, width, height, err);
    if (!rc)
        rc = decode_rows(d, codec, state, source, &all, true, info, err);
    if (rc)
        return rc;
    const uint8_t *pixels = firn_band_row(&d->turned, 0);
    resize_rows(d, &(struct firn_rows){pixels, d->turned.stride, 0, 0, across ? width : height},
                info);
    return 0;
}

static int decode(struct firn_decoder *d, const struct firn_codec *codec, void *state,
                  const struct firn_source *source, uint8_t *rgb, struct firn_image_info *info,
                  struct firn_error *err)
{
    struct firn_window window = {0};
    uint8_t content[FIRN_HASH_SIZE] = {0};
    int rc = codec->open(state, source, info, err);
    if (rc)
        return rc;
    if (d->spec.views.kind == FIRN_VIEWS_RANDOM)
        firn_hash(source->bytes, source->size, content);
    const bool turned = d->spec.turn && info->orientation != 1;
    place_views(d, info, content, turned);
    rc = begin_views(d, rgb, &window, err);
    if (rc)
        return rc;
    rc = turned ? decode_turned(d, codec, state, source, info, err)
                : decode_rows(d, codec, state, source, &window, false, info, err);
    if (!rc)
        rc = codec->finish(state, info, err);
    if (!rc)
        finish_views(d, rgb);
    return rc;
}

static int decode_once(struct firn_decoder *d, int format, const struct firn_source *source,
                       uint8_t *rgb, struct firn_image_info *info, struct firn_error *err)
{
    const struct firn_codec *codec = firn_codec_at(format);
    *info = (struct firn_image_info){.format = codec->format, .orientation = 1, .scale = 1};
    const int rc = decode(d, codec, d->state[format], source, rgb, info, err);
    codec->close(d->state[format]);
    return rc;
}

int firn_decode(struct firn_decoder *decoder, const uint8_t *bytes, size_t size, uint8_t *rgb,
                struct firn_image_info *info, struct firn_error *err)
{
    const int found = firn_codec_find(bytes, size);
    if (found < 0 || !firn_codec_at(found))
        return firn_codec_refuse(found, bytes, size, err);
    const struct firn_source source = {
        bytes, size, firn_thread_cpu_ns() + (int64_t)FIRN_MAX_SECONDS * 1000000000,
        decoder->spec.fast ? decoder->spec.resize : 0};
    struct firn_image_info seen;
    const int64_t start = firn_now_ns();
    int rc = decode_once(decoder, found, &source, rgb, &seen, err);
    if (rc == -EAGAIN) {
        decoder->partial = false;
        rc = decode_once(decoder, found, &source, rgb, &seen, err);
        decoder->partial = true;
    }
    seen.decode_ns = firn_now_ns() - start - seen.resize_ns;
    if (!rc && info)
        *info = seen;
    return rc;
}
