/* SPDX-License-Identifier: MIT */
/** Products of 2 x 2 blocks with seven instead of eight products: the arguments of their kernel. */
#ifndef FIRN_SRC_TRUNK_STRASSEN_H
#define FIRN_SRC_TRUNK_STRASSEN_H

#include <stddef.h>

/** Channels are summed in multiples of this many. */
#define FIRN_STRASSEN_LANES 8

/**
 * Sums of the halves of two pixels, A11 and A12 of the first, A21 and A22 of the second:
 * S1 = A21 + A22, S2 = S1 - A11, S3 = A11 - A21, S4 = A12 - S2.
 */
struct firn_strassen {
    const float *pixel[2]; /**< [2 * half] each */
    int half;              /**< a multiple of FIRN_STRASSEN_LANES */
    float *sum[4];         /**< [half] each */
};

#endif
