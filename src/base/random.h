/* SPDX-License-Identifier: MIT */
/** Repeatable random numbers: splitmix64 (Steele, Lea, Flood 2014). */
#ifndef FIRN_SRC_BASE_RANDOM_H
#define FIRN_SRC_BASE_RANDOM_H

#include <stdint.h>

static inline uint64_t firn_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/** In [0, 1). */
static inline double firn_random_unit(uint64_t *state)
{
    return (double)(firn_random(state) >> 11) * 0x1p-53;
}

/** Below `n`, which is far below 2^64: the bias is too small to matter. */
static inline uint64_t firn_random_below(uint64_t *state, uint64_t n)
{
    return firn_random(state) % n;
}

#endif
