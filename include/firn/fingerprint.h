/* SPDX-License-Identifier: MIT */
/** What a feature was made with, in four parts; features of different fingerprints never mix. */
#ifndef FIRN_FINGERPRINT_H
#define FIRN_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>

#include "firn/error.h"

enum firn_part {
    FIRN_PART_TRUNK,      /**< family and hash of the trunk's tensor contents */
    FIRN_PART_BATCHNORM,  /**< where the statistics come from, and their hash */
    FIRN_PART_PREPROCESS, /**< resize, crop, mean, std, colour and EXIF policy, decoder behaviour */
    FIRN_PART_NUMERIC,    /**< algorithm family with its error bound, storage type */
    FIRN_PARTS
};

/**
 * Each part is one line of "key=value" words separated by single blanks, ASCII, keys in a fixed
 * order, values without blanks. Two fingerprints are equal when all four lines are byte-equal.
 */
struct firn_fingerprint {
    char part[FIRN_PARTS][512];
};

/** "trunk", "batchnorm", "preprocess", "numeric": the keys of every JSON that shows one. */
extern const char *const firn_part_names[FIRN_PARTS];

/** The value of `key` in a part, cut where `value` ends. False: the part does not have it. */
bool firn_fingerprint_value(const struct firn_fingerprint *fp, enum firn_part part,
                            const char *key, char *value, size_t size);

/**
 * What differs between `a` and `b`, in words, one line a difference ("preprocess: resize is 256
 * in A and 232 in B\n"), into `text`. Returns the number of differing words; 0 means equal.
 */
int firn_fingerprint_diff(const struct firn_fingerprint *a, const struct firn_fingerprint *b,
                          char *text, size_t size);

/**
 * The options of `firn extract` by which `want` came to differ from `other`, into `text`:
 * "-m untrained:resnet18 --resize 72". The names of files are not known: MODEL and STATS stand for
 * them. Another version of firn counts as one, too. Returns their number; 0: it is nothing of that.
 */
int firn_fingerprint_options(const struct firn_fingerprint *want,
                             const struct firn_fingerprint *other, char *text, size_t size);

#endif
