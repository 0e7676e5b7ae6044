/* SPDX-License-Identifier: MIT */
/** What can be told of a JPEG without the library. */
#ifndef FIRN_SRC_IMAGE_JPEG_BYTES_H
#define FIRN_SRC_IMAGE_JPEG_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The EXIF orientation of a whole file, 1 where it names none. */
int firn_jpeg_orientation(const uint8_t *bytes, size_t size);

/**
 * True when nothing but coded data lies between here, behind `marker` (0: none), and the end
 * marker: whatever that data holds, reading on would at most give warnings.
 */
bool firn_jpeg_ends(const uint8_t *bytes, size_t size, int marker);

/**
 * The most that a photograph may be scaled down by (1, 2, 4 or 8, which the transform does by
 * itself) for its shorter side to keep `shorter` pixels; 1 where `shorter` is 0.
 */
int firn_jpeg_scale(int shorter, int width, int height);

#endif
