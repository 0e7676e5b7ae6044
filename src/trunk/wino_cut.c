/* SPDX-License-Identifier: MIT */
#include "trunk/wino.h"

/* Points of all tiles of a cut: products of an axis. */
static int cost(const struct firn_wino_axis *a)
{
    int n = a->m + a->r - 1;
    return a->full * n + a->clipped * (n - 1);
}

/* The fewest tiles of m or m - 1 that cover `size`, with as many small ones as fit. */
static struct firn_wino_axis cut(int size, int m, int r)
{
    int tiles = (size + m - 1) / m;
    int spare = tiles * m - size;
    int clipped = spare < tiles ? spare : tiles;
    return (struct firn_wino_axis){.m = m, .r = r, .full = tiles - clipped, .clipped = clipped};
}

struct firn_wino_axis firn_wino_cut(int size, int r, int m_min, int m_max)
{
    struct firn_wino_axis best = cut(size, m_min, r);
    for (int m = m_min + 1; m <= m_max; m++) {
        struct firn_wino_axis a = cut(size, m, r);
        if (cost(&a) < cost(&best))
            best = a;
    }
    return best;
}
