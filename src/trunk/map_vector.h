/* SPDX-License-Identifier: MIT */
/**
 * Max-pool and average for any vector width: a template, see x86/vector_sse4.h for what it needs.
 * MAX(a, b) gives b where either is NaN, so that a NaN stays.
 */
#include <stddef.h>

#define FORCE_INLINE static inline __attribute__((always_inline))

/* One output pixel: a window of rows x cols that lies inside the map. */
FORCE_INLINE void window(const float *in, ptrdiff_t row, int rows, int cols, int c, float *out)
{
    for (int i = 0; i < c; i += LANES) {
        vec most = LOAD(in + i);
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < cols; x++)
                most = MAX(LOAD(in + y * row + (ptrdiff_t)x * c + i), most);
        STORE(out + i, most);
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
    for (int i = 0; i < c; i += LANES) {
        vec sum = SET(0.0f);
        for (int p = 0; p < pixels; p++)
            sum = sum + LOAD(in + (ptrdiff_t)p * c + i);
        STORE(out + i, sum / SET((float)pixels));
    }
}
