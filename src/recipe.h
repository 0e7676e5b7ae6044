/* SPDX-License-Identifier: MIT */
/** What makes features what they are: weights, pixels, storage, and the fingerprint of all. */
#ifndef FIRN_SRC_RECIPE_H
#define FIRN_SRC_RECIPE_H

#include <stdbool.h>

#include "base/cpu.h"
#include "firn/extract.h"
#include "firn/fingerprint.h"
#include "image/image.h"
#include "trunk/trunk.h"

struct firn_recipe {
    struct firn_trunk *trunk;
    struct firn_image_spec spec;
    struct firn_fingerprint fingerprint;
    bool untrained;
    enum firn_cpu cpu;
};

/**
 * Loads the weights that `options` name and packs them for this machine. FIRN_USAGE for an unknown
 * instruction set, else as firn_model_open(), firn_trunk_create() and firn_image_fingerprint()
 * report. Close it with firn_recipe_close() in any case.
 */
int firn_recipe_open(struct firn_recipe *recipe, const struct firn_extract_options *options,
                     struct firn_error *err);
void firn_recipe_close(struct firn_recipe *recipe);

#endif
