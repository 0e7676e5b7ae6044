/* SPDX-License-Identifier: MIT */
/** Fingerprints compared, for messages of one line. */
#ifndef FIRN_SRC_CACHE_FINGERPRINT_H
#define FIRN_SRC_CACHE_FINGERPRINT_H

#include "firn/fingerprint.h"

/**
 * What differs between `a` and `b` in one short line, into `text`: the first three differences,
 * hashes shortened, and how many more there are (`firn why` lists all). `in_a` and `in_b` name the
 * two sides ("in the cache"). Returns the number of differing words; 0 means equal.
 */
int firn_fingerprint_brief(const struct firn_fingerprint *a, const struct firn_fingerprint *b,
                           const char *in_a, const char *in_b, char *text, size_t size);

#endif
