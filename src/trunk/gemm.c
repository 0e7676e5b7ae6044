/* SPDX-License-Identifier: MIT */
#include "trunk/kernels.h"

#include <string.h>

void firn_gemm_pack(const float *b, ptrdiff_t ldb, int k, int n, float *panels)
{
    for (int j = 0; j < n; j += FIRN_PANEL)
        for (int p = 0; p < k; p++, panels += FIRN_PANEL)
            memcpy(panels, b + p * ldb + j, FIRN_PANEL * sizeof *panels);
}

/* Bias, residual and ReLU of one row of a panel, in this order. */
static void finish_row(const struct firn_gemm *g, const float *sum, int i, int j)
{
    float *c = g->c + i * g->ldc + j;
    for (int x = 0; x < FIRN_PANEL; x++) {
        float v = sum[x];
        if (g->add[0])
            v += g->add[0][i * g->ld_add + j + x];
        if (g->sum)
            g->sum[i * g->ld_add + j + x] = v;
        if (g->add[1])
            v += g->add[1][i * g->ld_add + j + x];
        if (g->bias)
            v += g->bias[j + x];
        if (g->residual)
            v += g->residual[i * g->ldc + j + x];
        c[x] = g->relu && v < 0 ? 0.0f : v;
    }
}

/* One row of A, `depth` columns, times as many rows of a panel. */
static void add_chain(const float *a, const float *panel, int depth, float total[FIRN_PANEL])
{
    float sum[FIRN_PANEL] = {0};
    for (int k = 0; k < depth; k++)
        for (int x = 0; x < FIRN_PANEL; x++)
            sum[x] += a[k] * panel[k * FIRN_PANEL + x];
    for (int x = 0; x < FIRN_PANEL; x++)
        total[x] += sum[x];
}

static void gemm(const struct firn_gemm *g)
{
    int chain = g->chain / FIRN_UNFUSED;
    for (int j = 0; j < g->n; j += FIRN_PANEL) {
        const float *panel = g->b + (ptrdiff_t)j * g->k;
        for (int i = 0; i < g->m; i++) {
            const float *a = g->a + i * g->lda;
            float total[FIRN_PANEL] = {0};
            for (int k = 0; k < g->k; k += chain) {
                int depth = g->k - k < chain ? g->k - k : chain;
                add_chain(a + k, panel + (ptrdiff_t)k * FIRN_PANEL, depth, total);
            }
            finish_row(g, total, i, j);
        }
    }
}

void firn_gemm_kernels_generic(struct firn_kernels *kernels)
{
    kernels->gemm = gemm;
}
