/* SPDX-License-Identifier: MIT */
/** JPEG to rows of RGB, with the pixels and the verdicts of Pillow. */
#ifndef FIRN_SRC_IMAGE_JPEG_H
#define FIRN_SRC_IMAGE_JPEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"
#include "firn/image.h"
#include "image/resample.h"

/** One decoder; used for one photograph after another. */
struct firn_jpeg;

/** NULL when memory is out. */
struct firn_jpeg *firn_jpeg_create(void);
void firn_jpeg_destroy(struct firn_jpeg *jpeg);

/** Begins with the first three bytes of every JPEG that Pillow takes. */
bool firn_jpeg_sniff(const uint8_t *bytes, size_t size);

/**
 * Reads the header of `bytes`, which must stay until firn_jpeg_close(). Fills info->width and
 * ->height. FIRN_DATA: corrupt or not a kind that Pillow reads; FIRN_CONFIG: beyond a limit.
 */
int firn_jpeg_open(struct firn_jpeg *jpeg, const uint8_t *bytes, size_t size,
                   struct firn_image_info *info, struct firn_error *err);

/**
 * Begins to decode; only `window` will be looked at. With `partial`, what lies around it is left
 * undecoded as far as that changes neither a byte of the window nor the verdict.
 */
int firn_jpeg_start(struct firn_jpeg *jpeg, const struct firn_window *window, bool partial,
                    struct firn_error *err);

/**
 * The next rows, at least one, from at or above window.y0 on and covering the window's columns;
 * they stay valid until the next call.
 */
int firn_jpeg_rows(struct firn_jpeg *jpeg, struct firn_rows *rows, struct firn_error *err);

/**
 * Pillow's verdict on what is left when the window is complete: an end that is missing or broken
 * spoils the photograph, unless every row came out. Fills info->warnings with how many there were
 * in what was decoded.
 */
int firn_jpeg_finish(struct firn_jpeg *jpeg, struct firn_image_info *info, struct firn_error *err);

/** Drops the photograph, wherever it was; the decoder can open the next one. */
void firn_jpeg_close(struct firn_jpeg *jpeg);

#endif
