/* SPDX-License-Identifier: MIT */
/** Winograd's transforms straight from their matrices: the specification of the fast ones. */
#include "trunk/kernels.h"
#include "trunk/wino.h"

typedef float square[FIRN_WINO_MAX][FIRN_WINO_MAX];

static float pixel(const struct firn_wino_input *t, int y, int x, int c)
{
    return x < t->left || x >= t->right ? 0 : t->row[y][(x - t->left) * t->step + c];
}

/* The taps r do not matter: BT depends on the points alone. */
static void input(const struct firn_wino_input *t)
{
    struct firn_wino_matrix w;
    firn_wino_matrix(&w, t->points - 1, 2);
    int h = t->points - t->clip_h, width = t->points - t->clip_w;
    square half;
    for (int c = 0; c < t->channels; c++) {
        for (int i = 0; i < h; i++)
            for (int x = 0; x < width; x++) {
                half[i][x] = 0;
                for (int y = 0; y < h; y++)
                    half[i][x] += (float)w.bt[i][y] * pixel(t, y, x, c);
            }
        for (int i = 0; i < h; i++)
            for (int j = 0; j < width; j++) {
                float sum = 0;
                for (int x = 0; x < width; x++)
                    sum += (float)w.bt[j][x] * half[i][x];
                t->v[(i * t->points + j) * t->plane + c] = sum;
            }
    }
}

static void finish(const struct firn_wino_output *t, int y, int x, int c, float v)
{
    ptrdiff_t at = y * t->row + x * t->step + c;
    v += t->bias[c];
    if (t->residual)
        v += t->residual[at];
    t->out[at] = t->relu && v < 0 ? 0 : v;
}

static void output(const struct firn_wino_output *t)
{
    struct firn_wino_matrix w;
    firn_wino_matrix(&w, t->m, t->points - t->m + 1);
    int h = t->points - t->clip_h, width = t->points - t->clip_w;
    square half;
    for (int c = 0; c < t->channels; c++) {
        for (int y = 0; y < t->rows; y++)
            for (int j = 0; j < width; j++) {
                half[y][j] = 0;
                for (int i = 0; i < h; i++)
                    half[y][j] += (float)w.at[y][i] * t->v[(i * t->points + j) * t->plane + c];
            }
        for (int y = 0; y < t->rows; y++)
            for (int x = 0; x < t->columns; x++) {
                float sum = 0;
                for (int j = 0; j < width; j++)
                    sum += (float)w.at[x][j] * half[y][j];
                finish(t, y, x, c, sum);
            }
    }
}

/* Point i of the three taps of an axis, in float. */
static float four_point(const struct firn_wino_matrix *w, int i, float a, float b, float c)
{
    if (i == 5)
        return c;
    float even = a * (float)w->g[i][0], odd = b * (float)w->g[i][1];
    return i == 0 ? even : even + c * (float)w->g[i][2] + odd;
}

static void weights_of_four(const struct firn_wino_weights *t)
{
    const struct firn_wino_matrix *w = t->matrix;
    for (int c = 0; c < t->channels; c++)
        for (int o = 0; o < FIRN_PANEL; o++) {
            float g[9], half[3];
            for (int k = 0; k < 9; k++)
                g[k] = t->tap[k] ? t->tap[k][c * t->step + o] : 0;
            for (int p = 0; p < 36; p++) {
                for (int x = 0; x < 3; x++)
                    half[x] = four_point(w, p / 6, g[x], g[3 + x], g[6 + x]);
                if (t->u[p])
                    t->u[p][c * FIRN_PANEL + o] = four_point(w, p % 6, half[0], half[1], half[2]);
            }
        }
}

static void weights_of_any(const struct firn_wino_weights *t)
{
    const struct firn_wino_matrix *w = t->matrix;
    double half[FIRN_WINO_MAX];
    for (int c = 0; c < t->channels; c++)
        for (int o = 0; o < FIRN_PANEL; o++)
            for (int i = 0; i < w->n; i++) {
                for (int x = 0; x < w->r; x++) {
                    half[x] = 0;
                    for (int y = 0; y < w->r; y++) {
                        const float *tap = t->tap[y * w->r + x];
                        half[x] += w->g[i][y] * (tap ? tap[c * t->step + o] : 0);
                    }
                }
                for (int j = 0; j < w->n; j++) {
                    double sum = 0;
                    for (int x = 0; x < w->r; x++)
                        sum += w->g[j][x] * half[x];
                    if (t->u[i * w->n + j])
                        t->u[i * w->n + j][c * FIRN_PANEL + o] = (float)sum;
                }
            }
}

static void weights(const struct firn_wino_weights *t)
{
    if (t->matrix->n == 6 && t->matrix->r == 3)
        weights_of_four(t);
    else
        weights_of_any(t);
}

static const struct firn_wino_kernels generic = {
    .input = input, .output = output, .weights = weights};

void firn_wino_kernels_generic(struct firn_kernels *kernels)
{
    kernels->wino = &generic;
}
