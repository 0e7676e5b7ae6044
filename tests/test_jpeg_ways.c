/* SPDX-License-Identifier: MIT */
/**
 * JPEGs of every kind that the library writes, sound and damaged, must give the same bytes, verdict
 * and words whether firn decodes only what the crop needs, with its own Huffman decoder, or leaves
 * all of it to the library.
 *
 *   test_jpeg_ways [PHOTOGRAPHS [SEED]]
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "check.h"
#include "image/image.h"

#define DAMAGES 12 /* of each photograph */
#define MOST 32    /* largest crop */

static unsigned long long seed = 1;

/* Of crops: inside, of the whole of a square one, and small enough for every scale. */
static const struct firn_image_spec specs[] = {
    {.resize = 27, .crop = 24},
    {.resize = 32, .crop = 32},
    {.resize = 12, .crop = 11, .fast = true},
    {.resize = 5, .crop = 3, .fast = true},
    {.resize = 20, .crop = 3},
};
#define EVERY_ROW 1 /* the one whose crop is as high as a photograph that is not upright */
#define SPECS (sizeof specs / sizeof *specs)

static struct firn_decoder *partial[SPECS], *whole[SPECS];
static unsigned accepted, warned, refused;

static unsigned chance(unsigned below)
{
    return (unsigned)(check_random(&seed) >> 33) % below;
}

/* ---- photographs ---- */

static void set_sampling(struct jpeg_compress_struct *c)
{
    static const int common[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {2, 2}};
    const int *which = common[chance(sizeof common / sizeof *common)];
    for (int i = 0; i < c->num_components; i++) {
        const bool full = i == 0 || i == 3;
        c->comp_info[i].h_samp_factor = full ? which[0] : 1;
        c->comp_info[i].v_samp_factor = full ? which[1] : 1;
        if (chance(12) == 0) {
            c->comp_info[i].h_samp_factor = 1 + (int)chance(4);
            c->comp_info[i].v_samp_factor = 1 + (int)chance(2);
        }
    }
}

static void set_up(struct jpeg_compress_struct *c)
{
    static const int modes[] = {1, 3, 3, 3, 4};
    c->input_components = modes[chance(5)];
    c->in_color_space = c->input_components == 1   ? JCS_GRAYSCALE
                        : c->input_components == 3 ? JCS_RGB
                                                   : JCS_CMYK;
    jpeg_set_defaults(c);
    if (c->input_components == 4 && chance(2))
        jpeg_set_colorspace(c, JCS_YCCK);
    if (c->input_components == 3 && chance(6) == 0)
        jpeg_set_colorspace(c, JCS_RGB);
    jpeg_set_quality(c, 1 + (int)chance(100), TRUE);
    set_sampling(c);
    c->optimize_coding = chance(2);
    if (chance(3) == 0)
        c->restart_interval = 1 + chance(9);
    else if (chance(4) == 0)
        c->restart_in_rows = 1 + (int)chance(2);
    if (chance(12) == 0)
        jpeg_simple_progression(c);
    if (chance(16) == 0)
        c->arith_code = TRUE;
}

static jmp_buf escape;

static void on_error(j_common_ptr c)
{
    jpeg_destroy(c);
    longjmp(escape, 1);
}

static void on_message(j_common_ptr c)
{
    (void)c;
}

/* A few gradients and grain, so that blocks are empty, sparse and full. */
static void fill_row(uint8_t *row, int n, int y, unsigned grain)
{
    for (int x = 0; x < n; x++)
        row[x] = (uint8_t)(x * 3 + y * 5 + (x / 40 * 90 ^ y / 24 * 70) + (int)chance(grain + 1));
}

/* The library refuses some samplings; then another photograph is drawn. */
static uint8_t *make(size_t *size)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    static uint8_t row[400 * 4], *bytes;
    static unsigned long length;
    JSAMPROW rows[1] = {row};
    setjmp(escape);
    free(bytes);
    bytes = NULL;
    length = 0;
    c.err = jpeg_std_error(&errors);
    errors.error_exit = on_error;
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &bytes, &length);
    c.image_width = c.image_height = 1 + chance(chance(4) ? 90 : 400);
    if (chance(3))
        c.image_height = 1 + chance(120);
    set_up(&c);
    const unsigned grain = chance(3) ? chance(40) : 0;
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        fill_row(row, (int)c.image_width * c.input_components, (int)c.next_scanline, grain);
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    uint8_t *const made = bytes;
    bytes = NULL;
    *size = length;
    return made;
}

/* ---- damage ---- */

static size_t find_scan(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++)
        if (bytes[i] == 0xFF && bytes[i + 1] == 0xDA)
            return i;
    return 0;
}

/* Puts `n` bytes in at `at`; there is room. */
static size_t insert(uint8_t *bytes, size_t size, size_t at, const void *what, size_t n)
{
    memmove(bytes + at + n, bytes + at, size - at);
    memcpy(bytes + at, what, n);
    return size + n;
}

