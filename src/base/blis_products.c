/* SPDX-License-Identifier: MIT */
#include "base/blis_products.h"

#include <blis.h>

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

bool firn_blis_has_panel(void)
{
    pthread_once(&once, find_kernel);
    return kernel != NULL;
}

/*
 * The "small/unpacked" kernel itself, instead of bli_sgemm(): it keeps the arithmetic of an element
 * independent of how many rows there are, takes no lock and packs nothing.
 */
void firn_blis_panel(int rows, int k, const float *a, ptrdiff_t lda, const float *b, float *c)
{
    float one = 1, zero = 0;
    auxinfo_t aux = {0};
    bli_auxinfo_set_ps_a(6 * lda, &aux); /* the kernel walks down A six rows at a time */
    kernel(BLIS_NO_CONJUGATE, BLIS_NO_CONJUGATE, rows, FIRN_BLIS_PANEL, k, &one, (float *)a, lda, 1,
           (float *)b, FIRN_BLIS_PANEL, 1, &zero, c, FIRN_BLIS_PANEL, 1, &aux, context);
}

static trans_t trans_of(const struct firn_blis_matrix *matrix)
{
    return matrix->transposed ? BLIS_TRANSPOSE : BLIS_NO_TRANSPOSE;
}

void firn_blis_multiply(int m, int n, int k, struct firn_blis_matrix a, struct firn_blis_matrix b,
                        bool add, float *c, ptrdiff_t ldc)
{
    float one = 1, beta = add ? 1 : 0;
    rntm_t alone = BLIS_RNTM_INITIALIZER;
    bli_rntm_set_num_threads(1, &alone); /* whatever BLIS_NUM_THREADS asks for */
    bli_sgemm_ex(trans_of(&a), trans_of(&b), m, n, k, &one, (float *)a.at, a.ld, 1, (float *)b.at,
                 b.ld, 1, &beta, c, ldc, 1, NULL, &alone);
}
