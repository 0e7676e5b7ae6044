/* SPDX-License-Identifier: MIT */
/**
 * Winograd's transforms for any vector width: a template that an instruction set's .c file includes
 * once, after it has defined
 *
 *   vec, LANES                     the register and its floats (8 % LANES == 0)
 *   LOAD(p), STORE(p, v), SET(x)   unaligned
 *   FMA(a, b, c)                   a * b + c, fused where the processor can
 *   MAX(a, b)                      b < a ? a : b, which lets a NaN in b through
 *
 * and compiled with vector operators. Everything unrolls: the numbers of points and outputs, which
 * points are 1 and which pairs are reciprocal are constants, so a product by 1 costs an addition,
 * which has units of its own beside those for multiply-adds.
 *
 * A pair +p, -p shares its work. With the inputs d read as polynomial coefficients, M(x)/(x -+ p)
 * is x^zero (x +- p) Q(x^2), where Q(y) is the product of (y - q^2) over the other pairs q: hence
 * the values are E +- p O, with E = Q on the inputs of one parity and O = Q on those of the other.
 */
#include <math.h>

#include "trunk/wino.h"

#define FORCE_INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define UNROLL _Pragma("GCC unroll 8")
#define HIDE(x) __asm__("" : "+r"(x)) /* from the optimiser */
#define ROLLED _Pragma("GCC unroll 1") /* 64 axes in a row would leave no room in L1I */

FORCE_INLINE vec times(double factor, vec v, vec sum)
{
    if (factor == 1)
        return sum + v;
    if (factor == -1)
        return sum - v;
    return FMA(SET((float)factor), v, sum);
}

FORCE_INLINE double square(double x)
{
    return x * x;
}

/* prod (y - p_i^2) over all pairs, on g[0 .. pairs]. */
FORCE_INLINE vec even_product(const vec *g, int n)
{
    double a = square(FIRN_WINO_PAIR(n, 0)), b = square(FIRN_WINO_PAIR(n, 1));
    double c = square(FIRN_WINO_PAIR(n, 2));
    if (FIRN_WINO_PAIRS(n) == 1)
        return times(-a, g[0], g[1]);
    if (FIRN_WINO_PAIRS(n) == 2) {
        vec sum = times(n == 6 ? 1 : a * b, g[0], g[2]); /* n == 6: reciprocal pairs */
        return times(-(a + b), g[1], sum);
    }
    if (n == 8) /* the pairs are p, 1, 1/p: the polynomial is antisymmetric */
        return times(-(a + b + c), g[2] - g[1], g[3] - g[0]);
    vec low = times(-a * b * c, g[0], g[3]);
    return times(-(a + b + c), g[2], times(a * b + b * c + c * a, g[1], low));
}

/* q[i] = prod (y - p_j^2) over the pairs j but i, on g[0 .. pairs - 1]. */
FORCE_INLINE void even_quotients(const vec *g, vec *q, int n)
{
    double a = square(FIRN_WINO_PAIR(n, 0)), b = square(FIRN_WINO_PAIR(n, 1));
    double c = square(FIRN_WINO_PAIR(n, 2));
    if (FIRN_WINO_PAIRS(n) == 1) {
        q[0] = g[0];
    } else if (FIRN_WINO_PAIRS(n) == 2) {
        q[0] = times(-b, g[0], g[1]);
        q[1] = times(-a, g[0], g[1]);
    } else if (n == 7) {
        q[0] = times(-(b + c), g[1], times(b * c, g[0], g[2]));
        q[1] = times(-(a + c), g[1], times(a * c, g[0], g[2]));
        q[2] = times(-(a + b), g[1], times(a * b, g[0], g[2]));
    } else {
        vec high = g[2] - g[1], low = g[1] - g[0]; /* the factor y - 1 taken out */
        q[0] = times(-c, low, high);
        q[1] = times(-(a + c), g[1], g[2] + g[0]);
        q[2] = times(-a, low, high);
    }
}

/* v[i] = row i of BT times d; `clip` leaves the last one out. */
FORCE_INLINE void input_axis(const vec *d, vec *v, int n, bool clip)
{
    const int zero = FIRN_WINO_ZERO(n), pairs = FIRN_WINO_PAIRS(n);
    vec even[4], odd[4], e[3], o[3];
    UNROLL
    for (int i = 0; i < pairs; i++) {
        odd[i] = d[zero + 2 * i];
        even[i] = d[zero + 2 * i + 1];
    }
    even_quotients(even, e, n);
    even_quotients(odd, o, n);
    UNROLL
    for (int i = 0; i < pairs; i++) {
        v[zero + 2 * i] = times(FIRN_WINO_PAIR(n, i), o[i], e[i]);
        v[zero + 2 * i + 1] = times(-FIRN_WINO_PAIR(n, i), o[i], e[i]);
    }
    vec g[4];
    if (zero) {
        UNROLL
        for (int i = 0; i <= pairs; i++)
            g[i] = d[2 * i];
        v[0] = even_product(g, n);
    }
    if (!clip) {
        UNROLL
        for (int i = 0; i <= pairs; i++)
            g[i] = d[zero + 2 * i];
        v[n - 1] = even_product(g, n);
    }
}

