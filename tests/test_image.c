/* SPDX-License-Identifier: MIT */
/** Crops against golden values of Pillow and torchvision, and what is refused with which words. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "image/geometry.h"
#include "image/image.h"
#include "image/resample.h"
#include "image_tools.h"

static void test_jpegs(void)
{
    for (size_t i = 0; i < GOLDEN_JPEGS; i++) {
        const struct golden_jpeg *g = &golden_jpegs[i];
        const struct firn_image_spec spec = {.resize = g->resize, .crop = g->crop};
        const size_t rgb_size = (size_t)g->crop * g->crop * 3;
        struct firn_image_info info;
        struct firn_error err = {0};
        struct firn_decoder *decoder;
        size_t size;
        uint8_t *bytes = golden_bytes(g, &size), *rgb = malloc(rgb_size);
        CHECK_INT(firn_decoder_create(&decoder, &spec, &err), 0);
        for (int again = 0; again < 2; again++) {
            const int rc = firn_decode(decoder, bytes, size, rgb, &info, &err);
            CHECK_INT(rc, g->hash ? 0 : -FIRN_DATA);
            CHECK(rc || fnv(rgb, rgb_size) == g->hash, "(%s)", g->name);
            CHECK(rc || strcmp(info.format, "JPEG") == 0, "(%s)", g->name);
        }
        firn_decoder_destroy(decoder);
        free(bytes);
        free(rgb);
    }
}

/* Hands over rows in uneven portions, from a column and a row of its own choice. */
static void feed(struct firn_resampler *r, int width, int height)
{
    const struct firn_window w = firn_resample_window(r);
    const size_t stride = (size_t)(w.x1 - w.x0) * 3 + FIRN_ROW_SLACK;
    CHECK(w.x0 >= 0 && w.x1 <= width && w.y0 >= 0 && w.y1 <= height);
    for (int y = w.y0, n = 1; y < w.y1; y += n, n = n % 37 + 1) {
        uint8_t *pixels = malloc(stride * n);
        for (int row = 0; row < n; row++)
            for (int x = w.x0; x < w.x1; x++)
                for (int c = 0; c < 3; c++)
                    pixels[row * stride + (size_t)(x - w.x0) * 3 + c] =
                        (uint8_t)((x * 7 + (y + row) * 13 + c * 31) ^ (x * (y + row) >> 3));
        firn_resample_rows(r, &(struct firn_rows){pixels, stride, w.x0, y, n});
        free(pixels);
    }
}

static void test_resizes(void)
{
    struct firn_resampler r = {.kernels = firn_row_kernels_choose(firn_cpu_best())};
    for (size_t i = 0; i < sizeof golden_resizes / sizeof *golden_resizes; i++) {
        const struct golden_resize *g = &golden_resizes[i];
        const struct firn_image_spec spec = {.resize = g->resize, .crop = g->crop};
        const size_t rgb_size = (size_t)g->crop * g->crop * 3;
        struct firn_geometry geometry;
        uint8_t *rgb = malloc(rgb_size);
        firn_geometry_center(&geometry, &spec, g->width, g->height);
        CHECK_INT(firn_resample_begin(&r, &geometry, rgb, g->crop, NULL), 0);
        feed(&r, g->width, g->height);
        CHECK(fnv(rgb, rgb_size) == g->hash, "(%dx%d to %d/%d)", g->width, g->height, g->resize,
              g->crop);
        free(rgb);
    }
    firn_resample_free(&r);
}

/* Python's round() and int(), by hand for the cases where C would do otherwise. */
static void test_geometry(void)
{
    static const int differences[][2] = {{1, 0}, {3, 2}, {5, 2}, {7, 4}, {9, 4}, {11, 6}, {2, 1}};
    struct firn_geometry g;
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++) {
        const struct firn_image_spec spec = {.resize = 224 + differences[i][0], .crop = 224};
        firn_geometry_center(&g, &spec, 1000, 1000);
        CHECK_INT(g.x.first, differences[i][1]);
        CHECK_INT(g.y.first, differences[i][1]);
    }
    firn_geometry_center(&g, &(struct firn_image_spec){.resize = 256, .crop = 224}, 500, 375);
    CHECK_INT(g.x.out, 341);
    CHECK_INT(g.y.out, 256);
    CHECK_INT(g.x.first, 58);
    firn_geometry_center(&g, &(struct firn_image_spec){.resize = 20, .crop = 25}, 65500, 1);
    CHECK_INT(g.x.out, 1310000);
    CHECK_INT(g.y.pad, 2);
    CHECK_INT(g.y.count, 20);
}

/* FIRN_DATA; where the library is missing that would read the format, FIRN_CONFIG. */
static void check_refused(const char *bytes, size_t size, const char *word)
{
    const struct firn_image_spec spec = {.resize = 8, .crop = 8};
    struct firn_error err = {0};
    struct firn_decoder *decoder;
    uint8_t rgb[8 * 8 * 3];
    CHECK_INT(firn_decoder_create(&decoder, &spec, &err), 0);
    const int rc = firn_decode(decoder, (const uint8_t *)bytes, size, rgb, NULL, &err);
    CHECK(rc == -FIRN_DATA || (rc == -FIRN_CONFIG && strstr(err.text, "built without")), "(%d)",
          rc);
    CHECK(strstr(err.text, word), "(\"%s\" does not name %s)", err.text, word);
    CHECK_INT((int)err.code, -rc);
    firn_decoder_destroy(decoder);
}

