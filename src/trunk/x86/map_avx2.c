/* SPDX-License-Identifier: MIT */
#include "trunk/kernels.h"

#include <immintrin.h>

/*
 * Sixteen channels of one output pixel: rows y0..y1, columns x0..x1 of the window inside the map.
 * max_ps(a, b) gives b where either is NaN, so a NaN stays once it is the second operand.
 */
static void window(const float *in, ptrdiff_t row, int rows, int cols, int c, float *out)
{
    for (int i = 0; i < c; i += 16) {
        __m256 lo = _mm256_loadu_ps(in + i), hi = _mm256_loadu_ps(in + i + 8);
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < cols; x++) {
                const float *p = in + y * row + (ptrdiff_t)x * c + i;
                lo = _mm256_max_ps(_mm256_loadu_ps(p), lo);
                hi = _mm256_max_ps(_mm256_loadu_ps(p + 8), hi);
            }
        _mm256_storeu_ps(out + i, lo);
        _mm256_storeu_ps(out + i + 8, hi);
    }
}

static void max_pool(const float *in, int h, int w, int c, float *out)
{
    int oh = (h + 1) / 2, ow = (w + 1) / 2;
    ptrdiff_t row = (ptrdiff_t)w * c;
    for (int y = 0; y < oh; y++) {
        int y0 = y ? 2 * y - 1 : 0, y1 = 2 * y + 2 < h ? 2 * y + 2 : h;
        for (int x = 0; x < ow; x++, out += c) {
            int x0 = x ? 2 * x - 1 : 0, x1 = 2 * x + 2 < w ? 2 * x + 2 : w;
            const float *p = in + y0 * row + (ptrdiff_t)x0 * c;
            if (y1 - y0 == 3 && x1 - x0 == 3)
                window(p, row, 3, 3, c, out); /* constants: unrolled */
            else
                window(p, row, y1 - y0, x1 - x0, c, out);
        }
    }
}

static void average(const float *in, int pixels, int c, float *out)
{
    __m256 count = _mm256_set1_ps((float)pixels);
    for (int i = 0; i < c; i += 16) {
        __m256 lo = _mm256_setzero_ps(), hi = lo;
        for (int p = 0; p < pixels; p++) {
            lo = _mm256_add_ps(lo, _mm256_loadu_ps(in + (ptrdiff_t)p * c + i));
            hi = _mm256_add_ps(hi, _mm256_loadu_ps(in + (ptrdiff_t)p * c + i + 8));
        }
        _mm256_storeu_ps(out + i, _mm256_div_ps(lo, count));
        _mm256_storeu_ps(out + i + 8, _mm256_div_ps(hi, count));
    }
}

void firn_map_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->max_pool = max_pool;
    kernels->average = average;
}
