/* SPDX-License-Identifier: MIT */
/** The way from bytes to crop: type, header, limits, rows, resize. */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "image/geometry.h"
#include "image/jpeg.h"
#include "image/limits.h"
#include "image/resample.h"
#include "image/sniff.h"

struct firn_decoder {
    struct firn_image_spec spec;
    struct firn_jpeg *jpeg;
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
    decoder->jpeg = firn_jpeg_create();
    if (!decoder->jpeg) {
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
    firn_jpeg_destroy(decoder->jpeg);
    firn_resample_free(&decoder->resampler);
    free(decoder);
}

void firn_decoder_tune(struct firn_decoder *decoder, enum firn_cpu level, bool partial)
{
    decoder->resampler.kernels = firn_row_kernels_choose(level);
    decoder->partial = partial;
}

static int refuse(const uint8_t *bytes, size_t size, struct firn_error *err)
{
    const char *what = firn_sniff(bytes, size);
    if (size == 0)
        return firn_fail(err, FIRN_DATA, "the file is empty: copy it again from its source");
    return firn_fail(err, FIRN_DATA,
                     "not a JPEG: the file is %s; convert it to JPEG or take it out", what);
}

static int decode_jpeg(struct firn_decoder *d, const uint8_t *bytes, size_t size, uint8_t *rgb,
                       struct firn_image_info *info, struct firn_error *err)
{
    struct firn_geometry geometry;
    struct firn_rows rows;
    int rc = firn_jpeg_open(d->jpeg, bytes, size, info, err);
    if (rc)
        return rc;
    firn_geometry_center(&geometry, &d->spec, info->width, info->height);
    rc = firn_resample_begin(&d->resampler, &geometry, rgb, d->spec.crop, err);
    if (rc)
        return rc;
    const struct firn_window window = firn_resample_window(&d->resampler);
    rc = firn_jpeg_start(d->jpeg, &window, d->partial, err);
    for (int y = 0; !rc && y < window.y1; y = rows.y + rows.n) {
        rc = firn_jpeg_rows(d->jpeg, &rows, err);
        if (!rc)
            firn_resample_rows(&d->resampler, &rows);
    }
    return rc ? rc : firn_jpeg_finish(d->jpeg, info, err);
}

int firn_decode(struct firn_decoder *decoder, const uint8_t *bytes, size_t size, uint8_t *rgb,
                struct firn_image_info *info, struct firn_error *err)
{
    struct firn_image_info found = {.format = "JPEG"};
    if (!firn_jpeg_sniff(bytes, size))
        return refuse(bytes, size, err);
    const int rc = decode_jpeg(decoder, bytes, size, rgb, &found, err);
    firn_jpeg_close(decoder->jpeg);
    if (!rc && info)
        *info = found;
    return rc;
}
