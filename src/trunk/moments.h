/* SPDX-License-Identifier: MIT */
/** Mean and variance of each channel of a map, and of several such pooled. */
#ifndef FIRN_SRC_TRUNK_MOMENTS_H
#define FIRN_SRC_TRUNK_MOMENTS_H

#include <stddef.h>

/**
 * Mean and biased variance of every channel of map[pixels][c], c a multiple of 16, in float64:
 * blocks of pixels in two passes each, merged by Chan's formula in the order of the map, so that
 * large means cost no digits.
 */
void firn_moments(const float *map, size_t pixels, int c, double *mean, double *var);

/**
 * Chan's formula, for maps of one size: a stands for `na` of them, b for `nb`; `mean` is their
 * mean, `sum` the sum of their variances about it (the second moment M2 over the pixels of a map).
 * Merges b into a.
 */
void firn_moments_merge(double na, double *mean_a, double *sum_a, double nb, const double *mean_b,
                        const double *sum_b, size_t c);

#endif
