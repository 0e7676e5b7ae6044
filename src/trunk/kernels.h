/* SPDX-License-Identifier: MIT */
/**
 * The one table of inner loops per instruction set. It is filled with the generic C versions first,
 * which are the specification; each level the processor has then overrides what it does better.
 */
#ifndef FIRN_SRC_TRUNK_KERNELS_H
#define FIRN_SRC_TRUNK_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/** Columns of a weight panel: two AVX2 registers, four SSE or NEON registers. */
#define FIRN_PANEL 16

/** Multiply-adds of a chain. */
#define FIRN_CHAIN 64

/**
 * C[m][n] = A[m][k] * B, then + bias[n], + residual[m][n], ReLU, each where wanted. B is packed in
 * panels: [n / 16][k][16] (see firn_gemm_pack()), n a multiple of 16. Every element of C is a sum,
 * in rising order of k, of chains of FIRN_CHAIN multiply-adds that each start at zero: the bits do
 * not depend on m, and the rounding error grows with the length of the chains and their number
 * apart. One chain of 512 errs 2.5 times as much as eight of 64.
 * ReLU everywhere is `v < 0 ? 0 : v`: a NaN goes through, to be found in the feature.
 */
struct firn_gemm {
    int m, n, k;
    const float *a;
    ptrdiff_t lda; /**< floats from row to row of A */
    const float *b;
    float *c;
    ptrdiff_t ldc;         /**< floats from row to row of C and of the residual */
    const float *bias;     /**< [n] or NULL */
    const float *residual; /**< as C, may equal c; or NULL */
    bool relu;
    const float *next_a; /**< A of the product to come, worth a prefetch; or NULL */
};

/**
 * From here on BLIS is as fast as our own kernel (ResNet-50, 1x1, percent of peak, BLIS : own, same
 * session: k = 64 30 : 43, 128 34 : 42, 256 47 : 41 to 43, 512 53 : 46, 1024 55 : 45, 2048 60 : 45).
 */
#define FIRN_LONG_ROW 512

/** The arguments of the convolution kernel for narrow groups; see grouped.c. */
struct firn_grouped;

/** The inner loops of Winograd's transforms; see wino.h. */
struct firn_wino_kernels;

struct firn_kernels {
    enum firn_cpu cpu; /**< the level this table was filled for */

    /** The products of Winograd's points. */
    void (*gemm)(const struct firn_gemm *g);

    /** Plain products of long rows (k >= FIRN_LONG_ROW): BLIS where it fits, else as gemm. */
    void (*product)(const struct firn_gemm *g);

    /** rgb bytes to floats through table[channel][byte]. */
    void (*normalise)(const uint8_t *rgb, size_t pixels, const float table[3][256], float *out);

    /**
     * One row of a 3x3 maximum, stride 2, padding 1, from three rows [w][c] of the map, c a multiple
     * of 16: the middle one in place of a row outside the map.
     */
    void (*max_pool)(const float *const row[3], int w, int c, float *out);

    /** out[c] = mean over `pixels` of in[pixels][c], c a multiple of 16. */
    void (*average)(const float *in, int pixels, int c, float *out);

    void (*grouped)(const struct firn_grouped *g);

    const struct firn_wino_kernels *wino;

    /** `rounds` of multiply-adds on registers alone; returns the floating-point operations done. */
    double (*peak)(long rounds);
};

/** The table for `cpu`: everything up to that level of this architecture. */
void firn_kernels_choose(struct firn_kernels *kernels, enum firn_cpu cpu);

/** Packs a row-major [k][n] (row stride ldb) matrix into [n / 16][k][16] panels, n % 16 == 0. */
void firn_gemm_pack(const float *b, ptrdiff_t ldb, int k, int n, float *panels);

/* Each overrides its part of the table; called by firn_kernels_choose() in rising order. */
void firn_gemm_kernels_generic(struct firn_kernels *kernels);
void firn_wino_kernels_generic(struct firn_kernels *kernels);
void firn_map_kernels_generic(struct firn_kernels *kernels);
void firn_grouped_kernels_generic(struct firn_kernels *kernels);
void firn_peak_kernels_generic(struct firn_kernels *kernels);
void firn_gemm_kernels_sse4(struct firn_kernels *kernels);
void firn_wino_kernels_sse4(struct firn_kernels *kernels);
void firn_map_kernels_sse4(struct firn_kernels *kernels);
void firn_grouped_kernels_sse4(struct firn_kernels *kernels);
void firn_gemm_kernels_avx2(struct firn_kernels *kernels);
void firn_wino_kernels_avx2(struct firn_kernels *kernels);
void firn_map_kernels_avx2(struct firn_kernels *kernels);
void firn_grouped_kernels_avx2(struct firn_kernels *kernels);
void firn_peak_kernels_avx2(struct firn_kernels *kernels);
void firn_gemm_kernels_neon(struct firn_kernels *kernels);
void firn_wino_kernels_neon(struct firn_kernels *kernels);
void firn_map_kernels_neon(struct firn_kernels *kernels);
void firn_grouped_kernels_neon(struct firn_kernels *kernels);
void firn_peak_kernels_neon(struct firn_kernels *kernels);

/**
 * Plain products by BLIS, where its kernel for this processor takes panels as they are; else false.
 * It sums k in one chain.
 */
bool firn_gemm_kernels_blis(struct firn_kernels *kernels);

#endif
