/* SPDX-License-Identifier: MIT */
/**
 * The transform of Winograd's kernels for any vector width: a template like wino_vector.h. All 16
 * output channels of a point are written at once, a line of the cache.
 */
#include <string.h>

#include "trunk/wino_four_vector.h"

#define HALF_LANES (LANES / 2) /* doubles of a register */
#define REGISTERS (FIRN_PANEL / HALF_LANES)
#define AT_ONCE 4 /* registers: with up to four taps 16 of the sums of the first axis */

typedef double doubles __attribute__((vector_size(HALF_LANES * sizeof(double))));
typedef float singles __attribute__((vector_size(HALF_LANES * sizeof(float))));

/* The taps of one input channel as doubles. */
static inline void widen(const struct firn_wino_weights *t, int c, int taps,
                         doubles (*tap)[REGISTERS])
{
    for (int k = 0; k < taps; k++)
        for (int o = 0; t->tap[k] && o < REGISTERS; o++) {
            singles v;
            memcpy(&v, t->tap[k] + c * t->step + o * HALF_LANES, sizeof v);
            tap[k][o] = __builtin_convertvector(v, doubles);
        }
}

static inline __attribute__((always_inline)) doubles dot(const double *g, const doubles *v,
                                                         int step, int r)
{
    doubles sum = g[0] * v[0];
    _Pragma("GCC unroll 4")
    for (int i = 1; i < r; i++)
        sum += g[i] * v[i * step];
    return sum;
}

static inline __attribute__((always_inline)) void weights_of(const struct firn_wino_weights *t,
                                                             int r)
{
    const struct firn_wino_matrix *w = t->matrix;
    doubles tap[16][REGISTERS] = {0}, half[AT_ONCE][4];
    for (int c = 0; c < t->channels; c++) {
        widen(t, c, r * r, tap);
        for (int i = 0; i < w->n; i++)
            for (int o = 0; o < REGISTERS; o += AT_ONCE) {
                _Pragma("GCC unroll 4")
                for (int k = 0; k < AT_ONCE; k++)
                    _Pragma("GCC unroll 4")
                    for (int x = 0; x < r; x++)
                        half[k][x] = dot(w->g[i], &tap[x][o + k], r * REGISTERS, r);
                for (int j = 0; j < w->n; j++) {
                    float *u = t->u[i * w->n + j];
                    if (!u)
                        continue;
                    u += c * FIRN_PANEL + o * HALF_LANES;
                    _Pragma("GCC unroll 4")
                    for (int k = 0; k < AT_ONCE; k++) {
                        singles v = __builtin_convertvector(dot(w->g[j], half[k], 1, r), singles);
                        memcpy(u + k * HALF_LANES, &v, sizeof v);
                    }
                }
            }
    }
}

static void weights_of_four(const struct firn_wino_weights *t)
{
    const struct four f = four_of(t->matrix);
    float tap[9][FIRN_PANEL] = {{0}}, u[36][FIRN_PANEL];
    for (int c = 0; c < t->channels; c++) {
        for (int k = 0; k < 9; k++)
            if (t->tap[k])
                memcpy(tap[k], t->tap[k] + c * t->step, sizeof tap[k]);
        for (int x = 0; x < FIRN_PANEL; x += LANES) {
            four_ends(&f, tap[0] + x, u[0] + x, u[30] + x, FIRN_PANEL);
            four_middle(&f, 0, tap[0] + x, u[6] + x, u[12] + x, FIRN_PANEL);
            four_middle(&f, 1, tap[0] + x, u[18] + x, u[24] + x, FIRN_PANEL);
        }
        for (int p = 0; p < 36; p++)
            if (t->u[p])
                memcpy(t->u[p] + c * FIRN_PANEL, u[p], sizeof u[p]);
    }
}

static void weights(const struct firn_wino_weights *t)
{
    if (t->matrix->n == 6 && t->matrix->r == 3)
        weights_of_four(t);
    else if (t->matrix->r == 2)
        weights_of(t, 2);
    else if (t->matrix->r == 3)
        weights_of(t, 3);
    else
        weights_of(t, 4);
}
