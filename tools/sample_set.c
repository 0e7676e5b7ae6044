/* SPDX-License-Identifier: MIT */
#include "sample_set.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "jpeg_encode.h"

#define QUALITY 85

static const char *const class_names[FIRN_SAMPLE_CLASSES] = {"circle", "ring", "square",
                                                             "triangle"};

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int between(uint64_t *state, int low, int high)
{
    return low + (int)(next_random(state) % (uint64_t)(high - low + 1));
}

/** Is (x, y), measured from the centre, inside the shape of radius r? */
static bool inside(int shape, int x, int y, int r)
{
    long d = (long)x * x + (long)y * y, rr = (long)r * r;
    switch (shape) {
    case 0:
        return d <= rr;
    case 1:
        return d <= rr && d >= rr * 4 / 9;
    case 2:
        return abs(x) <= r * 4 / 5 && abs(y) <= r * 4 / 5;
    default:
        return y <= r * 2 / 3 && y >= -r && 2 * abs(x) <= y + r;
    }
}

void firn_sample_draw(uint8_t *rgb, int width, int height, int shape, uint64_t seed)
{
    int side = width < height ? width : height;
    int low[3], high[3], ink[3];
    int r = between(&seed, side / 5, side * 2 / 5);
    int cx = between(&seed, width / 2 - width / 10, width / 2 + width / 10);
    int cy = between(&seed, height / 2 - height / 10, height / 2 + height / 10);
    for (int c = 0; c < 3; c++) {
        low[c] = between(&seed, 20, 110);
        high[c] = between(&seed, 60, 150);
        ink[c] = between(&seed, 140, 235);
    }
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            bool in = inside(shape, x - cx, y - cy, r);
            uint64_t noise = next_random(&seed);
            for (int c = 0; c < 3; c++) {
                int ground = low[c] + (high[c] - low[c]) * y / height;
                int grain = (int)(noise >> (8 * c) & 31) - 16;
                *rgb++ = (uint8_t)((in ? ink[c] : ground) + grain);
            }
        }
    }
}

int firn_sample_write(const char *path, int width, int height, int shape, uint64_t seed)
{
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    FILE *out = rgb ? fopen(path, "wb") : NULL;
    int result = rgb && out ? 0 : -errno;
    if (result == 0) {
        firn_sample_draw(rgb, width, height, shape, seed);
        firn_jpeg_encode(out, rgb, width, height, QUALITY);
        result = ferror(out) ? -EIO : 0;
    }
    if (out && fclose(out))
        result = -errno;
    free(rgb);
    return result;
}

static int make_directory(const char *path)
{
    return mkdir(path, 0777) && errno != EEXIST ? -errno : 0;
}

int firn_sample_set(const char *dir, int n)
{
    char path[4096];
    int result = make_directory(dir);
    for (int shape = 0; shape < FIRN_SAMPLE_CLASSES && result == 0; shape++) {
        snprintf(path, sizeof(path), "%s/%s", dir, class_names[shape]);
        result = make_directory(path);
        for (int i = 0; i < n && result == 0; i++) {
            uint64_t seed = (uint64_t)shape * 1000 + (uint64_t)i;
            int width = between(&seed, 250, 640), height = between(&seed, 250, 480);
            snprintf(path, sizeof(path), "%s/%s/%s-%02d.jpg", dir, class_names[shape],
                     class_names[shape], i + 1);
            result = firn_sample_write(path, width, height, shape, seed);
        }
    }
    return result;
}
