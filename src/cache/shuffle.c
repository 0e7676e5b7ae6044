/* SPDX-License-Identifier: MIT */
#include "cache/shuffle.h"

#include <string.h>

uint16_t firn_to_half(float value)
{
    uint32_t u;
    memcpy(&u, &value, sizeof u);
    uint32_t sign = u >> 16 & 0x8000, abs = u & 0x7FFFFFFF;
    if (abs >= 0x7F800000) /* infinity; any NaN becomes the quiet one */
        return (uint16_t)(sign | 0x7C00 | (abs > 0x7F800000 ? 0x200 : 0));
    if (abs < 0x33000001) /* up to half of the smallest subnormal, 2^-25 */
        return (uint16_t)sign;
    uint32_t exponent = abs >> 23;
    if (exponent < 113) { /* subnormal: a multiple of 2^-24 */
        uint32_t mantissa = (abs & 0x7FFFFF) | 0x800000, shift = 126 - exponent;
        uint32_t half = mantissa >> shift, rest = mantissa & ((1u << shift) - 1);
        uint32_t tie = 1u << (shift - 1);
        half += rest > tie || (rest == tie && (half & 1));
        return (uint16_t)(sign | half);
    }
    /* Adding just under half of the last place, plus its lowest bit, carries into the exponent
     * and, at the very top, to infinity. */
    abs += 0xFFF + (abs >> 13 & 1);
    uint32_t half = (abs - (112u << 23)) >> 13;
    return (uint16_t)(sign | (half > 0x7C00 ? 0x7C00 : half));
}

/* Without branches, so that the loop over it becomes vector code; without denormal floats, which a
 * caller that flushes them to zero would lose. */
static inline float from_half(uint16_t half)
{
    uint32_t rest = half & 0x7FFF, u;
    float subnormal = (float)(int32_t)rest * 0x1p-24f, value;
    uint32_t normal = (rest << 13) + (112u << 23);
    normal = rest >= 0x7C00 ? normal + (112u << 23) : normal; /* infinity and NaN */
    memcpy(&u, &subnormal, sizeof u);
    u = (rest < 0x400 ? u : normal) | (uint32_t)(half & 0x8000) << 16;
    memcpy(&value, &u, sizeof value);
    return value;
}

float firn_from_half(uint16_t half)
{
    return from_half(half);
}

static void split4(const float *values, size_t n, uint8_t *restrict planes)
{
    uint8_t *restrict p0 = planes, *restrict p1 = p0 + n, *restrict p2 = p1 + n;
    uint8_t *restrict p3 = p2 + n;
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, values + i, sizeof u);
        p0[i] = (uint8_t)u;
        p1[i] = (uint8_t)(u >> 8);
        p2[i] = (uint8_t)(u >> 16);
        p3[i] = (uint8_t)(u >> 24);
    }
}

void firn_split(const float *values, size_t n, enum firn_store store, uint8_t *planes)
{
    if (store == FIRN_STORE_F32) {
        split4(values, n, planes);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t h = firn_to_half(values[i]);
        planes[i] = (uint8_t)h;
        planes[n + i] = (uint8_t)(h >> 8);
    }
}

void firn_join(const uint8_t *const plane[4], size_t n, enum firn_store store,
               float *restrict values)
{
    const uint8_t *restrict p0 = plane[0], *restrict p1 = plane[1];
    if (store == FIRN_STORE_F16) {
        for (size_t i = 0; i < n; i++)
            values[i] = from_half((uint16_t)(p0[i] | p1[i] << 8));
        return;
    }
    const uint8_t *restrict p2 = plane[2], *restrict p3 = plane[3];
    for (size_t i = 0; i < n; i++) {
        uint32_t u = p0[i] | (uint32_t)p1[i] << 8 | (uint32_t)p2[i] << 16 | (uint32_t)p3[i] << 24;
        memcpy(values + i, &u, sizeof u);
    }
}

size_t firn_count_nonzero(const uint8_t *bytes, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += bytes[i] != 0;
    return count;
}

size_t firn_drop_zeros(uint8_t *planes, size_t n, enum firn_store store)
{
    size_t low = store == FIRN_STORE_F16 ? 1 : 3, kept = 0;
    const uint8_t *top = planes + low * n;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < low && !top[i]; k++)
            if (planes[k * n + i])
                return n;
    for (size_t k = 0; k < low; k++) {
        uint8_t *p = planes + k * n;
        kept = 0;
        for (size_t i = 0; i < n; i++) {
            p[kept] = p[i];
            kept += top[i] != 0;
        }
    }
    return kept;
}

void firn_join_sparse(const uint8_t *const plane[4], size_t n, enum firn_store store,
                      float *values)
{
    size_t low = store == FIRN_STORE_F16 ? 1 : 3;
    const uint8_t *at[4] = {plane[0], plane[1], plane[2], plane[3]}, *top = plane[low];
    for (size_t i = 0; i < n;) {
        /* From zero to zero: long runs in most networks, so the fast loop does the work. */
        const uint8_t *zero = memchr(top + i, 0, n - i);
        size_t run = zero ? (size_t)(zero - top) - i : n - i;
        at[low] = top + i;
        firn_join(at, run, store, values + i);
        for (size_t k = 0; k < low; k++)
            at[k] += run;
        for (i += run; i < n && top[i] == 0; i++)
            values[i] = 0;
    }
}

void firn_transpose(const uint8_t *records, size_t n, size_t width, uint8_t *planes)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < width; k++)
            planes[k * n + i] = records[i * width + k];
}

void firn_untranspose(const uint8_t *planes, size_t n, size_t width, uint8_t *records)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < width; k++)
            records[i * width + k] = planes[k * n + i];
}
