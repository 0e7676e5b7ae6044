/* SPDX-License-Identifier: MIT */
/**
 * Twelve independent chains of multiply-adds on registers, for any vector width: a template, see
 * x86/vector_sse4.h for what it needs.
 */
static double peak(long rounds)
{
    volatile float one = 1; /* unknown to the compiler */
    vec factor = SET(one), sum[12];
    for (int k = 0; k < 12; k++)
        sum[k] = factor;
    for (long i = 0; i < rounds; i++)
        for (int k = 0; k < 12; k++)
            sum[k] = FMA(sum[k], factor, factor);
    for (int k = 1; k < 12; k++)
        sum[0] = sum[0] + sum[k];
    float keep[LANES];
    STORE(keep, sum[0]);
    one = keep[0];
    return (double)rounds * 12 * LANES * 2;
}
