/* SPDX-License-Identifier: MIT */
#include "trunk/kernels.h"

typedef float vector __attribute__((vector_size(16)));

/* Twelve independent chains of four lanes, multiply and add, on whatever vectors the baseline of
 * this architecture has. */
static double peak(long rounds)
{
    vector sum[12] = {0}, factor = {1, 1, 1, 1};
    for (long i = 0; i < rounds; i++)
        for (int k = 0; k < 12; k++)
            sum[k] = sum[k] * factor + factor;
    for (int k = 1; k < 12; k++)
        sum[0] += sum[k];
    volatile float keep = sum[0][0];
    (void)keep;
    return (double)rounds * 12 * 4 * 2;
}

void firn_peak_kernels_generic(struct firn_kernels *kernels)
{
    kernels->peak = peak;
}
