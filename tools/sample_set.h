/* SPDX-License-Identifier: MIT */
/** Sample photographs: shapes on a grainy background, one class per shape. */
#ifndef FIRN_TOOLS_SAMPLE_SET_H
#define FIRN_TOOLS_SAMPLE_SET_H

#include <stdint.h>

#define FIRN_SAMPLE_CLASSES 4

/** Draws into rgb[height][width][3]; the same arguments give the same picture. */
void firn_sample_draw(uint8_t *rgb, int width, int height, int shape, uint64_t seed);

/** Draws one and writes it to `path` as a JPEG file; 0 or -errno. */
int firn_sample_write(const char *path, int width, int height, int shape, uint64_t seed);

/** Writes dir/CLASS/CLASS-NN.jpg, `n` of each class; existing files are replaced. 0 or -errno. */
int firn_sample_set(const char *dir, int n);

#endif
