/* SPDX-License-Identifier: MIT */
/** Numbers that are hard on arithmetic, and what rounding may do to their sums. */
#ifndef FIRN_TESTS_AWKWARD_H
#define FIRN_TESTS_AWKWARD_H

#include <float.h>

#include "check.h"

static unsigned long long seed = 1;

static inline int below(int n)
{
    return (int)(check_random(&seed) % (unsigned long long)n);
}

/* Near enough to a standard normal number. */
static inline float normal(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)(check_random(&seed) >> 11) * 0x1p-53;
    return (float)sum;
}

enum fill { NORMAL, RELU, CONSTANT, ALTERNATING, LARGE, DENORMAL, MIXED, FILLS };
static const char *const fill_name[] = {"normal", "relu", "constant", "alternating",
                                        "large", "denormal", "mixed"};

static inline void fill(float *p, size_t n, enum fill how)
{
    for (size_t i = 0; i < n; i++) {
        float x = normal();
        switch (how) {
        case RELU: x = x < 0 ? 0 : x; break;
        case CONSTANT: x = 1; break;
        case ALTERNATING: x = i & 1 ? -1 : 1; break;
        case LARGE: x *= 1e15f; break;
        case DENORMAL: x *= 1e-40f; break;
        case MIXED: x *= below(4) ? 1e-20f : 1e10f; break;
        default: break;
        }
        p[i] = x;
    }
}

/*
 * Largest error of a sum of `terms` products in float32 whose absolute values add up to `scale`: in
 * any order, fused or not, and with denormal numbers taken for zeros.
 */
static inline double sum_error(size_t terms, double scale)
{
    return (double)(terms + 4) * (FLT_EPSILON * scale + FLT_MIN * 16);
}

#endif
