/* SPDX-License-Identifier: MIT */
/** The pixels as the trunk gets them, for looking at. */
#ifndef FIRN_IMAGE_H
#define FIRN_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "firn/error.h"

/**
 * How a photograph becomes a crop: torchvision's Resize(resize) and CenterCrop(crop) via Pillow.
 */
struct firn_image_spec {
    int resize; /**< length of the shorter side after resizing, pixels */
    int crop;   /**< side of the square centre crop, pixels */
    bool turn;  /**< turn photographs as their EXIF orientation says; torchvision ignores it */
    bool fast;  /**< decode JPEGs at 1/2, 1/4 or 1/8 where that is still large enough: inexact */
};

/** What was found in the file. */
struct firn_image_info {
    int width, height;  /**< of the stored image, pixels */
    const char *format; /**< "JPEG", ...: a constant */
    unsigned warnings;  /**< warnings of the decoder that did not stop it */
    int orientation;    /**< as EXIF counts, 1 to 8; 1 is upright, or not said */
    int scale;          /**< sides were decoded at 1 / scale: 1, 2, 4 or 8 */
    int64_t decode_ns, resize_ns; /**< what it took, on the clock */
};

/**
 * Reads and decodes one file; `rgb` has room for crop * crop * 3 bytes, rows from the top, R G B.
 * FIRN_NOINPUT: unreadable; FIRN_DATA: not a photograph or corrupt.
 */
int firn_preview(const char *path, const struct firn_image_spec *spec, uint8_t *rgb,
                 struct firn_image_info *info, struct firn_error *err);

#endif