/* One fault, mostly in the coded data; returns the new size. */
static size_t damage(uint8_t *bytes, size_t size)
{
    static const uint8_t markers[] = {0x00, 0xFF, 0xD0, 0xD1, 0xD7, 0xD9, 0xDA, 0xC4, 0xDD, 0x01};
    const size_t scan = find_scan(bytes, size), from = chance(6) ? scan : 0;
    const size_t at = from + chance((unsigned)(size - from));
    const uint8_t marker[2] = {0xFF, markers[chance(sizeof markers)]};
    switch (chance(8)) {
    case 0:
        return at;
    case 1:
        return insert(bytes, size, at, marker, 2);
    case 2:
        return insert(bytes, size, at, marker, 1);
    case 3:
        memmove(bytes + at, bytes + at + 1, size - at - 1);
        return size - 1;
    case 4: /* another marker, or a stuffed zero less */
        for (size_t i = at; i + 1 < size; i++)
            if (bytes[i] == 0xFF) {
                bytes[i + 1] = marker[1];
                break;
            }
        return size;
    case 5:
        memset(bytes + at, chance(2) ? 0xFF : 0, chance(9) % (size - at));
        return size;
    default:
        bytes[at] ^= (uint8_t)(1 << chance(8));
        return size;
    }
}

/* ---- both ways ---- */

/* Of the library's own decoder, when the last row has come; -1: it refuses. */
static long warnings_of_rows(const uint8_t *bytes, size_t size)
{
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    static uint8_t row[65536 * 4];
    JSAMPROW rows[1] = {row};
    d.err = jpeg_std_error(&errors);
    errors.error_exit = on_error;
    errors.output_message = on_message;
    if (setjmp(escape))
        return -1;
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, bytes, size);
    jpeg_read_header(&d, TRUE);
    jpeg_start_decompress(&d);
    while (d.output_scanline < d.output_height)
        jpeg_read_scanlines(&d, rows, 1);
    const long warnings = errors.num_warnings;
    jpeg_destroy_decompress(&d);
    return warnings;
}

static void compare(const uint8_t *bytes, size_t size, bool sound)
{
    uint8_t *const exact = malloc(size ? size : 1); /* so that a step past the end is seen */
    static uint8_t a[MOST * MOST * 3], b[MOST * MOST * 3];
    if (size)
        memcpy(exact, bytes, size);
    for (size_t i = 0; i < SPECS; i++) {
        struct firn_error err = {.text = ""}, same = {.text = ""};
        struct firn_image_info info = {0}, other = {0};
        const int rc = firn_decode(partial[i], exact, size, a, &info, &err);
        CHECK_INT(firn_decode(whole[i], exact, size, b, &other, &same), rc);
        CHECK_STR(err.text, same.text);
        CHECK(rc || !memcmp(a, b, firn_crop_bytes(&specs[i])));
        CHECK(rc || info.warnings <= other.warnings); /* behind the window nothing is looked at */
        if (!rc && !info.warnings && info.width >= info.height && i == EVERY_ROW)
            CHECK_INT(warnings_of_rows(exact, size), 0);
        CHECK(!sound || (!rc && info.warnings == 0 && other.warnings == 0), "(%s)", err.text);
        accepted += !rc && !info.warnings;
        warned += !rc && info.warnings;
        refused += !!rc;
    }
    free(exact);
}

static void test_photograph(void)
{
    size_t size;
    uint8_t *bytes = make(&size), *const damaged = malloc(size + 64);
    compare(bytes, size, true);
    for (int i = 0; i < DAMAGES; i++) {
        size_t now = size;
        memcpy(damaged, bytes, size);
        for (unsigned n = 1 + chance(3); n && now > 64; n--)
            now = damage(damaged, now);
        compare(damaged, now, false);
    }
    free(damaged);
    free(bytes);
}

/* Cut off at every byte. */
static void test_truncation(void)
{
    size_t size;
    uint8_t *const bytes = make(&size);
    for (size_t n = size > 3000 ? 3000 : size; n-- > 0;)
        compare(bytes, n, false);
    free(bytes);
}

int main(int argc, char **argv)
{
    const int photographs = argc > 1 ? atoi(argv[1]) : 150;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (size_t i = 0; i < SPECS; i++) {
        if (firn_decoder_create(&partial[i], &specs[i], NULL) ||
            firn_decoder_create(&whole[i], &specs[i], NULL))
            return 1;
        firn_decoder_tune(whole[i], firn_cpu_best(), false);
    }
    for (int i = 0; i < photographs && !check_failed; i++)
        test_photograph();
    for (int i = 0; i < 1 + photographs / 200 && !check_failed; i++)
        test_truncation();
    if (check_failed)
        fprintf(stderr, "photographs %d, seed %s\n", photographs, argc > 2 ? argv[2] : "1");
    CHECK(accepted > refused / 20 && warned > refused / 20 && refused > 0,
          "(%u sound, %u with warnings, %u refused)", accepted, warned, refused);
    printf("%u sound, %u with warnings, %u refused\n", accepted, warned, refused);
    for (size_t i = 0; i < SPECS; i++) {
        firn_decoder_destroy(partial[i]);
        firn_decoder_destroy(whole[i]);
    }
    CHECK_DONE();
}
