/* SPDX-License-Identifier: MIT */
/** The views of a photograph: which crops, in which order; see firn/image.h. */
#ifndef FIRN_SRC_IMAGE_VIEWS_H
#define FIRN_SRC_IMAGE_VIEWS_H

#include <stddef.h>

#include "firn/error.h"
#include "firn/image.h"

/** "center", ..., "random:8:1/1" (views, seed and version of the generator), as in fingerprints. */
void firn_views_text(const struct firn_views *views, char *text, size_t size);

/** Whether such crops, and such views of them, can be made. FIRN_USAGE. */
int firn_spec_check(const struct firn_image_spec *spec, struct firn_error *err);

#endif
