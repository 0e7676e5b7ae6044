/* SPDX-License-Identifier: MIT */
/**
 * Times the way from bytes to normalised crop: for each file named on stdin one line of CPU
 * nanoseconds, "total decode resize normalise whole fast"; bench_pixels.py puts them beside
 * Pillow's.
 *
 *   bench_pixels RESIZE CROP < list
 *
 * Total is firn_decode() and the table of normalised values; whole is the same without partial
 * decoding, fast the same with large photographs decoded at a fraction of their size. Decode and
 * resize are measured apart, each on the whole photograph: all rows out of the JPEG, and all rows
 * through both passes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "image/codec.h"
#include "image/geometry.h"
#include "image/image.h"
#include "image/resample.h"

static struct firn_image_spec spec;
static struct firn_decoder *decoder, *fast;
static const struct firn_codec *const codec = &firn_codec_jpeg;
static void *jpeg;
static struct firn_resampler resampler;
static uint8_t *rgb;
static float *tensor, table[3][256];

static void fill_table(void)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            table[c][v] = ((float)v / 255.0f - mean[c]) / std[c];
}

static uint8_t *read_whole(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*size + 1);
    const size_t got = fread(bytes, 1, *size, f);
    fclose(f);
    *size = got;
    return bytes;
}

static int64_t time_normalise(void)
{
    const int64_t start = firn_thread_cpu_ns();
    const size_t n = (size_t)spec.crop * spec.crop;
    for (size_t i = 0; i < n; i++)
        for (int c = 0; c < 3; c++)
            tensor[c * n + i] = table[c][rgb[3 * i + c]];
    return firn_thread_cpu_ns() - start;
}

static int64_t time_total(struct firn_decoder *d, const uint8_t *bytes, size_t size, bool partial,
                          struct firn_image_info *info)
{
    firn_decoder_tune(d, firn_cpu_best(), partial);
    const int64_t start = firn_thread_cpu_ns();
    if (firn_decode(d, bytes, size, rgb, info, NULL))
        abort();
    return firn_thread_cpu_ns() - start + time_normalise();
}

/* The whole photograph as rows, one stride apart. */
static uint8_t *decode_all(const uint8_t *bytes, size_t size, struct firn_rows *all, int64_t *ns)
{
    struct firn_image_info info = {0};
    struct firn_rows rows;
    const int64_t start = firn_thread_cpu_ns();
    const struct firn_source source = {bytes, size, INT64_MAX, 0};
    if (codec->open(jpeg, &source, &info, NULL))
        return NULL;
    const struct firn_window window = {0, info.width, 0, info.height};
    *all = (struct firn_rows){NULL, (size_t)info.width * 3 + FIRN_ROW_SLACK, 0, 0, info.height};
    uint8_t *pixels = malloc(all->stride * info.height + FIRN_ROW_SLACK);
    if (codec->start(jpeg, &window, false, NULL))
        abort();
    for (int y = 0; y < info.height; y += rows.n) {
        if (codec->rows(jpeg, &rows, NULL))
            abort();
        for (int i = 0; i < rows.n; i++)
            memcpy(pixels + all->stride * (y + i), rows.pixels + rows.stride * i,
                   (size_t)info.width * 3);
    }
    codec->finish(jpeg, &info, NULL);
    codec->close(jpeg);
    *ns = firn_thread_cpu_ns() - start;
    all->pixels = pixels;
    return pixels;
}

static int64_t time_resize(const struct firn_rows *all, int width)
{
    const int64_t start = firn_thread_cpu_ns();
    struct firn_geometry geometry;
    firn_geometry_center(&geometry, &spec, width, all->n);
    if (firn_resample_begin(&resampler, &geometry, rgb, spec.crop, NULL))
        abort();
    firn_resample_rows(&resampler, all);
    return firn_thread_cpu_ns() - start;
}

static void bench(const char *path)
{
    struct firn_image_info info;
    struct firn_rows all;
    size_t size;
    int64_t decode = 0;
    uint8_t *bytes = read_whole(path, &size);
    if (!bytes)
        abort();
    const int64_t total = time_total(decoder, bytes, size, true, &info);
    const int64_t whole = time_total(decoder, bytes, size, false, &info);
    const int64_t scaled = time_total(fast, bytes, size, true, &info);
    const int64_t normalise = time_normalise();
    uint8_t *pixels = decode_all(bytes, size, &all, &decode);
    const int64_t resize = time_resize(&all, info.width);
    printf("%lld %lld %lld %lld %lld %lld\n", (long long)total, (long long)decode,
           (long long)resize, (long long)normalise, (long long)whole, (long long)scaled);
    free(pixels);
    free(bytes);
}

int main(int argc, char **argv)
{
    char path[4096];
    if (argc != 3)
        return 2;
    spec = (struct firn_image_spec){.resize = atoi(argv[1]), .crop = atoi(argv[2])};
    rgb = malloc((size_t)spec.crop * spec.crop * 3);
    tensor = malloc((size_t)spec.crop * spec.crop * 3 * sizeof *tensor);
    jpeg = codec->create();
    resampler.kernels = firn_row_kernels_choose(firn_cpu_best());
    if (!rgb || !tensor || !jpeg || firn_decoder_create(&decoder, &spec, NULL))
        return 1;
    spec.fast = true;
    if (firn_decoder_create(&fast, &spec, NULL))
        return 1;
    fill_table();
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = 0;
        bench(path);
    }
    firn_decoder_destroy(decoder);
    firn_decoder_destroy(fast);
    firn_resample_free(&resampler);
    codec->destroy(jpeg);
    free(rgb);
    free(tensor);
}
