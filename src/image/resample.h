/* SPDX-License-Identifier: MIT */
/** Pillow's bilinear resize of 8-bit RGB, row by row, of the crop window only, bit for bit. */
#ifndef FIRN_SRC_IMAGE_RESAMPLE_H
#define FIRN_SRC_IMAGE_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"
#include "image/buffer.h"
#include "image/geometry.h"
#include "image/row_kernels.h"

/** Neighbouring rows of a photograph, RGB, each readable FIRN_ROW_SLACK bytes past its end. */
struct firn_rows {
    const uint8_t *pixels; /**< column x of row y */
    size_t stride;         /**< bytes from row to row */
    int x, y;              /**< where in the photograph the first pixel lies */
    int n;                 /**< how many rows */
};

/** A rectangle of the photograph. */
struct firn_window {
    int x0, x1; /**< columns x0 <= x < x1 */
    int y0, y1; /**< rows y0 <= y < y1 */
};

/** Above any sane request: a 65500-pixel side down to one pixel still fits. */
#define FIRN_RESAMPLE_LIMIT ((size_t)128 << 20)

/** One crop in the making, with its memory. All zero is one that has not begun. */
struct firn_resampler {
    const struct firn_row_kernels *kernels; /**< set by the owner before the first begin */
    size_t limit; /**< bytes of either of its large memories; 0: FIRN_RESAMPLE_LIMIT */
    struct firn_geometry geometry;
    struct firn_taps x, y;
    struct firn_buffer x_memory, y_memory, scratch, row_memory, ring_memory;
    uint8_t *ring;    /**< rows after the horizontal pass; row r is in slot r % slots */
    const uint8_t **row; /**< the rows under one output row, for the vertical kernel */
    size_t pitch;     /**< bytes from slot to slot */
    int slots;
    int next_in;      /**< first row of the photograph that has not come */
    int next_out;     /**< first row of the window that has not been made */
    uint8_t *rgb;     /**< where the window begins in the caller's crop */
    size_t rgb_pitch; /**< bytes from row to row of the crop */
};

/**
 * Begins a crop of `g` into `rgb` (crop * crop * 3 bytes, kept by the caller until the last row has
 * come); the padding is written now. FIRN_CONFIG when the window would need too much memory.
 */
int firn_resample_begin(struct firn_resampler *r, const struct firn_geometry *g, uint8_t *rgb,
                        int crop, struct firn_error *err);

/** What of the photograph this crop is made of. */
struct firn_window firn_resample_window(const struct firn_resampler *r);

/**
 * Takes the next rows of the photograph: in order, without gaps from window.y0 on (earlier ones and
 * later ones are ignored), and at least the window's columns. The crop is complete when row
 * window.y1 - 1 has come.
 */
void firn_resample_rows(struct firn_resampler *r, const struct firn_rows *rows);

void firn_resample_free(struct firn_resampler *r);

#endif
