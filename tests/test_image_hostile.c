/* SPDX-License-Identifier: MIT */
/**
 * Damaged and malicious JPEGs: whatever the bytes, a crop or a refusal, within the limits. The test
 * is that nothing crashes (run it under sanitizers), hangs (meson's timeout) or grows, and that
 * decoding only what the crop needs gives the same bytes and the same verdict.
 */
#include <sys/resource.h>

#include "check.h"
#include "image/image.h"
#include "image/limits.h"
#include "image_tools.h"

#define CROP 24

static struct firn_decoder *decoder, *whole;

static int decode(const uint8_t *bytes, size_t size, struct firn_error *err)
{
    uint8_t rgb[CROP * CROP * 3], same[CROP * CROP * 3];
    struct firn_image_info info;
    uint8_t *exact = malloc(size ? size : 1); /* so that a step past the end is seen */
    memcpy(exact, bytes, size);
    const int rc = firn_decode(decoder, exact, size, rgb, &info, err);
    CHECK_INT(firn_decode(whole, exact, size, same, NULL, NULL), rc);
    CHECK(rc || !memcmp(rgb, same, sizeof rgb), "(partial and whole differ)");
    free(exact);
    CHECK(rc == 0 || (rc == -(int)err->code && err->text[0] && !strchr(err->text, '\n')),
          "(%d: %s)", rc, err->text);
    return rc;
}

static void test_truncation(void)
{
    struct firn_error err;
    for (size_t i = 0; i < GOLDEN_JPEGS; i++) {
        size_t size;
        uint8_t *bytes = golden_bytes(&golden_jpegs[i], &size);
        for (int percent = 0; percent < 100; percent++)
            decode(bytes, size * percent / 100, &err);
        free(bytes);
    }
}

static void test_flips(int rounds)
{
    unsigned long long seed = 1;
    unsigned accepted = 0, refused = 0;
    struct firn_error err;
    for (int round = 0; round < rounds; round++) {
        size_t size;
        uint8_t *bytes = golden_bytes(&golden_jpegs[check_random(&seed) % GOLDEN_JPEGS], &size);
        for (int n = 1 + check_random(&seed) % 8; n; n--) {
            const unsigned long long r = check_random(&seed);
            bytes[r % size] = (r >> 60) < 4 ? 0xFF : (uint8_t)(r >> 32);
        }
        if (decode(bytes, size, &err))
            refused++;
        else
            accepted++;
        free(bytes);
    }
    CHECK(accepted > 0 && refused > 0, "(%u, %u)", accepted, refused);
}

static void test_zero_bytes(void)
{
    struct firn_error err;
    uint8_t *zeros = calloc(1, 70000);
    CHECK_INT(decode(zeros, 70000, &err), -FIRN_DATA);
    memcpy(zeros, "\xff\xd8\xff", 3);
    CHECK_INT(decode(zeros, 70000, &err), -FIRN_DATA);
    free(zeros);
}

static const struct golden_jpeg *golden(const char *name)
{
    for (size_t i = 0; i < GOLDEN_JPEGS; i++)
        if (!strcmp(golden_jpegs[i].name, name))
            return &golden_jpegs[i];
    abort();
}

/* Where the first segment with this marker begins. */
static size_t find_marker(const uint8_t *bytes, size_t size, uint8_t marker)
{
    for (size_t at = 2; at + 4 < size; at += 2 + (bytes[at + 2] << 8 | bytes[at + 3]))
        if (bytes[at + 1] == marker)
            return at;
    return 0;
}

static void set_size(uint8_t *bytes, size_t size, unsigned width, unsigned height)
{
    size_t at = find_marker(bytes, size, 0xC0);
    at = at ? at : find_marker(bytes, size, 0xC2);
    bytes[at + 5] = (uint8_t)(height >> 8);
    bytes[at + 6] = (uint8_t)height;
    bytes[at + 7] = (uint8_t)(width >> 8);
    bytes[at + 8] = (uint8_t)width;
}

