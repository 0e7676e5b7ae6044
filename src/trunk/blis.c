/* SPDX-License-Identifier: MIT */
/**
 * The panel product through BLIS: its "small/unpacked" kernel multiplies any number of rows of A,
 * read where they lie, by one panel of B.
 */
#include "trunk/kernels.h"

#include "base/blis_products.h"

/* Rows between two passes of the epilogue: their 16 columns stay in L1. */
#define ROWS 48

_Static_assert(FIRN_PANEL == FIRN_BLIS_PANEL, "one kind of panel");

/* Bias, residual and ReLU on the way from the block of sums to C, whose old content may be the
 * residual. */
static void finish(const struct firn_gemm *g, const float *sum, int i, int rows, int j)
{
    for (int r = i; r < i + rows; r++, sum += FIRN_PANEL) {
        float v[FIRN_PANEL], *c = g->c + r * g->ldc + j;
        for (int x = 0; x < FIRN_PANEL; x++)
            v[x] = sum[x] + (g->bias ? g->bias[j + x] : 0.0f);
        if (g->residual)
            for (int x = 0; x < FIRN_PANEL; x++)
                v[x] += g->residual[r * g->ldc + j + x];
        for (int x = 0; x < FIRN_PANEL; x++)
            c[x] = g->relu && v[x] < 0 ? 0.0f : v[x];
    }
}

static void gemm(const struct firn_gemm *g)
{
    float sum[ROWS * FIRN_PANEL] __attribute__((aligned(64)));
    for (int j = 0; j < g->n; j += FIRN_PANEL)
        for (int i = 0; i < g->m; i += ROWS) {
            int rows = g->m - i < ROWS ? g->m - i : ROWS;
            firn_blis_panel(rows, g->k, g->a + i * g->lda, g->lda, g->b + (ptrdiff_t)j * g->k, sum);
            finish(g, sum, i, rows, j);
        }
}

bool firn_gemm_kernels_blis(struct firn_kernels *kernels)
{
    bool there = firn_blis_has_panel();
    if (there)
        kernels->product = gemm;
    return there;
}
