/* SPDX-License-Identifier: MIT */
/**
 * Products of F(4,3) for the four tiles of one 7x7 map, from kernels as they are.
 *
 * One photograph alone reads every weight for four multiply-adds: U of layer4, 38 MB a layer, comes
 * from memory more slowly than it is multiplied. The kernels are a quarter of that, and to make U
 * of them anew takes less time than the difference:
 *
 *      kernels [cin][9][16] --> U of 12 points, 8 channels --> sums of 36 points, 4 tiles
 *        memory, 9 lines          6 KiB in L1                    9 KiB in L1
 *        a channel
 *
 * and after a chain of channels the sums are added to M. So a sum has the order of those that the
 * panel product computes, and the same bits.
 */
#include <string.h>

#include "trunk/x86/vector_avx2.h"

#include "trunk/wino_four_vector.h"

#define DEPTH 8  /* channels at a time: 8 of U and all sums fit into L1 */
#define TILES FIRN_WINO_FEW
#define WIDE 2   /* registers of a panel */
#define AHEAD 16 /* channels whose kernels are on their way from memory */
#define LINES (DEPTH * 9 / 36) /* lines of them to prefetch with every point: all at once stall */

/* U and sums of 16 output channels. */
struct desk {
    float u[2][6][DEPTH][FIRN_PANEL];
    float sum[6][6][TILES][FIRN_PANEL];
} __attribute__((aligned(64)));

/* sum[rows][16] += v[rows][DEPTH] u[DEPTH][16] */
FOUR_INLINE void multiply(float (*sum)[FIRN_PANEL], const float *v, ptrdiff_t v_row,
                          const float *u, int rows)
{
    vec s[TILES][WIDE];
    _Pragma("GCC unroll 4")
    for (int i = 0; i < rows; i++)
        for (int x = 0; x < WIDE; x++)
            s[i][x] = LOAD(sum[i] + x * LANES);
    _Pragma("GCC unroll 8")
    for (int k = 0; k < DEPTH; k++) {
        /* gcc would load all of u first, and then spill it */
        __asm__("" : "+r"(u), "+r"(v));
        vec left = LOAD(u + k * FIRN_PANEL), right = LOAD(u + k * FIRN_PANEL + LANES);
        _Pragma("GCC unroll 4")
        for (int i = 0; i < rows; i++) {
            vec x = SET(v[i * v_row + k]);
            s[i][0] = FMA(x, left, s[i][0]);
            s[i][1] = FMA(x, right, s[i][1]);
        }
    }
    _Pragma("GCC unroll 4")
    for (int i = 0; i < rows; i++)
        for (int x = 0; x < WIDE; x++)
            STORE(sum[i] + x * LANES, s[i][x]);
}

#define MULTIPLY(rows)                                                                             \
    static __attribute__((noinline)) void multiply_##rows(                                         \
        float (*sum)[FIRN_PANEL], const float *v, ptrdiff_t v_row, const float *u)                 \
    {                                                                                              \
        multiply(sum, v, v_row, u, rows);                                                          \
    }
MULTIPLY(1)
MULTIPLY(2)
MULTIPLY(4)

/* The tiles that have point (i, j); wino.c says why. */
static void multiply_point(struct desk *d, int i, int j, const float *v, ptrdiff_t v_row,
                           const float *u)
{
    float (*sum)[FIRN_PANEL] = d->sum[i][j];
    if (i < 5 && j < 5)
        multiply_4(sum, v, v_row, u);
    else if (i < 5)
        multiply_2(sum + 1, v + v_row, v_row, u);
    else if (j < 5)
        multiply_2(sum, v, v_row, u);
    else
        multiply_1(sum + 1, v + v_row, v_row, u);
}

/* U of rows 0 and 5, 1 and 2, or 3 and 4 for DEPTH channels. */
static void make(const struct four *f, int rows, const float *tap, struct desk *d)
{
    const ptrdiff_t plane = DEPTH * FIRN_PANEL;
    for (int c = 0; c < DEPTH; c++, tap += 9 * FIRN_PANEL)
        for (int x = 0; x < FIRN_PANEL; x += LANES)
            if (rows == 0)
                four_ends(f, tap + x, d->u[0][0][c] + x, d->u[1][0][c] + x, plane);
            else
                four_middle(f, rows - 1, tap + x, d->u[0][0][c] + x, d->u[1][0][c] + x, plane);
}

/* DEPTH channels. */
static void step(const struct four *f, struct desk *d, const float *tap, const float *v,
                 const struct firn_wino_few *a)
{
    static const int row[3][2] = {{0, 5}, {1, 2}, {3, 4}};
    const char *line = (const char *)(tap + AHEAD * 9 * FIRN_PANEL);
    for (int r = 0; r < 3; r++) {
        make(f, r, tap, d);
        for (int k = 0; k < 12; k++) {
            int i = row[r][k / 6], j = k % 6;
            for (int l = 0; l < LINES; l++, line += 64)
                _mm_prefetch(line, _MM_HINT_T1);
            multiply_point(d, i, j, v + (i * 6 + j) * a->v_plane, a->v_row, d->u[k / 6][j][0]);
        }
    }
}

/* M of 16 output channels, of a chain or together with those before. */
static void add(const struct desk *d, const struct firn_wino_few *a, bool more)
{
    for (int p = 0; p < 36; p++)
        for (int t = 0; t < TILES; t++)
            for (int x = 0; x < FIRN_PANEL; x += LANES) {
                float *m = a->m + p * a->m_plane + t * a->m_row + x;
                vec sum = LOAD(d->sum[p / 6][p % 6][t] + x);
                if (more)
                    sum = LOAD(m) + sum;
                STORE(m, sum);
            }
}

void firn_wino_few_avx2(const struct firn_wino_few *a)
{
    const struct four f = four_of(a->matrix);
    struct desk d;
    for (int c = 0; c < a->channels; c += FIRN_WINO_CHAIN) {
        memset(d.sum, 0, sizeof d.sum);
        for (int k = c; k < c + FIRN_WINO_CHAIN; k += DEPTH)
            step(&f, &d, a->taps + (ptrdiff_t)k * 9 * FIRN_PANEL, a->v + k, a);
        add(&d, a, c > 0);
    }
}
