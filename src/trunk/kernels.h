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

/**
 * Where a processor rounds product and sum apart, chains are so many times shorter: a trained
 * ResNet-18's features on photographs err by 0.8e-5 of their rms, and by 1.5e-5 with the same.
 */
#define FIRN_UNFUSED 4

/**
 * C[m][n] = A[m][k] * B, then + add[0], + add[1], + bias[n], + residual[m][n], ReLU, each where
 * wanted. B is packed in panels: [n / 16][k][16] (see firn_gemm_pack()), n a multiple of 16. Every
 * element of A * B is a sum, in rising order of k, of chains of multiply-adds that each start at
 * zero: the bits do not depend on m, and the rounding error grows with the length of the chains and
 * their number apart. One chain of 512 errs 2.5 times as much as eight of 64.
 * ReLU everywhere is `v < 0 ? 0 : v`: a NaN goes through, to be found in the feature.
 */
struct firn_gemm {
    int m, n, k;
    int chain; /**< multiply-adds of a chain: 64, 128 or 256 */
    const float *a;
    ptrdiff_t lda; /**< floats from row to row of A */
    const float *b;
    float *c;
    ptrdiff_t ldc;         /**< floats from row to row of C and of the residual */
    const float *bias;     /**< [n] or NULL */
    const float *residual; /**< as C, may equal c; or NULL */
    bool relu;
    const float *add[2]; /**< [m][n] or NULL; none overlaps c */
    float *sum;          /**< takes A * B + add[0]; or NULL */
    ptrdiff_t ld_add;    /**< floats from row to row of add and sum */
    const float *next_a; /**< A of the product to come, worth a prefetch; or NULL */
    ptrdiff_t next_c;    /**< floats from C to that of one to come; 0: not worth it */
};

/** The arguments of the convolution kernel for narrow groups; see grouped.c. */
struct firn_grouped;

/** The inner loops of Winograd's transforms; see wino.h. */
struct firn_wino_kernels;

/** Two pixels to the operands of Strassen's products; see strassen.h. */
struct firn_strassen;

struct firn_kernels {
    enum firn_cpu cpu; /**< the level this table was filled for */

    /**
     * All products of the trunk. BLIS 0.9, called panel by panel, is slower than the AVX2 version
     * for every shape (ResNet-50, batch 8, 1x1 layers, ms an image, BLIS : own, same session:
     * 512>128 3.20 : 3.01, 512>256 2.10 : 1.98, 512>2048 3.63 : 2.90, 1024>256 4.93 : 4.78,
     * 1024>512 2.00 : 1.90, 2048>512 1.96 : 1.90); the tests check one against the other.
     */
    void (*gemm)(const struct firn_gemm *g);

    /** rgb bytes to floats through table[channel][byte]. */
    void (*normalise)(const uint8_t *rgb, size_t pixels, const float table[3][256], float *out);

    /**
     * One row of a 3x3 maximum, stride 2, padding 1, from three rows [w][c] of the map, c a
     * multiple of 16: the middle one in place of a row outside the map.
     */
    void (*max_pool)(const float *const row[3], int w, int c, float *out);

    /** out[c] = mean over `pixels` of in[pixels][c], c a multiple of 16. */
    void (*average)(const float *in, int pixels, int c, float *out);

    void (*grouped)(const struct firn_grouped *g);

    void (*strassen)(const struct firn_strassen *t);

    const struct firn_wino_kernels *wino;

    /** `rounds` of multiply-adds on registers alone; returns the floating-point operations done. */
    double (*peak)(long rounds);
};

/** The table for `cpu`: everything up to that level of this architecture. */
void firn_kernels_choose(struct firn_kernels *kernels, enum firn_cpu cpu);

/** Packs a row-major [k][n] (row stride ldb) matrix into [n / 16][k][16] panels, n % 16 == 0. */
void firn_gemm_pack(const float *b, ptrdiff_t ldb, int k, int n, float *panels);

/** kernels->max_pool on all rows of a map [h][w][c], into [(h + 1) / 2][(w + 1) / 2][c]. */
void firn_max_pool(const struct firn_kernels *kernels, const float *in, int h, int w, int c,
                   float *out);

/* Each overrides its part of the table; called by firn_kernels_choose() in rising order. */
void firn_gemm_kernels_generic(struct firn_kernels *kernels);
void firn_wino_kernels_generic(struct firn_kernels *kernels);
void firn_map_kernels_generic(struct firn_kernels *kernels);
void firn_grouped_kernels_generic(struct firn_kernels *kernels);
void firn_strassen_kernels_generic(struct firn_kernels *kernels);
void firn_peak_kernels_generic(struct firn_kernels *kernels);
void firn_gemm_kernels_sse4(struct firn_kernels *kernels);
void firn_wino_kernels_sse4(struct firn_kernels *kernels);
void firn_map_kernels_sse4(struct firn_kernels *kernels);
void firn_grouped_kernels_sse4(struct firn_kernels *kernels);
void firn_strassen_kernels_sse4(struct firn_kernels *kernels);
void firn_gemm_kernels_avx2(struct firn_kernels *kernels);
void firn_wino_kernels_avx2(struct firn_kernels *kernels);
void firn_map_kernels_avx2(struct firn_kernels *kernels);
void firn_grouped_kernels_avx2(struct firn_kernels *kernels);
void firn_strassen_kernels_avx2(struct firn_kernels *kernels);
void firn_peak_kernels_avx2(struct firn_kernels *kernels);
void firn_gemm_kernels_neon(struct firn_kernels *kernels);
void firn_wino_kernels_neon(struct firn_kernels *kernels);
void firn_map_kernels_neon(struct firn_kernels *kernels);
void firn_grouped_kernels_neon(struct firn_kernels *kernels);
void firn_strassen_kernels_neon(struct firn_kernels *kernels);
void firn_peak_kernels_neon(struct firn_kernels *kernels);

#endif
