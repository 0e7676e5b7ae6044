/* SPDX-License-Identifier: MIT */
/** Which of the many kinds of TIFF a file is, and how its samples become RGB. */
#ifndef FIRN_SRC_IMAGE_TIFF_LAYOUT_H
#define FIRN_SRC_IMAGE_TIFF_LAYOUT_H

#include "firn/error.h"
#include "image/tiff_tags.h"
#include "image/unpack.h"

/** The first image of a file, as Pillow understands it. */
struct firn_tiff_kind {
    int64_t width, height;
    int compression, photometric;
    int bits, samples;  /**< of one sample; samples of one pixel */
    bool separate;      /**< each sample in a plane of its own */
    bool ycbcr;         /**< stored as luma and colour differences: libtiff converts */
    int orientation;    /**< 1 to 8; Pillow turns the image by it */
    struct firn_layout layout; /**< of one row as libtiff gives it */
    uint8_t palette[256][3];
};

/** FIRN_DATA: Pillow does not read it; FIRN_CONFIG: Pillow does, and firn leaves it out. */
int firn_tiff_kind(struct firn_tiff_kind *kind, const struct firn_tiff_tags *tags,
                   struct firn_error *err);

#endif
