/* SPDX-License-Identifier: MIT */
/**
 * The panel product for vectors of four: a template, see x86/vector_sse4.h for what it needs.
 * GEMM_ROWS rows by the sixteen columns of a panel are summed in registers.
 */
#include "trunk/kernels.h"

#define FORCE_INLINE static inline __attribute__((always_inline))
#define WIDE (FIRN_PANEL / LANES) /* registers of a row */
#define CHUNK 96                  /* rows that pass over all panels before the next */

FORCE_INLINE void finish(const struct firn_gemm *g, int i, int j, vec sum[WIDE])
{
    float *c = g->c + i * g->ldc + j;
    ptrdiff_t at = i * g->ld_add + j;
    for (int x = 0; x < WIDE; x++) {
        vec v = sum[x];
        if (g->add[0])
            v = v + LOAD(g->add[0] + at + x * LANES);
        if (g->sum)
            STORE(g->sum + at + x * LANES, v);
        if (g->add[1])
            v = v + LOAD(g->add[1] + at + x * LANES);
        if (g->bias)
            v = v + LOAD(g->bias + j + x * LANES);
        if (g->residual)
            v = v + LOAD(g->residual + i * g->ldc + j + x * LANES);
        STORE(c + x * LANES, g->relu ? MAX(SET(0.0f), v) : v);
    }
}

FORCE_INLINE void chain(vec sum[][WIDE], const float *a, ptrdiff_t lda, const float *b, int depth,
                        int rows)
{
    for (int i = 0; i < rows; i++)
        for (int x = 0; x < WIDE; x++)
            sum[i][x] = SET(0.0f);
    for (int k = 0; k < depth; k++, b += FIRN_PANEL) {
        vec column[WIDE];
        for (int x = 0; x < WIDE; x++)
            column[x] = LOAD(b + x * LANES);
        for (int i = 0; i < rows; i++) {
            vec v = SET(a[i * lda + k]);
            for (int x = 0; x < WIDE; x++)
                sum[i][x] = FMA(v, column[x], sum[i][x]);
        }
    }
}

FORCE_INLINE void block(const struct firn_gemm *g, int i, int j, int rows)
{
    const float *a = g->a + i * g->lda, *b = g->b + (ptrdiff_t)j * g->k;
    const int most = CHAIN(g);
    vec sum[GEMM_ROWS][WIDE], total[GEMM_ROWS][WIDE];
    chain(sum, a, g->lda, b, g->k < most ? g->k : most, rows);
    for (int k = most; k < g->k; k += most) {
        for (int r = 0; r < rows; r++)
            for (int x = 0; x < WIDE; x++)
                total[r][x] = sum[r][x];
        int depth = g->k - k < most ? g->k - k : most;
        chain(sum, a + k, g->lda, b + (ptrdiff_t)k * FIRN_PANEL, depth, rows);
        for (int r = 0; r < rows; r++)
            for (int x = 0; x < WIDE; x++)
                sum[r][x] = total[r][x] + sum[r][x];
    }
    for (int r = 0; r < rows; r++)
        finish(g, i + r, j, sum[r]);
}

static void gemm(const struct firn_gemm *g)
{
    for (int first = 0; first < g->m; first += CHUNK) {
        int end = g->m - first < CHUNK ? g->m : first + CHUNK;
        for (int j = 0; j < g->n; j += FIRN_PANEL) {
            int i = first;
            for (; i + GEMM_ROWS <= end; i += GEMM_ROWS)
                block(g, i, j, GEMM_ROWS);
            for (; i < end; i++)
                block(g, i, j, 1);
        }
    }
}
