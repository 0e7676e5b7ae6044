/* SPDX-License-Identifier: MIT */
/** The eight orientations that EXIF and TIFF know. */
#ifndef FIRN_SRC_IMAGE_TURN_H
#define FIRN_SRC_IMAGE_TURN_H

#include "image/codec.h"

/** True when width and height change places. */
bool firn_turns_across(int orientation);

/** Room in `out` for a width x height image turned by `orientation`. */
int firn_turn_need(struct firn_band *out, int orientation, int width, int height,
                   struct firn_error *err);

/** Puts whole rows of a width x height image where they belong in the turned one. */
void firn_turn(struct firn_band *out, const struct firn_rows *rows, int orientation, int width,
               int height);

/** The orientation that an EXIF block (a TIFF header and tags) names, 1 where it names none. */
int firn_exif_orientation(const uint8_t *exif, size_t size);

#endif