FORCE_INLINE double power(double x, int k)
{
    double y = 1;
    UNROLL
    for (int i = 0; i < k; i++)
        y *= x;
    return y;
}

/* y[k] = row k of AT times v, k < m - clip. */
FORCE_INLINE void output_axis(const vec *v, vec *y, int n, int m, bool clip)
{
    const int zero = FIRN_WINO_ZERO(n), pairs = FIRN_WINO_PAIRS(n);
    const int first = n == 8 ? 1 : 0; /* a pair to start from: 1 needs no product */
    vec sum[3], difference[3];
    UNROLL
    for (int i = 0; i < pairs; i++) {
        sum[i] = v[zero + 2 * i] + v[zero + 2 * i + 1];
        difference[i] = v[zero + 2 * i] - v[zero + 2 * i + 1];
    }
    UNROLL
    for (int k = 0; k < m - clip; k++) {
        const vec *term = k % 2 ? difference : sum;
        double scale = power(FIRN_WINO_PAIR(n, first), k);
        y[k] = term[first];
        if (scale != 1)
            y[k] *= SET((float)scale);
        UNROLL
        for (int i = 0; i < pairs; i++)
            if (i != first)
                y[k] = times(power(FIRN_WINO_PAIR(n, i), k), term[i], y[k]);
        if (k == 0 && zero)
            y[k] = y[k] + v[0];
        if (k == m - 1)
            y[k] = y[k] + v[n - 1];
    }
}

typedef vec square_vec[FIRN_WINO_MAX][FIRN_WINO_MAX];

/* BT on columns [left, right) of the tile; `in` points at the rows' channels of column `left`. */
FORCE_INLINE void input_columns(const struct firn_wino_input *t, ptrdiff_t at, square_vec half,
                                const int n, const bool clip)
{
    const ptrdiff_t step = t->step;
    const float *row[FIRN_WINO_MAX];
    UNROLL
    for (int y = 0; y < n - clip; y++)
        row[y] = t->row[y];
    ROLLED
    for (int x = t->left; x < t->right; x++, at += step) {
        vec d[FIRN_WINO_MAX], v[FIRN_WINO_MAX];
        HIDE(at); /* one index for all rows: gcc would step as many pointers */
        UNROLL
        for (int y = 0; y < n - clip; y++)
            d[y] = LOAD(row[y] + at);
        input_axis(d, v, n, clip);
        UNROLL
        for (int i = 0; i < n - clip; i++)
            half[i][x] = v[i];
    }
}

FORCE_INLINE void input_rows(const square_vec half, float *out, ptrdiff_t plane, int rows,
                             const int n, const bool clip)
{
    ROLLED
    for (int i = 0; i < rows; i++, out += n * plane) {
        vec v[FIRN_WINO_MAX];
        input_axis(half[i], v, n, clip);
        UNROLL
        for (int j = 0; j < n - clip; j++)
            STORE(out + j * plane, v[j]);
    }
}

FORCE_INLINE void output_columns(const float *in, ptrdiff_t plane, int columns, square_vec half,
                                 const int n, const int m, const bool clip)
{
    ROLLED
    for (int j = 0; j < columns; j++, in += plane) {
        vec v[FIRN_WINO_MAX], y[FIRN_WINO_MAX];
        UNROLL
        for (int i = 0; i < n - clip; i++)
            v[i] = LOAD(in + i * n * plane);
        output_axis(v, y, n, m, clip);
        UNROLL
        for (int k = 0; k < m - clip; k++)
            half[k][j] = y[k];
    }
}

FORCE_INLINE void output_rows(const struct firn_wino_output *t, ptrdiff_t at,
                              const square_vec half, const int n, const int m, const bool clip)
{
    const vec bias = LOAD(t->bias + at), least = SET(t->relu ? 0 : -INFINITY);
    const ptrdiff_t step = t->step, row = t->row;
    const int rows = t->rows, columns = t->columns;
    const float *residual = t->residual ? t->residual + at : NULL;
    float *out = t->out + at;
    ROLLED
    for (int k = 0; k < rows; k++, out += row) {
        vec y[FIRN_WINO_MAX];
        output_axis(half[k], y, n, m, clip);
        if (columns < m - clip) { /* over the edge of the map: rare */
            for (int x = 0; x < columns; x++) {
                vec v = y[x];
                if (residual)
                    v += LOAD(residual + k * row + x * step);
                STORE(out + x * step, MAX(least, v + bias));
            }
            continue;
        }
        if (residual) {
            UNROLL
            for (int x = 0; x < m - clip; x++)
                y[x] += LOAD(residual + x * step);
            residual += row;
        }
        UNROLL
        for (int x = 0; x < m - clip; x++)
            STORE(out + x * step, MAX(least, y[x] + bias));
    }
}

