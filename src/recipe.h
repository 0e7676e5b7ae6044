/* SPDX-License-Identifier: MIT */
/** What makes features what they are: weights, pixels, storage, and the fingerprint of all. */
#ifndef FIRN_SRC_RECIPE_H
#define FIRN_SRC_RECIPE_H

#include <stdbool.h>

#include "base/cpu.h"
#include "cache/writer.h"
#include "firn/extract.h"
#include "firn/fingerprint.h"
#include "image/image.h"
#include "pipeline/roots.h"
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
 * instruction set, FIRN_CONFIG for statistics of another network or other pixels, else as
 * firn_model_begin(), firn_stats_read(), firn_trunk_create() and firn_image_fingerprint() report.
 * Close it with firn_recipe_close() in any case.
 */
int firn_recipe_open(struct firn_recipe *recipe, const struct firn_extract_options *options,
                     struct firn_error *err);
/** Adds the storage type to the numeric part. */
void firn_recipe_store(struct firn_fingerprint *fp, enum firn_store store);
void firn_recipe_close(struct firn_recipe *recipe);

/**
 * Opens the cache that `options` name for features of `dim` values and this fingerprint, says what
 * is wrong with it, and declares the roots in it, which get their ids. `lock`: from
 * firn_writer_hold(), or 0. Failures as of firn_writer_open(); close *writer in any case.
 */
int firn_recipe_cache(const struct firn_fingerprint *fp, int dim,
                      const struct firn_extract_options *options, int lock,
                      struct firn_roots *roots, struct firn_writer **writer,
                      struct firn_error *err);

#endif
