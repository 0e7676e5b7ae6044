/* SPDX-License-Identifier: MIT */
/** The list of formats, and what all of them need. */
#include "image/codec.h"

#include <string.h>

#include "base/error.h"
#include "base/thread.h"
#include "image/limits.h"
#include "image/sniff.h"

static bool is_jpeg(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

static bool is_png(const uint8_t *bytes, size_t size)
{
    return size >= 8 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8);
}

static bool is_pnm(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
           memchr(" \t\n\v\f\r", bytes[2], 6);
}

static bool is_bmp(const uint8_t *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 'B' && bytes[1] == 'M';
}

static bool is_tiff(const uint8_t *bytes, size_t size)
{
    return size >= 4 && (!memcmp(bytes, "II*\0", 4) || !memcmp(bytes, "MM\0*", 4) ||
                         !memcmp(bytes, "II+\0", 4));
}

static bool is_webp(const uint8_t *bytes, size_t size)
{
    return size >= 16 && !memcmp(bytes, "RIFF", 4) && !memcmp(bytes + 8, "WEBPVP8", 7) &&
           memchr(" LX", bytes[15], 3);
}

static const struct {
    bool (*sniff)(const uint8_t *bytes, size_t size);
    const struct firn_codec *codec;
    const char *format, *library;
} formats[FIRN_CODECS] = {
    {is_jpeg, &firn_codec_jpeg, "JPEG", "libjpeg"},
#if FIRN_WITH_PNG
    {is_png, &firn_codec_png, "PNG", "libspng"},
#else
    {is_png, NULL, "PNG", "libspng"},
#endif
    {is_pnm, &firn_codec_pnm, "PPM", ""},
    {is_bmp, &firn_codec_bmp, "BMP", ""},
#if FIRN_WITH_TIFF
    {is_tiff, &firn_codec_tiff, "TIFF", "libtiff"},
#else
    {is_tiff, NULL, "TIFF", "libtiff"},
#endif
#if FIRN_WITH_WEBP
    {is_webp, &firn_codec_webp, "WebP", "libwebp"},
#else
    {is_webp, NULL, "WebP", "libwebp"},
#endif
};

const struct firn_codec *firn_codec_at(int i)
{
    return formats[i].codec;
}

int firn_codec_find(const uint8_t *bytes, size_t size)
{
    for (int i = 0; i < FIRN_CODECS; i++)
        if (formats[i].sniff(bytes, size))
            return i;
    return -1;
}

int firn_codec_refuse(int found, const uint8_t *bytes, size_t size, struct firn_error *err)
{
    if (found >= 0) /* not corrupt: another build reads it */
        return firn_fail(err, FIRN_CONFIG, "this build cannot read %s (built without %s)",
                         formats[found].format, formats[found].library);
    if (size == 0)
        return firn_fail(err, FIRN_DATA, "the file is empty: copy it again from its source");
    return firn_fail(err, FIRN_DATA,
                     "not a photograph: the file is %s; convert it to JPEG or take it out",
                     firn_sniff(bytes, size));
}

bool firn_source_late(const struct firn_source *source)
{
    return firn_thread_cpu_ns() > source->deadline;
}

int firn_fail_late(struct firn_error *err)
{
    return firn_fail(err, FIRN_CONFIG,
                     "decoding took more than %d s of processor time, the limit for one "
                     "photograph: save it again in an ordinary form", FIRN_MAX_SECONDS);
}

int firn_check_size(int64_t width, int64_t height, struct firn_error *err)
{
    if (width < 1 || height < 1)
        return firn_fail(err, FIRN_DATA, "%lld x %lld pixels: nothing to see", (long long)width,
                         (long long)height);
    if (width > INT32_MAX || height > INT32_MAX || width * height > FIRN_MAX_PIXELS)
        return firn_fail(err, FIRN_CONFIG,
                         "%lld x %lld pixels are more than the limit of %lld (as Pillow's): make "
                         "it smaller",
                         (long long)width, (long long)height, (long long)FIRN_MAX_PIXELS);
    return 0;
}

int firn_band_need(struct firn_band *band, int width, int rows, struct firn_error *err)
{
    band->width = width;
    band->stride = (size_t)width * 3 + FIRN_ROW_SLACK;
    const size_t bytes = band->stride * (size_t)rows;
    if (bytes > FIRN_MAX_DECODER_MEMORY)
        return firn_fail(err, FIRN_CONFIG,
                         "%d x %d pixels that cannot be decoded row by row need %zu MiB, the limit "
                         "is %zu: save it as a JPEG",
                         width, rows, bytes >> 20, FIRN_MAX_DECODER_MEMORY >> 20);
    return firn_buffer_need(&band->memory, bytes) ? 0 : firn_fail_nomem(err, "rows of a decoder");
}

uint8_t *firn_band_row(const struct firn_band *band, int i)
{
    return (uint8_t *)band->memory.bytes + band->stride * (size_t)i;
}
