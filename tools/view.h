/* SPDX-License-Identifier: MIT */
/** Views of photographs as the verbs show them. */
#ifndef FIRN_TOOLS_VIEW_H
#define FIRN_TOOLS_VIEW_H

#include "firn/fingerprint.h"
#include "firn/image.h"
#include "firn/json.h"

/** "224 x 224 at 16,0 of the resized photograph, mirrored" */
void firn_view_words(const struct firn_view *view, char text[96]);

/** An object: x, y, width, height, of ("resized" or "photograph"), mirrored. */
void firn_view_json(struct firn_json *j, const char *key, const struct firn_view *view);

/** How the features of this fingerprint were cut out. False: it does not say. */
bool firn_view_spec(const struct firn_fingerprint *fp, struct firn_image_spec *spec);

/**
 * The views of the photograph at `path`, view[0..n), n from `spec`. False when that file is not
 * there any more, or does not have these contents (BLAKE2b-256).
 */
bool firn_view_all(const char *path, const uint8_t content[32], const struct firn_image_spec *spec,
                   struct firn_view *view);

#endif
