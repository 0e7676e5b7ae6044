/* SPDX-License-Identifier: MIT */
/**
 * Decodes the files that are named on stdin, one a line, and writes for each one byte (0, or the
 * firn_code of the refusal, whose text goes to stderr) and, after a 0, the crop of each view.
 *
 *   pixels_dump RESIZE CROP [LEVEL [whole] [turn] [fast] [views VIEWS]] < list > crops
 *
 * LEVEL caps the instruction set; "whole" decodes also what the crop does not need, "turn" turns by
 * EXIF, "fast" decodes large JPEGs at a fraction of their size, VIEWS are as in firn extract.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"

static uint8_t *read_whole(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*size + 1);
    if (bytes && fread(bytes, 1, *size, f) != *size) {
        free(bytes);
        bytes = NULL;
    }
    fclose(f);
    return bytes;
}

static int dump(struct firn_decoder *decoder, const char *path, uint8_t *rgb, size_t rgb_size)
{
    struct firn_error err = {0};
    struct firn_image_info info;
    size_t size;
    uint8_t *bytes = read_whole(path, &size);
    if (!bytes) {
        fprintf(stderr, "%s: cannot read\n", path);
        return 1;
    }
    const int rc = firn_decode(decoder, bytes, size, rgb, &info, &err);
    free(bytes);
    if (rc)
        fprintf(stderr, "%s: %s\n", path, err.text);
    putchar(-rc);
    if (!rc)
        fwrite(rgb, 1, rgb_size, stdout);
    return 0;
}

/*
 * The most memory that this program has had; what wait4() tells includes the caller's, before exec.
 */
static void tell_peak(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            fprintf(stderr, "%s", line);
    if (status)
        fclose(status);
}

static int said(int argc, char **argv, const char *word)
{
    for (int i = 4; i < argc; i++)
        if (strcmp(argv[i], word) == 0)
            return i;
    return 0;
}

int main(int argc, char **argv)
{
    const int level = argc < 3 ? -1 : firn_cpu_choose(argc > 3 ? argv[3] : NULL);
    if (level < 0) {
        fprintf(stderr, "usage: %s RESIZE CROP [LEVEL [whole] [turn] [fast] [views VIEWS]] "
                "< list > crops\n", argv[0]);
        return 2;
    }
    struct firn_image_spec spec = {
        .resize = atoi(argv[1]), .crop = atoi(argv[2]),
        .turn = said(argc, argv, "turn"), .fast = said(argc, argv, "fast")};
    struct firn_error err = {0};
    struct firn_decoder *decoder;
    const int views = said(argc, argv, "views");
    if (firn_views_parse(&spec.views, views ? argv[views + 1] : NULL, &err) ||
        firn_decoder_create(&decoder, &spec, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    firn_decoder_tune(decoder, (enum firn_cpu)level, !said(argc, argv, "whole"));
    const size_t rgb_size = (size_t)firn_views_count(&spec.views) * firn_crop_bytes(&spec);
    uint8_t *rgb = malloc(rgb_size);
    char path[4096];
    int rc = rgb ? 0 : 1;
    while (!rc && fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = 0;
        rc = dump(decoder, path, rgb, rgb_size);
    }
    tell_peak();
    free(rgb);
    firn_decoder_destroy(decoder);
    return rc;
}
