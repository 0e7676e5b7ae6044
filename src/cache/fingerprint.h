/* SPDX-License-Identifier: MIT */
/** Fingerprints compared, for messages of one line. */
#ifndef FIRN_SRC_CACHE_FINGERPRINT_H
#define FIRN_SRC_CACHE_FINGERPRINT_H

#include "firn/fingerprint.h"

/**
 * As firn_fingerprint_diff(), with names of one's own for the two sides ("in the cache") and for
 * what stands between two differences.
 */
int firn_fingerprint_words(const struct firn_fingerprint *a, const struct firn_fingerprint *b,
                           const char *in_a, const char *in_b, const char *between, char *text,
                           size_t size);

#endif