#define REFUSED(literal, word) check_refused(literal, sizeof(literal) - 1, word)

static void test_refusals(void)
{
    REFUSED("", "empty");
    REFUSED("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG");
    REFUSED("GIF89a\1\0\1\0", "GIF");
    REFUSED("\0\0\0\x18" "ftypheic\0\0\0\0", "HEIC");
    REFUSED("\0\0\0\x18" "ftypavif\0\0\0\0", "AVIF");
    REFUSED("RIFF\x10\0\0\0WEBPVP8 ", "WebP");
    REFUSED("\n<!DOCTYPE html><title>404</title>", "web page");
    REFUSED("<HTML>", "web page");
    REFUSED("not found\n", "text");
    REFUSED("\0\0\0\0\0\0\0\0\0\0", "zero");
    REFUSED("P6 1 1 255\n..", "PPM");
    REFUSED("BM0000", "BMP");
    REFUSED("II*\0\10\0\0\0\0\0\0\0\0\0\0\0", "TIFF");
    REFUSED("\xff\xd8", "JPEG");
    REFUSED("\xff\xd8\xff", "truncated");
    REFUSED("\xff\xd8\xff\xd9", "truncated");
    REFUSED("\1\2\3\4\5", "unknown");
}

static void test_specs(void)
{
    static const struct firn_image_spec bad[] = {
        {.resize = 0, .crop = 1},       {.resize = 1, .crop = 0},     {.resize = -1, .crop = 5},
        {.resize = 5, .crop = 1 << 20}, {.resize = 99999, .crop = 5},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct firn_decoder *decoder;
        struct firn_error err = {0};
        CHECK_INT(firn_decoder_create(&decoder, &bad[i], &err), -FIRN_USAGE);
        CHECK(decoder == NULL);
    }
    firn_decoder_destroy(NULL);
}

static void test_preview(void)
{
    const struct golden_jpeg *g = &golden_jpegs[0];
    const struct firn_image_spec spec = {.resize = g->resize, .crop = g->crop};
    char folder[] = "firn-preview-XXXXXX", path[64], fifo[64];
    struct firn_image_info info;
    struct firn_error err = {0};
    size_t size;
    uint8_t rgb[64 * 64 * 3], *bytes = golden_bytes(g, &size);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/a.jpg", folder);
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    CHECK_INT(firn_preview(path, &spec, rgb, &info, NULL, &err), -FIRN_NOINPUT);
    CHECK(strstr(err.text, path) && strstr(err.text, "No such file"), "(%s)", err.text);
    FILE *f = fopen(path, "wb");
    CHECK_INT(fwrite(bytes, 1, size, f), size);
    fclose(f);
    CHECK_INT(firn_preview(path, &spec, rgb, &info, NULL, &err), 0);
    CHECK(fnv(rgb, (size_t)g->crop * g->crop * 3) == g->hash);
    CHECK_INT(info.width, 1);
    CHECK_INT(truncate(path, 40), 0);
    CHECK_INT(firn_preview(path, &spec, rgb, &info, NULL, NULL), -FIRN_DATA);
    CHECK_INT(firn_preview(path, &spec, rgb, &info, NULL, &err), -FIRN_DATA);
    CHECK(strstr(err.text, path) && strstr(err.text, "truncated"), "(%s)", err.text);
    CHECK_INT(truncate(path, 0), 0);
    CHECK_INT(firn_preview(path, &spec, rgb, &info, NULL, &err), -FIRN_DATA);
    CHECK_INT(firn_preview(folder, &spec, rgb, &info, NULL, &err), -FIRN_NOINPUT);
    CHECK_INT(mkfifo(fifo, 0600), 0);
    CHECK_INT(firn_preview(fifo, &spec, rgb, &info, NULL, &err), -FIRN_NOINPUT);
    unlink(fifo);
    unlink(path);
    rmdir(folder);
    free(bytes);
}

/* A new hash here means that decoding or resizing changed, and with it every feature. */
static void test_fingerprint(void)
{
    struct firn_fingerprint fp = {0};
    struct firn_error err = {0};
    const struct firn_image_spec spec = {.resize = 232, .crop = 224};
    CHECK_INT(firn_image_fingerprint(&spec, &fp, &err), 0);
    CHECK_STR(fp.part[FIRN_PART_PREPROCESS],
              "resize=232 crop=224 filter=pillow-bilinear color=rgb mean=0.485,0.456,0.406 "
              "std=0.229,0.224,0.225 exif=ignore decode=exact views=center "
              "probe=" GOLDEN_PROBE);
}

int main(void)
{
    test_fingerprint();
    test_geometry();
    test_resizes();
    test_jpegs();
    test_refusals();
    test_specs();
    test_preview();
    CHECK_DONE();
}
