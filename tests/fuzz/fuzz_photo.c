/* SPDX-License-Identifier: MIT */
/**
 * One format's decoder on arbitrary bytes, for libFuzzer; with plain_main.c an ordinary program.
 *
 * Built once for each codec (FIRN_FUZZ names it), so that every byte of the fuzzer's work goes into
 * that one. Bytes that begin as another format does are put right first. The crop must be the same
 * whether the decoder leaves out what the crop does not need or not.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/codec.h"
#include "image/image.h"

#define CROP 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *format, *magic;
    size_t length;
} magics[] = {
    {"JPEG", "\xff\xd8\xff", 3},
    {"PNG", "\x89PNG\r\n\x1a\n", 8},
    {"PPM", "P3 ", 3},
    {"BMP", "BM", 2},
    {"TIFF", "II*\0", 4},
    {"WebP", "RIFF\x40\0\0\0WEBPVP8 ", 16},
};

static struct firn_decoder *make(bool turn, bool fast, bool partial, const char *views)
{
    struct firn_image_spec spec = {.resize = CROP + 3, .crop = CROP, .turn = turn, .fast = fast};
    struct firn_decoder *decoder;
    if (firn_views_parse(&spec.views, views, NULL) || firn_decoder_create(&decoder, &spec, NULL))
        abort();
    firn_decoder_tune(decoder, firn_cpu_best(), partial);
    return decoder;
}

/* The bytes in memory of their own size, so that a step past the end is seen. */
static uint8_t *own_copy(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes)
        abort();
    memcpy(bytes, data, size);
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        const int found = firn_codec_find(bytes, size);
        const bool mine = found >= 0 && firn_codec_at(found) == &FIRN_FUZZ;
        if (!mine && !strcmp(magics[i].format, FIRN_FUZZ.format) && size >= magics[i].length)
            memcpy(bytes, magics[i].magic, magics[i].length);
    }
    return bytes;
}

/* The same bytes and the same words, with `partial` or without. */
static void same_both_ways(bool turn, bool fast, const char *views, struct firn_decoder **pair,
                           const uint8_t *bytes, size_t size)
{
    static uint8_t rgb[2][10 * CROP * CROP * 3];
    struct firn_error err[2] = {{.text = ""}, {.text = ""}};
    int rc[2];
    memset(rgb, 0, sizeof rgb);
    for (int i = 0; i < 2; i++) {
        if (!pair[i])
            pair[i] = make(turn, fast, i == 0, views);
        rc[i] = firn_decode(pair[i], bytes, size, rgb[i], NULL, &err[i]);
    }
    if (rc[0] != rc[1] || strcmp(err[0].text, err[1].text) ||
        (!rc[0] && memcmp(rgb[0], rgb[1], sizeof rgb[0])))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct firn_decoder *plain[2], *other[2];
    uint8_t *bytes = own_copy(data, size);
    same_both_ways(false, false, "random:3", plain, bytes, size);
    same_both_ways(true, true, "ten", other, bytes, size);
    free(bytes);
    return 0;
}
