/* SPDX-License-Identifier: MIT */
/** torchvision's published weight files: their names, and the preprocessing each belongs to. */
#ifndef FIRN_SRC_MODEL_PRESETS_H
#define FIRN_SRC_MODEL_PRESETS_H

#include <stddef.h>

#include "firn/error.h"

/** How to prepare photographs. */
struct firn_preset {
    const char *name; /**< "IMAGENET1K_V1" or "IMAGENET1K_V2" */
    int resize, crop; /**< pixels */
};

/**
 * By file name: the eight hexadecimal digits of a published file, or ".v2" in it; V1's preset for
 * everything else. `family` is for files whose digits are not published ones.
 */
struct firn_preset firn_preset_for(const char *path, const char *family);

/**
 * Where the weights called `spec` are: `spec` itself when it is a path (has a slash, or the ending
 * of a weight file), else the file of that family and version in torch's hub cache or firn's. The
 * result is the caller's to free(). FIRN_NOINPUT with the places that were searched, FIRN_USAGE
 * for a name that is no family's.
 */
int firn_locate_weights(const char *spec, char **path, struct firn_error *err);

#endif
