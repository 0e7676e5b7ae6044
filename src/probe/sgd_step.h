/* SPDX-License-Identifier: MIT */
/**
 * The body of firn_sgd_step_*(): included once for each instruction set. Eight numbers are added in
 * an order that is written down here, and the compiler may not fuse multiply and add, so that every
 * instruction set gives the same bits.
 */
#ifndef FIRN_SRC_PROBE_SGD_STEP_H
#define FIRN_SRC_PROBE_SGD_STEP_H

#include <stdbool.h>

#include "probe/sgd.h"

/* Vectors wider than the baseline's registers go between functions that are all inlined: no ABI. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define WIDE 8
typedef float wide __attribute__((vector_size(4 * WIDE)));
typedef float loose __attribute__((vector_size(4 * WIDE), aligned(4), may_alias));

/* Four rows of a batch; what is missing at its end is a row that counts for nothing. */
struct four {
    const float *x[4];
    float r[4];
};

static struct four rows_from(const struct firn_sgd_step *s, int k, int first)
{
    struct four f;
    for (int i = 0; i < 4; i++) {
        bool there = first + i < s->n;
        f.x[i] = s->x[there ? first + i : first];
        f.r[i] = there ? s->r[(first + i) * s->classes + k] : 0;
    }
    return f;
}

/* v = m v + sum of r x, and with the last rows w -= rate v: the momentum is that of PyTorch. */
static void update(float *w, float *v, int n, const struct four *f, float m, float rate)
{
    const float *x0 = f->x[0], *x1 = f->x[1], *x2 = f->x[2], *x3 = f->x[3];
    float r0 = f->r[0], r1 = f->r[1], r2 = f->r[2], r3 = f->r[3];
    int d = 0;
    for (; d + WIDE <= n; d += WIDE) {
        wide g = m * *(loose *)(v + d);
        g += r0 * *(const loose *)(x0 + d) + r1 * *(const loose *)(x1 + d);
        g += r2 * *(const loose *)(x2 + d) + r3 * *(const loose *)(x3 + d);
        *(loose *)(v + d) = g;
        *(loose *)(w + d) -= rate * g;
    }
    for (; d < n; d++) {
        float g = m * v[d];
        g += r0 * x0[d] + r1 * x1[d];
        g += r2 * x2[d] + r3 * x3[d];
        v[d] = g;
        w[d] -= rate * g;
    }
}

/* By address: how vectors are passed depends on the instruction set, of which GCC tells. */
static inline float join(const wide *a, const wide *b)
{
    wide c = *a + *b;
    return ((c[0] + c[4]) + (c[1] + c[5])) + ((c[2] + c[6]) + (c[3] + c[7]));
}

/* Products of one row of weights with four rows of features. */
static void scores(const float *w, int n, const float *const x[4], float z[4])
{
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    wide a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, b0 = {0}, b1 = {0}, b2 = {0}, b3 = {0};
    int d = 0;
    for (; d + 2 * WIDE <= n; d += 2 * WIDE) {
        const loose *y = (const loose *)(w + d);
        wide p = y[0], q = y[1];
        a0 += p * ((const loose *)(x0 + d))[0];
        b0 += q * ((const loose *)(x0 + d))[1];
        a1 += p * ((const loose *)(x1 + d))[0];
        b1 += q * ((const loose *)(x1 + d))[1];
        a2 += p * ((const loose *)(x2 + d))[0];
        b2 += q * ((const loose *)(x2 + d))[1];
        a3 += p * ((const loose *)(x3 + d))[0];
        b3 += q * ((const loose *)(x3 + d))[1];
    }
    z[0] = join(&a0, &b0);
    z[1] = join(&a1, &b1);
    z[2] = join(&a2, &b2);
    z[3] = join(&a3, &b3);
    for (; d < n; d++)
        for (int i = 0; i < 4; i++)
            z[i] += w[d] * x[i][d];
}

static void score_next(const struct firn_sgd_step *s, int k)
{
    for (int b = 0; b < s->n_next; b += 4) {
        const float *x[4];
        float z[4];
        for (int i = 0; i < 4; i++)
            x[i] = s->next[b + i < s->n_next ? b + i : b];
        scores(s->w + (size_t)k * (size_t)s->dim, s->dim, x, z);
        for (int i = 0; i < 4 && b + i < s->n_next; i++)
            s->z[(b + i) * s->classes + k] = z[i];
    }
}

static inline void sgd_step(const struct firn_sgd_step *s)
{
    for (int k = 0; k < s->classes; k++) {
        size_t at = (size_t)k * (size_t)s->dim;
        for (int b = 0; b < s->n; b += 4) {
            struct four f = rows_from(s, k, b);
            bool last = b + 4 >= s->n;
            update(s->w + at, s->v + at, s->dim, &f, b == 0 ? s->momentum : 1,
                   last ? s->rate : 0);
        }
        score_next(s, k);
    }
}

#endif
