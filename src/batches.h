/* SPDX-License-Identifier: MIT */
/**
 * Extraction with statistics per batch: `--bn batch:N[:SEED]`.
 *
 * The batches are canonical: the distinct contents of the whole set, sorted by a hash of seed and
 * content, N at a time. Which photographs a photograph is normalised with thus depends on the set
 * and the seed alone, both of which are in the fingerprint; a set that has grown has other batches,
 * so its features go into another cache.
 */
#ifndef FIRN_SRC_BATCHES_H
#define FIRN_SRC_BATCHES_H

#include <stdbool.h>

#include "firn/extract.h"

bool firn_batches_wanted(const struct firn_extract_options *options);

/** As firn_extract(). */
int firn_batches_extract(const struct firn_extract_options *options, struct firn_progress *result,
                         struct firn_error *err);

#endif
