/* SPDX-License-Identifier: MIT */
#include "trunk/moments.h"

#define LANES 16 /* channels at once: a cache line of floats */
#define BLOCK 64 /* pixels whose line of floats stays in the first cache between both passes */

/* Sum and sum of squares about the mean of n <= BLOCK pixels. */
static inline void block_moments(const float *in, size_t n, int c, double *mean, double *m2)
{
    double sum[LANES] = {0}, square[LANES] = {0};
    for (size_t p = 0; p < n; p++)
        for (int i = 0; i < LANES; i++)
            sum[i] += in[p * c + i];
    for (int i = 0; i < LANES; i++)
        mean[i] = sum[i] / (double)n;
    for (size_t p = 0; p < n; p++)
        for (int i = 0; i < LANES; i++) {
            double d = in[p * c + i] - mean[i];
            square[i] += d * d;
        }
    for (int i = 0; i < LANES; i++)
        m2[i] = square[i];
}

void firn_moments(const float *map, size_t pixels, int c, double *mean, double *var)
{
    for (int at = 0; at < c; at += LANES) {
        double *sum = var + at;
        for (size_t p = 0; p < pixels; p += BLOCK) {
            double m[LANES], s[LANES];
            size_t n = pixels - p < BLOCK ? pixels - p : BLOCK;
            block_moments(map + p * c + at, n, c, m, s);
            firn_moments_merge((double)p, mean + at, sum, (double)n, m, s, LANES);
        }
        for (int i = 0; i < LANES; i++)
            sum[i] /= (double)pixels;
    }
}

void firn_moments_merge(double na, double *mean_a, double *sum_a, double nb, const double *mean_b,
                        const double *sum_b, size_t c)
{
    double part = nb / (na + nb), cross = na * part;
    for (size_t i = 0; i < c; i++) {
        if (na == 0) {
            mean_a[i] = mean_b[i];
            sum_a[i] = sum_b[i];
            continue;
        }
        double d = mean_b[i] - mean_a[i];
        mean_a[i] += d * part;
        sum_a[i] += sum_b[i] + d * d * cross;
    }
}
