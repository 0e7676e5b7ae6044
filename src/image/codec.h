/* SPDX-License-Identifier: MIT */
/** What a decoder of a format is: bytes in, rows of RGB out, with Pillow's pixels and verdicts. */
#ifndef FIRN_SRC_IMAGE_CODEC_H
#define FIRN_SRC_IMAGE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"
#include "firn/image.h"
#include "image/resample.h"

/** One photograph for a codec. */
struct firn_source {
    const uint8_t *bytes; /**< stay until close() */
    size_t size;
    int64_t deadline;     /**< of the thread's CPU time, nanoseconds; see firn_source_late() */
    int shorter;          /**< a shorter side of so many pixels is enough; 0: all of it */
};

/**
 * A format. `self` is one thread's decoder, used for one photograph after another, in this order:
 *
 *     create, { open, [start, rows..., finish], close }, destroy
 *
 * Failures are FIRN_DATA (corrupt, or not a kind that Pillow reads), FIRN_CONFIG (beyond a limit
 * or left out on purpose) and FIRN_NOMEM; the text is the reason alone.
 */
struct firn_codec {
    const char *format; /**< "PNG" */
    /** NULL when memory is out. */
    void *(*create)(void);
    void (*destroy)(void *self);
    /**
     * Reads the header and checks the limits of this format. Fills info->width and ->height, and
     * what is not 1 of ->orientation (where Pillow would leave it to the caller) and ->scale.
     */
    int (*open)(void *self, const struct firn_source *source, struct firn_image_info *info,
                struct firn_error *err);
    /**
     * Begins to decode; only `window` will be looked at. With `partial`, what lies around it may
     * be left undecoded as far as that changes neither a byte of the window nor the verdict. From
     * then on -EAGAIN may come: these bytes are to be opened once more, and without it.
     */
    int (*start)(void *self, const struct firn_window *window, bool partial,
                 struct firn_error *err);
    /**
     * The next rows, at least one, from at or above window.y0 on and covering the window's
     * columns; they stay valid until the next call.
     */
    int (*rows)(void *self, struct firn_rows *rows, struct firn_error *err);
    /** The verdict on what is left when the window is complete; fills info->warnings. */
    int (*finish)(void *self, struct firn_image_info *info, struct firn_error *err);
    /** Drops the photograph, wherever it was. */
    void (*close)(void *self);
};

extern const struct firn_codec firn_codec_jpeg, firn_codec_png, firn_codec_pnm, firn_codec_bmp,
    firn_codec_tiff, firn_codec_webp;

/** Formats that firn knows, readable in this build or not. */
#define FIRN_CODECS 6

/** Entry `i` of them, NULL where this build lacks it. */
const struct firn_codec *firn_codec_at(int i);

/** Which one these bytes are for, by what they begin with; -1 for none. */
int firn_codec_find(const uint8_t *bytes, size_t size);

/** Refuses a photograph that firn_codec_find() has no codec for. */
int firn_codec_refuse(int found, const uint8_t *bytes, size_t size, struct firn_error *err);

/** True when this photograph has used up its CPU time. */
bool firn_source_late(const struct firn_source *source);
int firn_fail_late(struct firn_error *err);

/** Refuses sizes that are nothing or beyond the limit. */
int firn_check_size(int64_t width, int64_t height, struct firn_error *err);

/** Memory for rows of one photograph, kept for the next. All zero is an empty one. */
struct firn_band {
    struct firn_buffer memory;
    size_t stride; /**< bytes from row to row */
    int width;     /**< pixels */
};

/** Room for `rows` rows of `width` RGB pixels; FIRN_CONFIG beyond the limit on memory. */
int firn_band_need(struct firn_band *band, int width, int rows, struct firn_error *err);

/** Row `i` of the band. */
uint8_t *firn_band_row(const struct firn_band *band, int i);

#endif
