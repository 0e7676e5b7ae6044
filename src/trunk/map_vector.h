/* SPDX-License-Identifier: MIT */
/**
 * Max-pool and average for any vector width: a template, see x86/vector_sse4.h for what it needs.
 * MAX(a, b) gives b where either is NaN, so that a NaN stays.
 */
#include <stdbool.h>
#include <stddef.h>

#define FORCE_INLINE static inline __attribute__((always_inline))

#define LINE 16 /* channels that pass over the row together: a cache line */

/* Maximum of one column of three rows, and of most[] unless that is to be filled first. */
FORCE_INLINE void column(const float *const row[3], ptrdiff_t at, vec *most, bool fresh)
{
    for (int i = 0; i < LINE / LANES; i++) {
        vec v = MAX(LOAD(row[0] + at + i * LANES), LOAD(row[1] + at + i * LANES));
        v = MAX(LOAD(row[2] + at + i * LANES), v);
        most[i] = fresh ? v : MAX(v, most[i]);
    }
}

/* The right column of a window is the left one of the next. */
static void max_pool(const float *const row[3], int w, int c, float *out)
{
    for (int i = 0; i < c; i += LINE) {
        vec left[LINE / LANES];
        column(row, i, left, true);
        for (int x = 0; x < w; x += 2) {
            ptrdiff_t at = (ptrdiff_t)x * c + i;
            float *to = out + (ptrdiff_t)(x / 2) * c + i;
            column(row, at, left, false);
            if (x + 1 < w) {
                vec right[LINE / LANES];
                column(row, at + c, right, true);
                for (int k = 0; k < LINE / LANES; k++) {
                    STORE(to + k * LANES, MAX(right[k], left[k]));
                    left[k] = right[k];
                }
            } else {
                for (int k = 0; k < LINE / LANES; k++)
                    STORE(to + k * LANES, left[k]);
            }
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
