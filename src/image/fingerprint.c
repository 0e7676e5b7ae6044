/* SPDX-License-Identifier: MIT */
/** The preprocess part of the fingerprint. */
#include "image/image.h"

#include <stdio.h>

#include "base/error.h"
#include "base/hash.h"
#include "image/probes.h"
#include "image/views.h"

/*
 * All probes are JPEGs: there libraries may differ and keep to the standard. Of the other formats
 * the standard says every pixel, and a build without them must have the same fingerprint.
 *
 * Down-scaling of the probes with both passes at work, and a crop of odd difference.
 */
static const struct firn_image_spec probe_spec = {.resize = 28, .crop = 25};

static const struct {
    const uint8_t *bytes;
    size_t size;
} probes[] = {
    {probe_baseline_420, sizeof probe_baseline_420},
    {probe_progressive_422, sizeof probe_progressive_422},
    {probe_baseline_444, sizeof probe_baseline_444},
    {probe_gray, sizeof probe_gray},
    {probe_cmyk, sizeof probe_cmyk},
};

/* Small enough that the probes are decoded at 1/2 or less. */
static const struct firn_image_spec fast_probe_spec = {.resize = 12, .crop = 11, .fast = true};

static int hash_probes(struct firn_decoder *decoder, int crop, uint8_t digest[FIRN_HASH_SIZE],
                       struct firn_error *err)
{
    uint8_t rgb[25 * 25 * 3];
    struct firn_hasher hasher;
    firn_hash_init(&hasher);
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        const int rc = firn_decode(decoder, probes[i].bytes, probes[i].size, rgb, NULL, err);
        if (rc)
            return rc;
        firn_hash_update(&hasher, rgb, (size_t)crop * crop * 3);
    }
    firn_hash_final(&hasher, digest);
    return 0;
}

int firn_image_fingerprint(const struct firn_image_spec *spec, struct firn_fingerprint *fp,
                           struct firn_error *err)
{
    struct firn_decoder *decoder;
    uint8_t digest[FIRN_HASH_SIZE];
    char probe[17], views[64], *part = fp->part[FIRN_PART_PREPROCESS];
    int rc = firn_spec_check(spec, err);
    if (!rc)
        rc = firn_decoder_create(&decoder, spec->fast ? &fast_probe_spec : &probe_spec, err);
    if (rc)
        return rc;
    rc = hash_probes(decoder, spec->fast ? fast_probe_spec.crop : probe_spec.crop, digest, err);
    firn_decoder_destroy(decoder);
    if (rc)
        return rc;
    firn_hex(digest, 8, probe);
    firn_views_text(&spec->views, views, sizeof views);
    snprintf(part, sizeof fp->part[0],
             "resize=%d crop=%d filter=pillow-bilinear color=rgb mean=0.485,0.456,0.406 "
             "std=0.229,0.224,0.225 exif=%s decode=%s views=%s probe=%s",
             spec->resize, spec->crop, spec->turn ? "apply" : "ignore",
             spec->fast ? "fast" : "exact", views, probe);
    return 0;
}
