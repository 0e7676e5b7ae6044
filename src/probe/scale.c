/* SPDX-License-Identifier: MIT */
#include "probe/scale.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* Sums over rows are made in so many parts, whatever the number of threads. */
#define PARTS 16

/* A deviation below this share of the mean is rounding, not a feature. */
#define CONSTANT 1e-6

#define ROWS 1024 /* of a piece of the application */

struct measurement {
    const float *x;
    size_t n, dim;
    const double *mean; /* NULL: sums of x; else sums of (x - mean)^2 */
    double *sum;        /* [PARTS][dim] */
};

static void measure(void *user, int member, size_t part)
{
    const struct measurement *m = user;
    double *sum = m->sum + part * m->dim;
    (void)member;
    memset(sum, 0, m->dim * sizeof *sum);
    for (size_t i = part * m->n / PARTS; i < (part + 1) * m->n / PARTS; i++) {
        const float *x = m->x + i * m->dim;
        for (size_t d = 0; d < m->dim; d++) {
            double v = m->mean ? x[d] - m->mean[d] : x[d];
            sum[d] += m->mean ? v * v : v;
        }
    }
}

static void average(struct measurement *m, struct firn_team *team, double *out)
{
    firn_team_run(team, PARTS, measure, m);
    for (size_t d = 0; d < m->dim; d++) {
        double sum = 0;
        for (size_t part = 0; part < PARTS; part++)
            sum += m->sum[part * m->dim + d];
        out[d] = sum / (double)m->n;
    }
}

/* From variances to what features are multiplied with. */
static void invert(struct firn_scale *s, bool each)
{
    double common = 0;
    for (int i = 0; i < s->dim; i++)
        common += s->inverse[i] / s->dim;
    for (int i = 0; i < s->dim; i++) {
        double own = sqrt(s->inverse[i]);
        bool constant = !(own > CONSTANT * fabs(s->mean[i]));
        s->inverse[i] = constant ? 0 : 1 / (each ? own : sqrt(common));
    }
}

int firn_scale_init(struct firn_scale *s, const float *x, size_t n, int dim, bool each,
                    struct firn_team *team, struct firn_error *err)
{
    size_t d = (size_t)dim;
    struct measurement m = {x, n, d, NULL, calloc(PARTS * d, sizeof(double))};
    *s = (struct firn_scale){dim, calloc(d, sizeof(double)), calloc(d, sizeof(double))};
    if (!m.sum || !s->mean || !s->inverse) {
        free(m.sum);
        return firn_fail_nomem(err, "means and deviations");
    }
    average(&m, team, s->mean);
    m.mean = s->mean;
    average(&m, team, s->inverse);
    invert(s, each);
    free(m.sum);
    return 0;
}

void firn_scale_fini(struct firn_scale *s)
{
    free(s->mean);
    free(s->inverse);
    *s = (struct firn_scale){0};
}

struct application {
    const struct firn_scale *scale;
    float *x;
    size_t n;
};

static void apply(void *user, int member, size_t piece)
{
    const struct application *a = user;
    size_t dim = (size_t)a->scale->dim, end = (piece + 1) * ROWS;
    (void)member;
    for (size_t i = piece * ROWS; i < end && i < a->n; i++) {
        float *x = a->x + i * dim;
        for (size_t d = 0; d < dim; d++)
            x[d] = (float)((x[d] - a->scale->mean[d]) * a->scale->inverse[d]);
    }
}

void firn_scale_apply(const struct firn_scale *scale, float *x, size_t n, struct firn_team *team)
{
    struct application a = {scale, x, n};
    firn_team_run(team, (n + ROWS - 1) / ROWS, apply, &a);
}
