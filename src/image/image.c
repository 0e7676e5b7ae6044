/* SPDX-License-Identifier: MIT */
/** The way from bytes to crop: type, header, limits, rows, resize. */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/thread.h"
#include "image/codec.h"
#include "image/geometry.h"
#include "image/limits.h"
#include "image/resample.h"
#include "image/turn.h"

struct firn_decoder {
    struct firn_image_spec spec;
    void *state[FIRN_CODECS]; /* of each format that this build reads */
    struct firn_band turned;  /* the photograph the right way up, where it is not stored so */
    struct firn_resampler resampler;
    bool partial;
};

int firn_decoder_create(struct firn_decoder **out, const struct firn_image_spec *spec,
                        struct firn_error *err)
{
    *out = NULL;
    if (spec->resize < 1 || spec->resize > FIRN_MAX_SPEC || spec->crop < 1 ||
        spec->crop > FIRN_MAX_SPEC)
        return firn_fail(err, FIRN_USAGE, "resize %d, crop %d: each must be 1 to %d pixels",
                         spec->resize, spec->crop, FIRN_MAX_SPEC);
    struct firn_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return firn_fail_nomem(err, "an image decoder");
    decoder->spec = *spec;
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
    firn_resample_free(&decoder->resampler);
    free(decoder);
}

void firn_decoder_tune(struct firn_decoder *decoder, enum firn_cpu level, bool partial)
{
    decoder->resampler.kernels = firn_row_kernels_choose(level);
    decoder->partial = partial;
}

static struct firn_geometry geometry_of(const struct firn_decoder *d,
                                        const struct firn_image_info *info, bool turned)
{
    struct firn_geometry g;
    const int width = (info->width + info->scale - 1) / info->scale;
    const int height = (info->height + info->scale - 1) / info->scale;
    const bool across = turned && firn_turns_across(info->orientation);
    firn_geometry_center(&g, &d->spec, across ? info->height : info->width,
                         across ? info->width : info->height);
    g.x.in = across ? height : width;
    g.y.in = across ? width : height;
    return g;
}

static void resize_rows(struct firn_decoder *d, const struct firn_rows *rows,
                        struct firn_image_info *info)
{
    const int64_t start = firn_now_ns();
    firn_resample_rows(&d->resampler, rows);
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
                         const struct firn_source *source, const struct firn_geometry *g,
                         struct firn_image_info *info, struct firn_error *err)
{
    const bool across = firn_turns_across(info->orientation);
    const struct firn_window all = {0, across ? g->y.in : g->x.in, 0, across ? g->x.in : g->y.in};
    int rc = firn_turn_need(&d->turned, info->orientation, all.x1, all.y1, err);
    if (!rc)
        rc = decode_rows(d, codec, state, source, &all, true, info, err);
    if (rc)
        return rc;
    const uint8_t *pixels = firn_band_row(&d->turned, 0);
    resize_rows(d, &(struct firn_rows){pixels, d->turned.stride, 0, 0, g->y.in}, info);
    return 0;
}

static int decode(struct firn_decoder *d, const struct firn_codec *codec, void *state,
                  const struct firn_source *source, uint8_t *rgb, struct firn_image_info *info,
                  struct firn_error *err)
{
    int rc = codec->open(state, source, info, err);
    if (rc)
        return rc;
    const bool turned = d->spec.turn && info->orientation != 1;
    const struct firn_geometry geometry = geometry_of(d, info, turned);
    rc = firn_resample_begin(&d->resampler, &geometry, rgb, d->spec.crop, err);
    if (rc)
        return rc;
    const struct firn_window window = firn_resample_window(&d->resampler);
    rc = turned ? decode_turned(d, codec, state, source, &geometry, info, err)
                : decode_rows(d, codec, state, source, &window, false, info, err);
    return rc ? rc : codec->finish(state, info, err);
}

int firn_decode(struct firn_decoder *decoder, const uint8_t *bytes, size_t size, uint8_t *rgb,
                struct firn_image_info *info, struct firn_error *err)
{
    const int found = firn_codec_find(bytes, size);
    const struct firn_codec *codec = found < 0 ? NULL : firn_codec_at(found);
    if (!codec)
        return firn_codec_refuse(found, bytes, size, err);
    const struct firn_source source = {
        bytes, size, firn_thread_cpu_ns() + (int64_t)FIRN_MAX_SECONDS * 1000000000,
        decoder->spec.fast ? decoder->spec.resize : 0};
    struct firn_image_info seen = {.format = codec->format, .orientation = 1, .scale = 1};
    const int64_t start = firn_now_ns();
    const int rc = decode(decoder, codec, decoder->state[found], &source, rgb, &seen, err);
    codec->close(decoder->state[found]);
    seen.decode_ns = firn_now_ns() - start - seen.resize_ns;
    if (!rc && info)
        *info = seen;
    return rc;
}
