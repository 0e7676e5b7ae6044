/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "probe/fit.h"

/* More photographs than this make the choice slower and hardly better: each fold is judged by
 * thousands then. C weighs the sum over photographs, so that it need not grow with them. */
#define ENOUGH 20000

/* The values tried, from a strong penalty to a weak one, each beginning where the last ended. */
#define FIRST_C 1e-5
#define FACTOR 3.1622776601683795 /* half a decade */

/* So many values in a row that cannot be the choice end the search. */
#define PATIENCE 2

/* The rows of one fold: what it is judged by, and the problem of all the others. */
struct fold {
    struct firn_rows held;
    struct firn_logistic *problem;
    struct firn_fit fit;
};

/* The photographs that take part, fold by fold. */
struct validation {
    size_t n;
    size_t *row;   /* [n] in the sample */
    int *fold_of;  /* [n] */
    float *x;      /* [n][dim] */
    int *y;        /* [n] */
    int *judged;   /* [n]: y, or -1 where the class is not among the fold's training rows */
    int folds;     /* that have rows */
    struct fold fold[FIRN_PROBE_FOLDS];
};

struct key {
    size_t row;
    int y;
    const uint8_t *content;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int by_content = memcmp(x->content, y->content, 32);
    if (x->y != y->y)
        return x->y < y->y ? -1 : 1;
    return by_content ? by_content : (x->row > y->row) - (x->row < y->row);
}

/*
 * By class, then content hash: every n-th of this order is a stratified sample, and dealing it out
 * in turn makes stratified folds. Copies follow each other and are dealt out together.
 */
static bool deal(struct validation *v, const struct firn_sample *s, int folds)
{
    struct key *key = malloc((s->n + 1) * sizeof *key);
    if (!key)
        return false;
    for (size_t i = 0; i < s->n; i++)
        key[i] = (struct key){i, s->y[i], s->content[i]};
    qsort(key, s->n, sizeof *key, compare_keys);
    size_t most = s->n < ENOUGH ? s->n : ENOUGH, distinct = 0;
    const struct key *last = NULL;
    for (size_t i = 0; i < s->n; i++) {
        if ((i + 1) * most / s->n == i * most / s->n)
            continue;
        if (last && (last->y != key[i].y || memcmp(last->content, key[i].content, 32) != 0))
            distinct++;
        last = key + i;
        v->row[v->n] = key[i].row;
        v->fold_of[v->n++] = (int)(distinct % (size_t)folds);
    }
    free(key);
    return true;
}

/* A class whose training rows are all held out cannot be judged. */
static bool find_judged(struct validation *v, size_t first, size_t end, int classes)
{
    size_t *others = calloc((size_t)classes, sizeof *others);
    for (size_t i = 0; i < v->n && others; i++)
        others[v->y[i]] += i < first || i >= end;
    for (size_t i = first; i < end && others; i++)
        v->judged[i] = others[v->y[i]] ? v->y[i] : -1;
    free(others);
    return others != NULL;
}

static int add_fold(struct validation *v, size_t first, size_t end, int dim, int classes,
                    struct firn_team *team, struct firn_error *err)
{
    size_t d = (size_t)dim;
    const struct firn_rows around[2] = {
        {v->x, v->y, first}, {v->x + end * d, v->y + end, v->n - end}};
    struct fold *f = v->fold + v->folds++;
    f->held = (struct firn_rows){v->x + first * d, v->judged + first, end - first};
    if (!find_judged(v, first, end, classes))
        return firn_fail_nomem(err, "folds");
    int status = firn_fit_init(&f->fit, dim, classes, err);
    return status ? status
                  : firn_logistic_create(&f->problem, around, 2, dim, classes, team, err);
}

