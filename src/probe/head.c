/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdlib.h>

#include "base/blis_products.h"
#include "base/error.h"
#include "base/mem.h"
#include "probe/logistic.h"
#include "probe/softmax.h"

#define BLOCK 256

struct application {
    const struct firn_head *head;
    const struct firn_rows *rows;
    int *predicted;
    float *z;                     /* [members][BLOCK][classes] */
    struct firn_verdict *verdict; /* [blocks] */
};

static int highest(const float *z, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (z[i] > z[best])
            best = i;
    return best;
}

static void judge(const struct application *a, size_t row, float *z, struct firn_verdict *v)
{
    int k = a->head->classes, y = a->rows->y[row];
    for (int i = 0; i < k; i++)
        z[i] += a->head->bias[i];
    int best = highest(z, k);
    if (a->predicted)
        a->predicted[row] = best;
    if (y < 0 || y >= k)
        return;
    v->known++;
    v->right += best == y;
    double truth = z[y];
    v->loss += firn_softmax(z, k) - truth;
}

static void apply_block(void *user, int member, size_t i)
{
    struct application *a = user;
    const struct firn_head *h = a->head;
    size_t first = i * BLOCK, d = (size_t)h->dim, k = (size_t)h->classes;
    int n = a->rows->n - first < BLOCK ? (int)(a->rows->n - first) : BLOCK;
    float *z = a->z + (size_t)member * BLOCK * k;
    firn_blis_multiply(n, h->classes, h->dim,
                       (struct firn_blis_matrix){a->rows->x + first * d, h->dim, false},
                       (struct firn_blis_matrix){h->weight, h->dim, true}, false, z, h->classes);
    for (int r = 0; r < n; r++)
        judge(a, first + (size_t)r, z + (size_t)r * k, a->verdict + i);
}

int firn_head_apply(const struct firn_head *head, const struct firn_rows *rows,
                    struct firn_team *team, int *predicted, struct firn_verdict *verdict,
                    struct firn_error *err)
{
    size_t blocks = (rows->n + BLOCK - 1) / BLOCK, members = (size_t)firn_team_size(team);
    struct application a = {.head = head, .rows = rows, .predicted = predicted};
    a.z = firn_alloc(members * BLOCK * (size_t)head->classes, sizeof *a.z);
    a.verdict = calloc(blocks + 1, sizeof *a.verdict);
    bool whole = a.z && a.verdict;
    *verdict = (struct firn_verdict){0};
    if (whole)
        firn_team_run(team, blocks, apply_block, &a);
    for (size_t i = 0; i < blocks && whole; i++) {
        verdict->loss += a.verdict[i].loss;
        verdict->right += a.verdict[i].right;
        verdict->known += a.verdict[i].known;
    }
    firn_free(a.z);
    free(a.verdict);
    return whole ? 0 : firn_fail_nomem(err, "scores");
}
