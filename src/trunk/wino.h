/* SPDX-License-Identifier: MIT */
/** Winograd convolution: the points, the tiles, and the inner loops that transform them. */
#ifndef FIRN_SRC_TRUNK_WINO_H
#define FIRN_SRC_TRUNK_WINO_H

#include <stdbool.h>
#include <stddef.h>

#define FIRN_WINO_MAX 8   /* points of an axis */
#define FIRN_WINO_POINTS (FIRN_WINO_MAX * FIRN_WINO_MAX)
#define FIRN_WINO_LANES 8 /* channels are transformed in multiples of this many */
#define FIRN_WINO_FEW 4   /* tiles of firn_wino_few */
/* Multiply-adds of a chain: short, as the transform of the outputs enlarges what these err. */
#define FIRN_WINO_CHAIN 64

/**
 * The points of n = 4 .. 8, in order: 0 where `zero`, then +p and -p for each of `pairs`, then
 * infinity. Pairs cost half of unpaired points and err less; two pairs p and 1/p and the pair 1
 * cost less again: they are for n = 8, where transforms weigh most. Chosen, among numbers of few
 * bits, for the smallest rounding errors of the outputs.
 */
#define FIRN_WINO_ZERO(n) ((n) % 2 == 0)
#define FIRN_WINO_PAIRS(n) (((n) - 1) / 2)
#define FIRN_WINO_PAIR(n, i)                                                                       \
    ((n) == 4   ? 1.0                                                                              \
     : (n) == 5 ? ((i) == 0 ? 0.5 : 1.5)                                                           \
     : (n) == 6 ? ((i) == 0 ? 0.70710678118654752440 : 1.41421356237309504880)                     \
     : (n) == 7 ? ((i) == 0 ? 0.25 : (i) == 1 ? 0.875 : 1.75)                                      \
                : ((i) == 0 ? 0.5 : (i) == 1 ? 1.0 : 2.0))

/**
 * Y = AT [(G g) * (BT d)]: m outputs from n = m + r - 1 inputs and r taps with n products.
 * Without its last point and input the same transform gives m - 1 outputs ("clipped").
 */
struct firn_wino_matrix {
    int n, m, r;
    double bt[FIRN_WINO_MAX][FIRN_WINO_MAX]; /* [n][n] */
    double g[FIRN_WINO_MAX][FIRN_WINO_MAX];  /* [n][r] */
    double at[FIRN_WINO_MAX][FIRN_WINO_MAX]; /* [m][n] */
};
void firn_wino_matrix(struct firn_wino_matrix *w, int m, int r);

/** One tile to transform: v[point] = BT d B for every channel. */
struct firn_wino_input {
    int points;          /**< of an axis */
    bool clip_h, clip_w; /**< drop the last point of the axis */
    int left, right;     /**< columns [left, right) lie on the map, the others are zero */
    int channels;        /**< multiple of FIRN_WINO_LANES */
    const float *row[FIRN_WINO_MAX]; /**< first pixel on the map of each row; or zeros */
    ptrdiff_t step;      /**< floats from column to column */
    float *v;            /**< of point (0, 0) */
    ptrdiff_t plane;     /**< floats from point to point; (i, j) is point i * points + j */
};

/** One tile of products back to outputs: AT m A + bias + residual, ReLU. */
struct firn_wino_output {
    int points, m;
    bool clip_h, clip_w;
    int rows, columns;   /**< outputs to store: those that lie on the map */
    int channels;        /**< multiple of FIRN_WINO_LANES */
    const float *v;      /**< products of point (0, 0) */
    ptrdiff_t plane;
    float *out;
    ptrdiff_t row, step; /**< floats from row to row, from column to column, of out and residual */
    const float *bias;
    const float *residual; /**< or NULL; may equal out */
    bool relu;
};

/**
 * Kernels to points, u[point] = G g G', of 16 output and some input channels. In double without
 * fused multiply-adds, each sum in the order of the taps, then rounded; those of F(4,3) in float,
 * as (G[.][0] g0 + G[.][2] g2) +- G[.][1] g1, every product and sum rounded, the vertical axis
 * first. The same numbers everywhere (but for the sign of a zero).
 */
struct firn_wino_weights {
    const struct firn_wino_matrix *matrix;
    int channels;                       /**< input channels */
    const float *tap[FIRN_WINO_POINTS]; /**< [16] of tap (y, x), y * r + x; NULL for zeros */
    ptrdiff_t step;                     /**< floats from input channel to input channel of them */
    float *u[FIRN_WINO_POINTS];         /**< [channels][16], 64-byte aligned; NULL: not wanted */
};

/**
 * The products of F(4,3) for four tiles, 2x2 of which the last of each axis are clipped, in the
 * order drawn in wino.c: m[point][tile][16] = v[point][tile][channels] U, with U made on the way.
 * The bits are those of `weights` and of gemm.
 */
struct firn_wino_few {
    const struct firn_wino_matrix *matrix;
    const float *taps;      /**< [channels][9][16] */
    int channels;           /**< a multiple of FIRN_WINO_CHAIN */
    const float *v;         /**< of point 0; as in firn_wino_input */
    ptrdiff_t v_row, v_plane, m_row, m_plane;
    float *m;               /**< tiles without a point have a row there, of no account */
};

struct firn_wino_kernels {
    void (*input)(const struct firn_wino_input *t);
    void (*output)(const struct firn_wino_output *t);
    void (*weights)(const struct firn_wino_weights *t);
    void (*few)(const struct firn_wino_few *t); /**< NULL: it would not pay */
};

void firn_wino_few_avx2(const struct firn_wino_few *t);

/** How an axis is cut: `full` tiles of m outputs, then `clipped` ones of m - 1. */
struct firn_wino_axis {
    int m, r;
    int full, clipped;
};

/** The cut of `size` outputs for r taps with the fewest points; tiles of m_min .. m_max outputs. */
struct firn_wino_axis firn_wino_cut(int size, int r, int m_min, int m_max);

/** First output of tile i. */
static inline int firn_wino_start(const struct firn_wino_axis *a, int i)
{
    return i <= a->full ? i * a->m : a->full * a->m + (i - a->full) * (a->m - 1);
}

#endif