/* Copies the rows so that each fold lies in one piece. */
static int gather(struct validation *v, const struct firn_sample *s, int classes, int folds,
                  struct firn_team *team, struct firn_error *err)
{
    size_t most = s->n < ENOUGH ? s->n : ENOUGH, dim = (size_t)s->dim, at = 0;
    v->row = calloc(most + 1, sizeof *v->row);
    v->fold_of = calloc(most + 1, sizeof *v->fold_of);
    v->x = firn_alloc(most * dim, sizeof *v->x);
    v->y = calloc(most + 1, sizeof *v->y);
    v->judged = calloc(most + 1, sizeof *v->judged);
    if (!v->row || !v->fold_of || !v->x || !v->y || !v->judged || !deal(v, s, folds))
        return firn_fail_nomem(err, "folds");
    size_t first[FIRN_PROBE_FOLDS + 1] = {0};
    for (int f = 0; f < folds; f++) {
        first[f] = at;
        for (size_t i = 0; i < v->n; i++)
            if (v->fold_of[i] == f) {
                memcpy(v->x + at * dim, s->x + v->row[i] * dim, dim * sizeof *v->x);
                v->y[at++] = s->y[v->row[i]];
            }
    }
    first[folds] = at;
    int status = 0;
    for (int f = 0; f < folds && status == 0; f++)
        if (first[f + 1] > first[f] && first[f + 1] - first[f] < v->n)
            status = add_fold(v, first[f], first[f + 1], s->dim, classes, team, err);
    return status;
}

static void release(struct validation *v)
{
    for (int i = 0; i < v->folds; i++) {
        firn_logistic_destroy(v->fold[i].problem);
        firn_fit_fini(&v->fold[i].fit);
    }
    free(v->row);
    free(v->fold_of);
    firn_free(v->x);
    free(v->y);
    free(v->judged);
}

/* One value of C over all folds. trial->loss is NaN when no photograph could be judged. */
static int try_c(struct validation *v, double c, struct firn_probe_trial *trial,
                 struct firn_team *team, const volatile int *stop, struct firn_error *err)
{
    struct firn_verdict sum = {0}, one;
    for (int i = 0; i < v->folds; i++) {
        struct fold *f = v->fold + i;
        int status = firn_fit_run(&f->fit, f->problem, c, true, stop, err);
        struct firn_head head = firn_fit_head(&f->fit);
        if (!status)
            status = firn_head_apply(&head, &f->held, team, NULL, &one, err);
        if (status)
            return status;
        sum.loss += one.loss;
        sum.right += one.right;
        sum.known += one.known;
    }
    double n = (double)sum.known;
    *trial = (struct firn_probe_trial){c, sum.known ? sum.loss / n : NAN,
                                       sum.known ? (double)sum.right / n : NAN};
    return 0;
}

/*
 * The choice is the value of least loss among those whose accuracy is within one standard error of
 * the best. Accuracy alone is decided by a handful of photographs where there are few; the loss
 * alone prefers a well calibrated head to an accurate one where there are many classes.
 */
static const struct firn_probe_trial *best_trial(const struct firn_probe *probe)
{
    const struct firn_probe_trial *best = NULL;
    double top = 0, n = (double)probe->cv_photographs;
    for (int i = 0; i < probe->trials; i++)
        top = fmax(top, probe->trial[i].accuracy);
    double least = top - sqrt(top * (1 - top) / n);
    for (int i = 0; i < probe->trials; i++) {
        const struct firn_probe_trial *t = probe->trial + i;
        if (t->accuracy >= least && (!best || t->loss < best->loss))
            best = t;
    }
    return best;
}

int firn_choose_c(struct firn_probe *probe, const struct firn_sample *train, int classes, int folds,
                  struct firn_team *team, const volatile int *stop, struct firn_error *err)
{
    struct validation v = {0};
    double c = FIRST_C;
    int status = gather(&v, train, classes, folds, team, err), behind = 0;
    probe->c = 1;
    probe->folds = v.folds;
    probe->cv_photographs = v.n;
    while (!status && behind < PATIENCE && probe->trials < FIRN_PROBE_TRIALS) {
        struct firn_probe_trial *trial = probe->trial + probe->trials;
        status = try_c(&v, c, trial, team, stop, err);
        if (status || isnan(trial->loss))
            break;
        probe->trials++;
        const struct firn_probe_trial *best = best_trial(probe);
        behind = best == trial ? 0 : behind + 1;
        probe->c = best->c;
        c *= FACTOR;
    }
    release(&v);
    return status;
}
