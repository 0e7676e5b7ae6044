/* SPDX-License-Identifier: MIT */
/**
 * The matrices of Winograd's minimal filtering F(m, r) by the construction of Toom and Cook.
 *
 * m outputs of an r-tap filter are, read backwards (transposed), the product of a polynomial of
 * degree m - 1 and one of degree r - 1, and a polynomial of degree n - 1 = m + r - 2 is given by
 * its values at n points, of which one is infinity: its leading coefficient. With the finite
 * points p_i and M(x) = prod (x - p_i):
 *
 *   BT row i  = coefficients of M(x) / (x - p_i), and of M(x) itself for infinity
 *   G  row i  = (1, p_i, .., p_i^(r-1)) / prod_{j != i} (p_i - p_j); (0, .., 0, 1) for infinity
 *   AT[k][i]  = p_i^k, and 1 at k = m - 1 for infinity
 *
 * The rows of BT are monic, which is what the hand-structured transforms compute; G carries the
 * scale.
 */
#include "trunk/wino.h"

#include <assert.h>
#include <string.h>

static int finite_points(int n, double *p)
{
    int count = 0;
    if (FIRN_WINO_ZERO(n))
        p[count++] = 0;
    for (int i = 0; i < FIRN_WINO_PAIRS(n); i++) {
        p[count++] = FIRN_WINO_PAIR(n, i);
        p[count++] = -FIRN_WINO_PAIR(n, i);
    }
    return count;
}

/* Coefficients of prod (x - p[j]) over all j but `skip`, lowest first. */
static void product(const double *p, int count, int skip, double *c)
{
    int degree = 0;
    memset(c, 0, sizeof *c * FIRN_WINO_MAX);
    c[0] = 1;
    for (int j = 0; j < count; j++) {
        if (j == skip)
            continue;
        degree++;
        for (int k = degree; k > 0; k--)
            c[k] = c[k - 1] - p[j] * c[k];
        c[0] *= -p[j];
    }
}

static double power(double x, int k)
{
    double y = 1;
    while (k-- > 0)
        y *= x;
    return y;
}

void firn_wino_matrix(struct firn_wino_matrix *w, int m, int r)
{
    double p[FIRN_WINO_MAX];
    int n = m + r - 1;
    assert(n >= 4 && n <= FIRN_WINO_MAX);
    memset(w, 0, sizeof *w);
    w->n = n;
    w->m = m;
    w->r = r;
    int count = finite_points(n, p);
    assert(count == n - 1);
    for (int i = 0; i < count; i++) {
        double scale = 1;
        for (int j = 0; j < count; j++)
            if (j != i)
                scale *= p[i] - p[j];
        for (int k = 0; k < r; k++)
            w->g[i][k] = power(p[i], k) / scale;
        for (int k = 0; k < m; k++)
            w->at[k][i] = power(p[i], k);
        product(p, count, i, w->bt[i]);
    }
    product(p, count, -1, w->bt[n - 1]);
    w->g[n - 1][r - 1] = 1;
    w->at[m - 1][n - 1] = 1;
}