/* The passes are functions, not parts of one: gcc would unroll and unswitch them to 200 KB. */
#define INPUT_PASSES(n, clip)                                                                      \
    static NOINLINE void input_columns_##n##_##clip(const struct firn_wino_input *t, ptrdiff_t at, \
                                                    square_vec half)                               \
    {                                                                                              \
        input_columns(t, at, half, n, clip);                                                       \
    }                                                                                              \
    static NOINLINE void input_rows_##n##_##clip(const square_vec half, float *out,                \
                                                 ptrdiff_t plane, int rows)                        \
    {                                                                                              \
        input_rows(half, out, plane, rows, n, clip);                                               \
    }
#define INPUT(n)                                                                                   \
    INPUT_PASSES(n, 0)                                                                             \
    INPUT_PASSES(n, 1)                                                                             \
    static void input_##n(const struct firn_wino_input *t, square_vec half)                        \
    {                                                                                              \
        for (int c = 0; c < t->channels; c += LANES) {                                             \
            (t->clip_h ? input_columns_##n##_1 : input_columns_##n##_0)(t, c, half);               \
            (t->clip_w ? input_rows_##n##_1 : input_rows_##n##_0)(half, t->v + c, t->plane,        \
                                                                  n - t->clip_h);                  \
        }                                                                                          \
    }

#define OUTPUT_PASSES(n, m, clip)                                                                  \
    static NOINLINE void output_columns_##n##_##m##_##clip(const float *in, ptrdiff_t plane,       \
                                                           int columns, square_vec half)           \
    {                                                                                              \
        output_columns(in, plane, columns, half, n, m, clip);                                      \
    }                                                                                              \
    static NOINLINE void output_rows_##n##_##m##_##clip(const struct firn_wino_output *t,          \
                                                        ptrdiff_t at, const square_vec half)       \
    {                                                                                              \
        output_rows(t, at, half, n, m, clip);                                                      \
    }
#define OUTPUT(n, m)                                                                               \
    OUTPUT_PASSES(n, m, 0)                                                                         \
    OUTPUT_PASSES(n, m, 1)                                                                         \
    static void output_##n##_##m(const struct firn_wino_output *t, square_vec half)                \
    {                                                                                              \
        for (int c = 0; c < t->channels; c += LANES) {                                             \
            (t->clip_h ? output_columns_##n##_##m##_1 : output_columns_##n##_##m##_0)(             \
                t->v + c, t->plane, n - t->clip_w, half);                                          \
            (t->clip_w ? output_rows_##n##_##m##_1 : output_rows_##n##_##m##_0)(t, c, half);       \
        }                                                                                          \
    }

INPUT(4)
INPUT(5)
INPUT(6)
INPUT(7)
INPUT(8)
/* 3 taps, then 2 (3x3 stride 2), then 4 (7x7 stride 2) */
OUTPUT(4, 2)
OUTPUT(5, 3)
OUTPUT(6, 4)
OUTPUT(7, 5)
OUTPUT(8, 6)
OUTPUT(4, 3)
OUTPUT(5, 4)
OUTPUT(6, 5)
OUTPUT(7, 4)
OUTPUT(8, 5)

static void input(const struct firn_wino_input *t)
{
    static void (*const table[])(const struct firn_wino_input *, square_vec) = {
        [4] = input_4, [5] = input_5, [6] = input_6, [7] = input_7, [8] = input_8};
    square_vec half; /* columns done, rows not; stays in L1 */
    for (int x = 0; x < t->points; x++)
        if (x < t->left || x >= t->right)
            for (int i = 0; i < t->points; i++)
                half[i][x] = SET(0);
    table[t->points](t, half);
}

static void output(const struct firn_wino_output *t)
{
    static void (*const table[][FIRN_WINO_MAX])(const struct firn_wino_output *, square_vec) = {
        [4] = {[2] = output_4_2, [3] = output_4_3},
        [5] = {[3] = output_5_3, [4] = output_5_4},
        [6] = {[4] = output_6_4, [5] = output_6_5},
        [7] = {[4] = output_7_4, [5] = output_7_5},
        [8] = {[5] = output_8_5, [6] = output_8_6}};
    square_vec half;
    table[t->points][t->m](t, half);
}
