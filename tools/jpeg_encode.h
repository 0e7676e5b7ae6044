/* SPDX-License-Identifier: MIT */
/** The smallest useful JPEG writer: baseline, 4:2:0, the tables of the standard's annex K. */
#ifndef FIRN_TOOLS_JPEG_ENCODE_H
#define FIRN_TOOLS_JPEG_ENCODE_H

#include <stdint.h>
#include <stdio.h>

/**
 * Writes `rgb` (width * height * 3 bytes, rows from the top) to `out`; quality 1..100 as libjpeg
 * scales it. Write errors stay in `out`, for ferror().
 */
void firn_jpeg_encode(FILE *out, const uint8_t *rgb, int width, int height, int quality);

#endif