static void test_giants(void)
{
    static const struct {
        const char *name;
        unsigned width, height;
        int rc;
    } cases[] = {
        {"4:2:0", 65500, 65500, -FIRN_CONFIG},     {"4:2:0", 65535, 65535, -FIRN_DATA},
        {"4:2:0", 13378, 13378, -FIRN_CONFIG},     {"4:2:0", 0, 5, -FIRN_DATA},
        {"progressive", 13377, 13377, -FIRN_CONFIG}, {"4:2:0", 5, 0, -FIRN_DATA},
        {"CMYK", 65500, 65500, -FIRN_CONFIG},      {"4:2:0", 3000, 3000, 0},
        {"4:2:0", 65500, 1, 0},                    {"4:2:0", 1, 65500, 0},
        {"4:4:4", 65500, 300, 0},                  {"progressive", 65500, 300, 0},
    };
    struct firn_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        uint8_t *bytes = golden_bytes(golden(cases[i].name), &size);
        set_size(bytes, size, cases[i].width, cases[i].height);
        const int rc = decode(bytes, size, &err);
        CHECK(rc == cases[i].rc, "(%s %ux%u: %d %s)", cases[i].name, cases[i].width,
              cases[i].height, rc, err.text);
        free(bytes);
    }
}

/* The progressive picture with its last scan `scans` times, claiming to be larger than it is. */
static int decode_scans(int scans, unsigned side, struct firn_error *err)
{
    size_t size, last = 0;
    uint8_t *bytes = golden_bytes(golden("progressive"), &size);
    set_size(bytes, size, side, side);
    for (size_t at = 0; at + 1 < size; at++)
        if (bytes[at] == 0xFF && bytes[at + 1] == 0xDA)
            last = at;
    const size_t scan = size - 2 - last;
    uint8_t *bomb = malloc(size + scan * scans);
    memcpy(bomb, bytes, size - 2);
    for (int i = 0; i < scans; i++)
        memcpy(bomb + size - 2 + scan * i, bytes + last, scan);
    memcpy(bomb + size - 2 + scan * scans, "\xff\xd9", 2);
    const int rc = decode(bomb, size + scan * scans, err);
    free(bytes);
    free(bomb);
    return rc;
}

static void test_scan_bombs(void)
{
    struct firn_error err;
    CHECK_INT(decode_scans(20, 40, &err), 0);
    CHECK_INT(decode_scans(1000, 40, &err), -FIRN_CONFIG);
    CHECK(strstr(err.text, "scans"), "(%s)", err.text);
    CHECK_INT(decode_scans(1000, 3000, &err), -FIRN_CONFIG);
    CHECK_INT(decode_scans(1000, 8000, &err), -FIRN_CONFIG);
}

static void test_many_markers(void)
{
    const size_t n = 1000000;
    struct firn_error err;
    uint8_t *bytes = malloc(2 + 4 * n);
    memcpy(bytes, "\xff\xd8", 2);
    for (size_t i = 0; i < n; i++)
        memcpy(bytes + 2 + 4 * i, "\xff\xe1\0\2", 4);
    CHECK_INT(decode(bytes, 2 + 4 * n, &err), -FIRN_DATA);
    free(bytes);
}

/* Bytes of one photograph must not reach the next one through what the decoder keeps. */
static void test_no_memory_of_the_last(void)
{
    size_t size, start, end;
    struct firn_error err;
    uint8_t *bytes = golden_bytes(golden("4:2:0"), &size);
    CHECK_INT(decode(bytes, size, &err), 0);
    start = find_marker(bytes, size, 0xDB);
    end = start + 2 + (bytes[start + 2] << 8 | bytes[start + 3]);
    memmove(bytes + start, bytes + end, size - end);
    CHECK_INT(decode(bytes, size - (end - start), &err), -FIRN_DATA);
    CHECK(strstr(err.text, "uantization table"), "(%s)", err.text);
    free(bytes);
}

static void test_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rusage use;
    CHECK_INT(getrusage(RUSAGE_SELF, &use), 0);
    const long limit = (long)((FIRN_MAX_DECODER_MEMORY + ((size_t)64 << 20)) >> 10);
    CHECK(use.ru_maxrss <= limit, "(%ld KiB, limit %ld)", use.ru_maxrss, limit);
#endif
}

int main(int argc, char **argv)
{
    const struct firn_image_spec spec = {.resize = CROP + 3, .crop = CROP};
    struct firn_error err;
    if (firn_decoder_create(&decoder, &spec, &err) || firn_decoder_create(&whole, &spec, &err))
        return 1;
    firn_decoder_tune(whole, FIRN_CPU_GENERIC, false);
    test_truncation();
    test_flips(argc > 1 ? atoi(argv[1]) : 4000);
    test_zero_bytes();
    test_giants();
    test_scan_bombs();
    test_many_markers();
    test_no_memory_of_the_last();
    test_memory();
    firn_decoder_destroy(decoder);
    firn_decoder_destroy(whole);
    CHECK_DONE();
}
