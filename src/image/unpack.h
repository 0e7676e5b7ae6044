/* SPDX-License-Identifier: MIT */
/** Pixels as files store them to RGB bytes, each as Pillow's convert("RGB") makes it. */
#ifndef FIRN_SRC_IMAGE_UNPACK_H
#define FIRN_SRC_IMAGE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum firn_pixel {
    FIRN_PIXEL_INDEX,    /**< `bits` (1, 2, 4 or 8) of a palette entry, highest bits first */
    FIRN_PIXEL_RGB,      /**< bytes at[0..2] of the pixel */
    FIRN_PIXEL_CMYK,     /**< bytes at[0..3], no profile */
    FIRN_PIXEL_CMYK_INV, /**< the same, 255 is no ink */
    FIRN_PIXEL_RGBA_PRE, /**< bytes at[0..2], multiplied by byte at[3] */
    FIRN_PIXEL_555,      /**< 16 bits, little-endian, blue lowest */
    FIRN_PIXEL_565,
    FIRN_PIXEL_GRAY12,   /**< two samples in three bytes, highest bits first */
    FIRN_PIXEL_U16,      /**< grey number of 16 bits, clipped to 255; so are the following */
    FIRN_PIXEL_S16,
    FIRN_PIXEL_S32,
    FIRN_PIXEL_F32
};

/** How the pixels of a row are stored. */
struct firn_layout {
    enum firn_pixel kind;
    int bits;        /**< from pixel to pixel */
    uint8_t at[4];   /**< bytes of the channels within a pixel */
    bool big;        /**< numbers are big-endian */
    uint8_t (*palette)[3]; /**< [256], of FIRN_PIXEL_INDEX */
};

/** `n` pixels from pixel `x` of a row on; where they take three bytes or more, in place too. */
void firn_unpack(const struct firn_layout *layout, const uint8_t *row, int x, int n, uint8_t *rgb);

/** Bytes of `n` pixels. */
size_t firn_layout_bytes(const struct firn_layout *layout, int n);

/** Grey of 2^bits levels, black at 0, or at the other end with `inverted`; the rest is a ramp. */
void firn_palette_gray(uint8_t palette[256][3], int bits, bool inverted);

#endif
