/* SPDX-License-Identifier: MIT */
/** The one softmax of the probe. */
#ifndef FIRN_SRC_PROBE_SOFTMAX_H
#define FIRN_SRC_PROBE_SOFTMAX_H

#include <math.h>

/** Scores z[n] become probabilities; returns log of the sum of exp(z). */
static inline double firn_softmax(float *z, int n)
{
    float top = z[0], sum = 0;
    for (int i = 1; i < n; i++)
        top = z[i] > top ? z[i] : top;
    for (int i = 0; i < n; i++) {
        z[i] = expf(z[i] - top);
        sum += z[i];
    }
    for (int i = 0; i < n; i++)
        z[i] /= sum;
    return (double)top + log((double)sum);
}

#endif
