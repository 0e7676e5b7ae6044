/* SPDX-License-Identifier: MIT */
#include "probe/logistic.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/blis_products.h"
#include "base/error.h"
#include "base/mem.h"
#include "probe/softmax.h"

/* Rows of one product: 512 features of 256 rows are half a megabyte, which L2 holds between the
 * two products that need them. */
#define BLOCK 256

/* Sums over rows are made in so many lanes, whatever the number of threads. */
#define LANES 16

/* A block of rows of one run. */
struct block {
    const float *x;
    const int *y;
    int n;
};

struct lane {
    float *z;     /* [BLOCK][classes]: scores, then probabilities minus the truth */
    float *g;     /* [classes][dim]: gradient of the weights */
    double *g0;   /* [classes]: of the biases */
    double loss;
};

struct firn_logistic {
    struct block *block;
    size_t blocks, rows, lanes;
    int dim, classes;
    double c;
    float *w; /* [classes][dim] of the evaluation under way */
    const double *bias;
    struct lane lane[LANES];
    struct firn_team *team;
};

static void cut(struct firn_logistic *p, const struct firn_rows *rows)
{
    for (size_t i = 0; i < rows->n; i += BLOCK) {
        size_t n = rows->n - i < BLOCK ? rows->n - i : BLOCK;
        p->block[p->blocks++] = (struct block){rows->x + i * (size_t)p->dim, rows->y + i, (int)n};
    }
    p->rows += rows->n;
}

static bool allocate(struct firn_logistic *p, const struct firn_rows *run, int runs)
{
    size_t k = (size_t)p->classes, blocks = 0;
    for (int i = 0; i < runs; i++)
        blocks += run[i].n / BLOCK + 1;
    p->block = calloc(blocks, sizeof *p->block);
    p->w = firn_alloc(k * (size_t)p->dim, sizeof *p->w);
    if (!p->block || !p->w)
        return false;
    for (int i = 0; i < runs; i++)
        cut(p, run + i);
    p->lanes = p->blocks < LANES ? p->blocks : LANES;
    for (size_t i = 0; i < p->lanes; i++) {
        struct lane *lane = p->lane + i;
        lane->z = firn_alloc(BLOCK * k, sizeof *lane->z);
        lane->g = firn_alloc(k * (size_t)p->dim, sizeof *lane->g);
        lane->g0 = calloc(k, sizeof *lane->g0);
        if (!lane->z || !lane->g || !lane->g0)
            return false;
    }
    return true;
}

int firn_logistic_create(struct firn_logistic **out, const struct firn_rows *run, int runs,
                         int dim, int classes, struct firn_team *team, struct firn_error *err)
{
    struct firn_logistic *p = calloc(1, sizeof *p);
    *out = p;
    if (p) {
        p->dim = dim;
        p->classes = classes;
        p->c = 1;
        p->team = team;
    }
    if (p && allocate(p, run, runs))
        return 0;
    firn_logistic_destroy(p);
    *out = NULL;
    return firn_fail_nomem(err, "a logistic regression");
}

void firn_logistic_destroy(struct firn_logistic *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < LANES; i++) {
        firn_free(p->lane[i].z);
        firn_free(p->lane[i].g);
        free(p->lane[i].g0);
    }
    firn_free(p->w);
    free(p->block);
    free(p);
}

void firn_logistic_set_c(struct firn_logistic *p, double c)
{
    p->c = c;
}

/* From scores to the derivatives of the loss by them. */
static void blame(const struct firn_logistic *p, struct lane *lane, const struct block *b)
{
    int k = p->classes;
    float *z = lane->z;
    for (int r = 0; r < b->n; r++, z += k) {
        for (int i = 0; i < k; i++)
            z[i] += (float)p->bias[i];
        double truth = z[b->y[r]];
        lane->loss += firn_softmax(z, k) - truth;
        z[b->y[r]] -= 1;
        for (int i = 0; i < k; i++)
            lane->g0[i] += z[i];
    }
}

static void run_lane(void *user, int member, size_t l)
{
    struct firn_logistic *p = user;
    (void)member;
    struct lane *lane = p->lane + l;
    int d = p->dim, k = p->classes;
    size_t first = l * p->blocks / p->lanes, end = (l + 1) * p->blocks / p->lanes;
    lane->loss = 0;
    memset(lane->g0, 0, (size_t)k * sizeof *lane->g0);
    for (size_t i = first; i < end; i++) {
        const struct block *b = p->block + i;
        firn_blis_multiply(b->n, k, d, (struct firn_blis_matrix){b->x, d, false},
                           (struct firn_blis_matrix){p->w, d, true}, false, lane->z, k);
        blame(p, lane, b);
        firn_blis_multiply(k, d, b->n, (struct firn_blis_matrix){lane->z, k, true},
                           (struct firn_blis_matrix){b->x, d, false}, i > first, lane->g, d);
    }
}

double firn_logistic_evaluate(struct firn_logistic *p, const double *w, double *g)
{
    size_t weights = (size_t)p->classes * (size_t)p->dim;
    double loss = 0, squares = 0, share = 1 / (double)p->rows, decay = 1 / p->c;
    for (size_t i = 0; i < weights; i++) {
        p->w[i] = (float)w[i];
        squares += w[i] * w[i];
    }
    p->bias = w + weights;
    firn_team_run(p->team, p->lanes, run_lane, p);
    for (size_t i = 0; i < weights; i++) {
        double sum = w[i] * decay;
        for (size_t l = 0; l < p->lanes; l++)
            sum += (double)p->lane[l].g[i];
        g[i] = sum * share;
    }
    for (int i = 0; i < p->classes; i++) {
        double sum = 0;
        for (size_t l = 0; l < p->lanes; l++)
            sum += p->lane[l].g0[i];
        g[weights + (size_t)i] = sum * share;
    }
    for (size_t l = 0; l < p->lanes; l++)
        loss += p->lane[l].loss;
    return (loss + squares * decay / 2) * share;
}
