/* SPDX-License-Identifier: MIT */
/** Matrix products of BLIS. Every product is computed by the calling thread alone. */
#ifndef FIRN_SRC_BASE_BLIS_PRODUCTS_H
#define FIRN_SRC_BASE_BLIS_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>

/** Columns of the panel product. */
#define FIRN_BLIS_PANEL 16

/** Whether BLIS has a kernel for panels on this processor. */
bool firn_blis_has_panel(void);

/**
 * C[rows][16] = A[rows][k] * B[k][16]; `lda` floats from row to row of A. Needs
 * firn_blis_has_panel(). The bits of a row do not depend on how many rows there are.
 */
void firn_blis_panel(int rows, int k, const float *a, ptrdiff_t lda, const float *b, float *c);

/** A row-major matrix, or the transpose of one. */
struct firn_blis_matrix {
    const float *at;
    ptrdiff_t ld;    /**< floats from row to row */
    bool transposed; /**< it is the transpose of `at` that is multiplied */
};

/**
 * C[m][n] = A[m][k] * B[k][n], or C += where `add`; `ldc` floats from row to row of C. BLIS chooses
 * its algorithm by m, n and k: the same three give the same bits.
 */
void firn_blis_multiply(int m, int n, int k, struct firn_blis_matrix a, struct firn_blis_matrix b,
                        bool add, float *c, ptrdiff_t ldc);

#endif
