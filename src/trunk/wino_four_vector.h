/* SPDX-License-Identifier: MIT */
/**
 * The points of F(4,3)'s kernels for any vector width, in single precision: a template like
 * wino_vector.h. These are made anew for every photograph where batches are small
 * (x86/few_avx2.c), so their cost counts. Products and sums are rounded one by one: the same
 * numbers everywhere.
 *
 * `tap` is [9][16], tap (y, x) at y * 3 + x; points are `plane` floats apart.
 */
#include "trunk/kernels.h"
#include "trunk/wino.h"

#define FOUR_INLINE static inline __attribute__((always_inline))

/* What G consists of: for point 0, and for the pairs +p and -p the factors of taps 0, 1 and 2. */
struct four {
    vec zero, pair[2][3];
};

FOUR_INLINE struct four four_of(const struct firn_wino_matrix *w)
{
    struct four f = {.zero = SET((float)w->g[0][0])};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++)
            f.pair[i][k] = SET((float)w->g[1 + 2 * i][k]);
    return f;
}

/* Points +p and -p of an axis: sums of the even taps and of the odd one. */
FOUR_INLINE void four_pair(const vec g[3], const vec tap[3], vec out[2])
{
    vec even = tap[0] * g[0] + tap[2] * g[2], odd = tap[1] * g[1];
    out[0] = even + odd;
    out[1] = even - odd;
}

/* The three taps of a point of the vertical axis to its six points. */
FOUR_INLINE void four_row(const struct four *f, const vec tap[3], float *u, ptrdiff_t plane)
{
    vec out[6];
    out[0] = tap[0] * f->zero;
    four_pair(f->pair[0], tap, out + 1);
    four_pair(f->pair[1], tap, out + 3);
    out[5] = tap[2];
    _Pragma("GCC unroll 6")
    for (int j = 0; j < 6; j++)
        STORE(u + j * plane, out[j]);
}

/* Rows 0 and 5 of the points. */
FOUR_INLINE void four_ends(const struct four *f, const float *tap, float *zero, float *infinity,
                           ptrdiff_t plane)
{
    vec first[3], last[3];
    _Pragma("GCC unroll 3")
    for (int x = 0; x < 3; x++) {
        first[x] = LOAD(tap + x * FIRN_PANEL) * f->zero;
        last[x] = LOAD(tap + (6 + x) * FIRN_PANEL);
    }
    four_row(f, first, zero, plane);
    four_row(f, last, infinity, plane);
}

/* Rows 1 and 2, or 3 and 4. */
FOUR_INLINE void four_middle(const struct four *f, int pair, const float *tap, float *plus,
                             float *minus, ptrdiff_t plane)
{
    vec half[2][3];
    _Pragma("GCC unroll 3")
    for (int x = 0; x < 3; x++) {
        vec column[3], out[2];
        _Pragma("GCC unroll 3")
        for (int y = 0; y < 3; y++)
            column[y] = LOAD(tap + (y * 3 + x) * FIRN_PANEL);
        four_pair(f->pair[pair], column, out);
        half[0][x] = out[0];
        half[1][x] = out[1];
    }
    four_row(f, half[0], plus, plane);
    four_row(f, half[1], minus, plane);
}
