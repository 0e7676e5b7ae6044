/* SPDX-License-Identifier: MIT */
/**
 * WebP through libwebp, lossy and lossless, still or the first frame of an animation, as a whole.
 * As in Pillow: alpha is dropped, not blended, and what a first frame does not cover is black.
 */
#include "image/codec.h"

#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "base/error.h"
#include "image/limits.h"
#include "image/turn.h"

struct webp {
    struct firn_source source;
    WebPDemuxer *demuxer;
    int width, height;
    struct firn_band band;
};

static void *create(void)
{
    return calloc(1, sizeof(struct webp));
}

static void close_webp(void *self)
{
    struct webp *w = self;
    WebPDemuxDelete(w->demuxer);
    w->demuxer = NULL;
}

static void destroy(void *self)
{
    struct webp *w = self;
    if (!w)
        return;
    close_webp(w);
    firn_buffer_free(&w->band.memory);
    free(w);
}

static int corrupt(struct firn_error *err)
{
    return firn_fail(err, FIRN_DATA, "corrupt or truncated WebP: copy it again from its source");
}

static int orientation(const struct webp *w)
{
    WebPChunkIterator chunk;
    int found = 1;
    if (WebPDemuxGetChunk(w->demuxer, "EXIF", 1, &chunk)) {
        const bool named = chunk.chunk.size > 6 && !memcmp(chunk.chunk.bytes, "Exif\0", 6);
        const size_t skip = named ? 6 : 0;
        found = firn_exif_orientation(chunk.chunk.bytes + skip, chunk.chunk.size - skip);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    return found;
}

static int open_webp(void *self, const struct firn_source *source, struct firn_image_info *info,
                     struct firn_error *err)
{
    struct webp *w = self;
    const WebPData data = {source->bytes, source->size};
    w->source = *source;
    w->demuxer = WebPDemux(&data);
    if (!w->demuxer)
        return corrupt(err);
    w->width = info->width = (int)WebPDemuxGetI(w->demuxer, WEBP_FF_CANVAS_WIDTH);
    w->height = info->height = (int)WebPDemuxGetI(w->demuxer, WEBP_FF_CANVAS_HEIGHT);
    info->orientation = orientation(w);
    return firn_check_size(w->width, w->height, err);
}

/* The library holds a lossless frame as 32-bit pixels beside what it gives out. */
static int check_memory(const struct webp *w, const WebPIterator *frame, struct firn_error *err)
{
    const size_t canvas = (size_t)w->width * (size_t)w->height * 3;
    const size_t inner = (size_t)frame->width * (size_t)frame->height * 4;
    if (canvas + inner > FIRN_MAX_DECODER_MEMORY)
        return firn_fail(err, FIRN_CONFIG,
                         "a WebP of %d x %d pixels needs %zu MiB, the limit is %zu: save it as a "
                         "JPEG", w->width, w->height, (canvas + inner) >> 20,
                         FIRN_MAX_DECODER_MEMORY >> 20);
    return 0;
}

static int decode(struct webp *w, const WebPIterator *frame, struct firn_error *err)
{
    WebPDecoderConfig config;
    int rc = check_memory(w, frame, err);
    if (!rc)
        rc = firn_band_need(&w->band, w->width, w->height, err);
    if (rc)
        return rc;
    if (frame->x_offset < 0 || frame->y_offset < 0 ||
        frame->width > w->width - frame->x_offset || frame->height > w->height - frame->y_offset ||
        !WebPInitDecoderConfig(&config))
        return corrupt(err);
    memset(w->band.memory.bytes, 0, w->band.stride * (size_t)w->height);
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = firn_band_row(&w->band, frame->y_offset) + 3 * frame->x_offset;
    config.output.u.RGBA.stride = (int)w->band.stride;
    config.output.u.RGBA.size =
        w->band.stride * (size_t)(frame->height - 1) + 3 * (size_t)frame->width;
    const VP8StatusCode status =
        WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
    WebPFreeDecBuffer(&config.output);
    if (status == VP8_STATUS_OUT_OF_MEMORY)
        return firn_fail_nomem(err, "the WebP decoder");
    return status == VP8_STATUS_OK ? 0 : corrupt(err);
}

static int start(void *self, const struct firn_window *window, bool partial,
                 struct firn_error *err)
{
    struct webp *w = self;
    WebPIterator frame;
    (void)window;
    (void)partial;
    if (!WebPDemuxGetFrame(w->demuxer, 1, &frame))
        return corrupt(err);
    const int rc = frame.complete ? decode(w, &frame, err) : corrupt(err);
    WebPDemuxReleaseIterator(&frame);
    return rc;
}

static int rows(void *self, struct firn_rows *out, struct firn_error *err)
{
    struct webp *w = self;
    (void)err;
    *out = (struct firn_rows){firn_band_row(&w->band, 0), w->band.stride, 0, 0, w->height};
    return 0;
}

static int finish(void *self, struct firn_image_info *info, struct firn_error *err)
{
    (void)self;
    (void)err;
    info->warnings = 0;
    return 0;
}

const struct firn_codec firn_codec_webp = {"WebP", create, destroy, open_webp,
                                           start,  rows,   finish,  close_webp};
