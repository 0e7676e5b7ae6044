/* SPDX-License-Identifier: MIT */
/**
 * The panel product through BLIS: its "small/unpacked" kernel multiplies any number of rows of A,
 * read where they lie, by one panel of B. Calling that kernel itself, instead of bli_sgemm(), keeps
 * the arithmetic of an element independent of how many rows there are (bli_sgemm() changes its
 * algorithm with the size), takes no lock and packs nothing.
 */
#include "trunk/kernels.h"

#include <blis.h>

/* Rows between two passes of the epilogue: their 16 columns stay in L1. */
#define ROWS 48

static sgemmsup_ker_ft kernel;
static cntx_t *context;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The processors whose float kernel is the row-major 6x16 one that panels of 16 are made for. */
static void find_kernel(void)
{
    bli_init();
    arch_t arch = bli_arch_query_id();
    if (arch != BLIS_ARCH_HASWELL && arch != BLIS_ARCH_ZEN && arch != BLIS_ARCH_ZEN2 &&
        arch != BLIS_ARCH_ZEN3)
        return;
    context = bli_gks_query_cntx();
    kernel = (sgemmsup_ker_ft)bli_cntx_get_l3_sup_ker_dt(BLIS_FLOAT, BLIS_RRR, context);
}

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
    float one = 1, zero = 0, sum[ROWS * FIRN_PANEL] __attribute__((aligned(64)));
    auxinfo_t aux = {0};
    bli_auxinfo_set_ps_a(6 * g->lda, &aux); /* the kernel walks down A six rows at a time */
    for (int j = 0; j < g->n; j += FIRN_PANEL)
        for (int i = 0; i < g->m; i += ROWS) {
            int rows = g->m - i < ROWS ? g->m - i : ROWS;
            kernel(BLIS_NO_CONJUGATE, BLIS_NO_CONJUGATE, rows, FIRN_PANEL, g->k, &one,
                   (float *)g->a + i * g->lda, g->lda, 1, (float *)g->b + (ptrdiff_t)j * g->k,
                   FIRN_PANEL, 1, &zero, sum, FIRN_PANEL, 1, &aux, context);
            finish(g, sum, i, rows, j);
        }
}

bool firn_gemm_kernels_blis(struct firn_kernels *kernels)
{
    pthread_once(&once, find_kernel);
    if (kernel)
        kernels->product = gemm;
    return kernel != NULL;
}
