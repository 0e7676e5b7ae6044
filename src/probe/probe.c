/* SPDX-License-Identifier: MIT */
/**
 * firn_probe(), from two caches to the figures:
 *
 *     list (sample.c) -> load -> SGD head on raw features (sgd.c) -> standardise (scale.c)
 *       -> choose C (choose.c) -> fit (fit.c, logistic.c, minimise_lbfgs.c) -> score (score.c)
 *
 * Features are standardised where they lie, so what wants raw ones comes first.
 */
#include "firn/probe.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/team.h"
#include "base/thread.h"
#include "firn/cache.h"
#include "probe/fit.h"
#include "probe/minimise.h"
#include "probe/sample.h"
#include "probe/scale.h"
#include "probe/score.h"
#include "probe/sgd.h"

/* What the tutorial does. */
#define SGD_RATE 0.001
#define SGD_BATCH 4
#define SGD_MOMENTUM 0.9
#define SGD_STEP 7
#define SGD_GAMMA 0.1

#define MAX_EPOCHS 100000
#define MAX_BATCH 65536
#define NEVER (-10000) /* bias of a class that was not trained: its probability is zero */

struct run {
    const struct firn_probe_options *o;
    struct firn_cache *cache[2];     /* train, val */
    struct firn_names names;
    struct firn_sample train, val;
    int *class_of; /* [trained] name of each class of the head that is trained */
    int trained;
    struct firn_team *team;
    struct firn_scale scale;
    struct firn_fit fit;
    struct firn_probe *out;
};

static void notice(const struct run *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void notice(const struct run *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    firn_tell(r->o->on_notice, r->o->user, fmt, ap);
    va_end(ap);
}

static int check_options(const struct firn_probe_options *o, struct firn_error *err)
{
    if (!o->train)
        return firn_fail(err, FIRN_USAGE, "a cache to learn from is needed");
    if (o->holdout < 0 || o->holdout > 90)
        return firn_fail(err, FIRN_USAGE, "--holdout: 1 to 90 percent");
    if (!(o->c >= 0 && o->c <= 1e12))
        return firn_fail(err, FIRN_USAGE, "-C: a positive number, at most 1e12");
    if (o->folds < 0 || o->folds == 1 || o->folds > FIRN_PROBE_FOLDS)
        return firn_fail(err, FIRN_USAGE, "--folds: 2 to %d", FIRN_PROBE_FOLDS);
    if (o->epochs < 0 || o->epochs > MAX_EPOCHS)
        return firn_fail(err, FIRN_USAGE, "--epochs: 0 to %d", MAX_EPOCHS);
    if (!(o->rate >= 0 && o->rate <= 1e6))
        return firn_fail(err, FIRN_USAGE, "--lr: a positive number, at most 1e6");
    if (o->batch < 0 || o->batch > MAX_BATCH)
        return firn_fail(err, FIRN_USAGE, "--batch: 1 to %d", MAX_BATCH);
    return firn_cpu_check_threads(o->threads, err);
}

/* ---- the photographs ---- */

static int compare_fingerprints(struct run *r, struct firn_error *err)
{
    struct firn_probe *p = r->out;
    p->fingerprint = *firn_cache_fingerprint(r->cache[0]);
    if (!r->cache[1] ||
        firn_fingerprint_diff(firn_cache_fingerprint(r->cache[0]),
                              firn_cache_fingerprint(r->cache[1]), p->differences,
                              sizeof p->differences) == 0)
        return 0;
    if (r->o->mixed) {
        notice(r, "the fingerprints differ, as was allowed: the head learns from other features "
                  "than it is judged by");
        return 0;
    }
    char words[700] = "";
    size_t n = strlen(p->differences);
    for (size_t i = 0, k = 0; i + 1 < n && k + 3 < sizeof words; i++) {
        bool ends = p->differences[i] == '\n';
        if (ends)
            words[k++] = ';';
        words[k++] = ends ? ' ' : p->differences[i];
        words[k] = 0;
    }
    return firn_fail(err, FIRN_CONFIG, "%.100s (A) and %.100s (B) hold features that do not belong "
                     "together: %s", r->o->train, r->o->val, words);
}

static int open_caches(struct run *r, struct firn_error *err)
{
    int status = firn_cache_open(&r->cache[0], r->o->train, err);
    if (!status)
        status = firn_cache_check(r->cache[0], err);
    if (!status && r->o->val)
        status = firn_cache_open(&r->cache[1], r->o->val, err);
    if (!status && r->o->val)
        status = firn_cache_check(r->cache[1], err);
    return status ? status : compare_fingerprints(r, err);
}

static int check_views(const struct firn_sample *s, const char *name, struct firn_error *err)
{
    if (s->center >= 0)
        return 0;
    return firn_fail(err, FIRN_CONFIG, "%s: none of its %d random views is the centre crop, which "
                     "the probe learns from and judges by; extract another cache with --views "
                     "center, or train on an export", name, s->views);
}

static int list_photographs(struct run *r, struct firn_error *err)
{
    struct firn_probe *p = r->out;
    int status = firn_sample_list(&r->train, r->cache[0], &r->names, err);
    r->names.own = r->names.n;
    if (!status && r->cache[1])
        status = firn_sample_list(&r->val, r->cache[1], &r->names, err);
    if (status)
        return status;
    p->unlabelled = r->train.unlabelled + r->val.unlabelled;
    p->failed = r->train.failed + r->val.failed;
    if (r->train.n == 0)
        return firn_fail(err, FIRN_DATA, "%s: %s", r->o->train, r->train.unlabelled
                         ? "no photograph has a class; extract a directory with one sub-directory "
                           "per class"
                         : "holds no feature");
    if (r->cache[1] && r->val.n == 0)
        return firn_fail(err, FIRN_DATA, "%s: %s", r->o->val,
                         r->val.unlabelled ? "no photograph has a class" : "holds no feature");
    if (p->unlabelled)
        notice(r, "%zu photograph%s without a class left out", p->unlabelled,
               p->unlabelled == 1 ? "" : "s");
    if (p->failed)
        notice(r, "%zu photograph%s without a feature left out", p->failed,
               p->failed == 1 ? "" : "s");
    if (check_views(&r->train, r->o->train, err) ||
        (r->cache[1] && check_views(&r->val, r->o->val, err)))
        return -FIRN_CONFIG;
    if (r->train.views > 1)
        notice(r, "of the %d views of each photograph, the centre crop is used", r->train.views);
    return 0;
}

static int fail_holdout(const struct run *r, struct firn_error *err)
{
    return firn_fail(err, FIRN_DATA, "%s: too few photographs of each class to hold some out; give "
                     "a cache to judge by as second argument", r->o->train);
}

static int take_sides(struct run *r, struct firn_error *err)
{
    int percent = r->o->holdout ? r->o->holdout : 20;
    if (r->cache[1])
        return r->train.dim == r->val.dim
                   ? 0 : firn_fail(err, FIRN_CONFIG, "%s has features of %d numbers, %s of %d",
                                   r->o->train, r->train.dim, r->o->val, r->val.dim);
    r->out->held_out = true;
    int status = firn_sample_split(&r->train, &r->val, percent, err);
    return !status && (r->train.n == 0 || r->val.n == 0) ? fail_holdout(r, err) : status;
}

/* Numbers the classes that have photographs to learn from, in the order of their names. */
static int number_classes(struct run *r, struct firn_error *err)
{
    int *number = malloc((r->names.n + 1) * sizeof *number);
    r->class_of = malloc((r->names.n + 1) * sizeof *r->class_of);
    if (!number || !r->class_of) {
        free(number);
        return firn_fail_nomem(err, "classes");
    }
    for (size_t k = 0; k < r->names.n; k++)
        number[k] = -1;
    for (size_t i = 0; i < r->train.n; i++)
        number[r->train.truth[i]] = 0;
    for (size_t k = 0; k < r->names.n; k++)
        if (number[k] == 0) {
            r->class_of[r->trained] = (int)k;
            number[k] = r->trained++;
        }
    for (size_t i = 0; i < r->train.n; i++)
        r->train.y[i] = number[r->train.truth[i]];
    for (size_t i = 0; i < r->val.n; i++)
        r->val.y[i] = number[r->val.truth[i]];
    free(number);
    return 0;
}

static int check_classes(struct run *r, struct firn_error *err)
{
    size_t known = 0, foreign = 0;
    const char *one = NULL;
    if (r->trained < 2)
        return firn_fail(err, FIRN_DATA, "%s: all photographs to learn from are of one class (%s): "
                         "there is nothing to tell apart", r->o->train,
                         r->names.name[r->class_of[0]]);
    for (size_t i = 0; i < r->val.n; i++) {
        known += r->val.y[i] >= 0;
        if (r->val.y[i] < 0) {
            foreign++;
            one = r->names.name[r->val.truth[i]];
        }
    }
    if (known == 0 && r->out->held_out)
        return fail_holdout(r, err);
    if (known == 0)
        return firn_fail(err, FIRN_CONFIG, "no class of the photographs to judge by (%s, ...) is "
                         "among those to learn from (%s, ...); classes are compared by name", one,
                         r->names.name[r->class_of[0]]);
    if (foreign)
        notice(r, "%zu photograph%s to judge by, of classes that were not learnt (%s%s), "
                  "count as wrong", foreign, foreign == 1 ? "" : "s", one,
               foreign > 1 ? ", ..." : "");
    return 0;
}

static int find_shared(struct run *r, struct firn_error *err)
{
    struct firn_probe *p = r->out;
    int status = firn_sample_shared(&r->val, &r->train, &p->shared, err);
    if (!status && p->shared)
        notice(r, "%zu of the %zu photographs to judge by are among those to learn from (same "
                  "contents): the accuracy flatters", p->shared, r->val.n);
    return status;
}

/* With features that are all the same, the commonest class is all that can be learnt. */
static int check_features(const struct run *r, struct firn_error *err)
{
    const struct firn_sample *s = &r->train;
    const size_t bytes = (size_t)s->dim * sizeof *s->x;
    for (size_t i = 1; i < s->n; i++)
        if (memcmp(s->x, s->x + i * (size_t)s->dim, bytes) != 0)
            return 0;
    return firn_fail(err, FIRN_DATA, "%s: all features to learn from are the same: there is "
                     "nothing to tell classes apart by", r->o->train);
}

static int gather(struct run *r, struct firn_error *err)
{
    int status = open_caches(r, err);
    if (!status)
        status = list_photographs(r, err);
    if (!status)
        status = take_sides(r, err);
    if (!status)
        status = number_classes(r, err);
    if (!status)
        status = check_classes(r, err);
    if (!status)
        status = find_shared(r, err);
    if (!status)
        status = firn_sample_load(&r->train, err);
    if (!status)
        status = check_features(r, err);
    return status ? status : firn_sample_load(&r->val, err);
}

/* ---- the work ---- */

static int train_sgd(struct run *r, struct firn_error *err)
{
    const struct firn_probe_options *o = r->o;
    const struct firn_rows train = firn_sample_rows(&r->train), val = firn_sample_rows(&r->val);
    const struct firn_sgd how = {
        .epochs = o->epochs, .batch = o->batch ? o->batch : SGD_BATCH,
        .rate = o->rate > 0 ? o->rate : SGD_RATE, .momentum = SGD_MOMENTUM, .step = SGD_STEP,
        .gamma = SGD_GAMMA, .seed = o->seed, .stop = o->stop};
    if (o->epochs == 0)
        return 0;
    r->out->epoch = calloc((size_t)o->epochs, sizeof *r->out->epoch);
    if (!r->out->epoch)
        return firn_fail_nomem(err, "epochs");
    r->out->epochs = o->epochs;
    return firn_sgd_train(&how, &train, &val, r->train.dim, r->trained, r->team, r->out->epoch,
                          err);
}

static int standardise(struct run *r, struct firn_error *err)
{
    int status = firn_scale_init(&r->scale, r->train.x, r->train.n, r->train.dim,
                                 r->o->scale_each, r->team, err);
    if (status)
        return status;
    firn_scale_apply(&r->scale, r->train.x, r->train.n, r->team);
    firn_scale_apply(&r->scale, r->val.x, r->val.n, r->team);
    return 0;
}

static int choose(struct run *r, struct firn_error *err)
{
    struct firn_probe *p = r->out;
    p->c = r->o->c;
    p->c_given = r->o->c > 0;
    if (p->c_given)
        return 0;
    int status = firn_choose_c(p, &r->train, r->trained, r->o->folds ? r->o->folds : 5, r->team,
                               r->o->stop, err);
    if (!status && p->trials == 0) {
        p->c_given = true;
        notice(r, "too few photographs of each class to cross-validate: C is 1");
    }
    return status;
}

static int fit(struct run *r, struct firn_error *err)
{
    const struct firn_rows train = firn_sample_rows(&r->train);
    struct firn_logistic *problem = NULL;
    int status = firn_fit_init(&r->fit, r->train.dim, r->trained, err);
    if (!status)
        status = firn_logistic_create(&problem, &train, 1, r->train.dim, r->trained, r->team, err);
    if (!status)
        status = firn_fit_run(&r->fit, problem, r->out->c, false, r->o->stop, err);
    firn_logistic_destroy(problem);
    r->out->steps = r->fit.steps;
    r->out->converged = r->fit.converged;
    return status;
}

/* ---- the result ---- */

static int judge(struct run *r, struct firn_error *err)
{
    struct firn_probe *p = r->out;
    const struct firn_rows train = firn_sample_rows(&r->train), val = firn_sample_rows(&r->val);
    const struct firn_head head = firn_fit_head(&r->fit);
    struct firn_verdict v;
    int *said = calloc(r->val.n, sizeof *said);
    int status = said ? firn_head_apply(&head, &train, r->team, NULL, &v, err)
                      : firn_fail_nomem(err, "classes");
    if (!status) {
        p->train_accuracy = (double)v.right / (double)r->train.n;
        status = firn_head_apply(&head, &val, r->team, said, &v, err);
    }
    if (!status) {
        p->val_loss = v.loss / (double)v.known;
        for (size_t i = 0; i < r->val.n; i++)
            said[i] = r->class_of[said[i]];
        status = firn_score(p, &r->train, &r->val, said, err);
    }
    free(said);
    return status;
}

/* W' = W / deviation, b' = b - W' mean: the same scores from features as they are. */
static int fold_head(struct run *r, struct firn_error *err)
{
    struct firn_probe *p = r->out;
    size_t dim = (size_t)r->train.dim;
    p->weight = calloc(p->head_classes * dim, sizeof *p->weight);
    p->bias = calloc(p->head_classes, sizeof *p->bias);
    if (!p->weight || !p->bias)
        return firn_fail_nomem(err, "a head");
    for (size_t k = 0; k < p->head_classes; k++)
        p->bias[k] = NEVER;
    for (int i = 0; i < r->trained; i++) {
        size_t k = (size_t)r->class_of[i];
        const double *w = r->fit.w + (size_t)i * dim;
        double bias = r->fit.w[(size_t)r->trained * dim + (size_t)i];
        for (size_t d = 0; d < dim; d++) {
            double raw = w[d] * r->scale.inverse[d];
            p->weight[k * dim + d] = (float)raw;
            bias -= raw * r->scale.mean[d];
        }
        p->bias[k] = (float)bias;
    }
    return 0;
}

/* The names go from the run to the result. */
static int describe(struct run *r, struct firn_error *err)
{
    struct firn_probe *p = r->out;
    p->per_class = calloc(r->names.n, sizeof *p->per_class);
    if (!p->per_class)
        return firn_fail_nomem(err, "classes");
    for (size_t k = 0; k < r->names.n; k++) {
        p->per_class[k].name = r->names.name[k];
        r->names.name[k] = NULL;
    }
    p->classes = r->names.n;
    p->head_classes = r->names.own;
    p->dim = r->train.dim;
    p->train = r->train.n;
    p->val = r->val.n;
    return 0;
}

static int work(struct run *r, struct firn_error *err)
{
    struct firn_probe *p = r->out;
    static int (*const steps[])(struct run *, struct firn_error *) = {
        gather, train_sgd, standardise, choose, fit, judge, fold_head};
    double *const spent[] = {&p->read_seconds, &p->sgd_seconds, NULL, &p->choose_seconds,
                             &p->fit_seconds, NULL, NULL};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int64_t began = firn_now_ns();
        int status = steps[i](r, err);
        if (!status && steps[i] == gather)
            status = describe(r, err);
        if (status)
            return status;
        if (spent[i])
            *spent[i] = (double)(firn_now_ns() - began) * 1e-9;
    }
    firn_score_epochs(p, SGD_STEP);
    return 0;
}

int firn_probe(struct firn_probe **out, const struct firn_probe_options *options,
               struct firn_error *err)
{
    struct run r = {.o = options, .out = calloc(1, sizeof **out)};
    int threads = options->threads ? options->threads : firn_cpu_usable_cores();
    int status = r.out ? check_options(options, err) : firn_fail_nomem(err, "a probe");
    *out = NULL;
    if (!status && !firn_can_minimise)
        status = firn_minimise(NULL, NULL, 0, err); /* says what is missing, before any work */
    if (!status)
        status = firn_team_create(&r.team, threads, err);
    if (!status)
        status = work(&r, err);
    firn_team_destroy(r.team);
    firn_fit_fini(&r.fit);
    firn_scale_fini(&r.scale);
    firn_sample_fini(&r.train);
    firn_sample_fini(&r.val);
    firn_names_fini(&r.names);
    free(r.class_of);
    firn_cache_close(r.cache[0]);
    firn_cache_close(r.cache[1]);
    if (status)
        firn_probe_free(r.out);
    else
        *out = r.out;
    return status;
}

void firn_probe_free(struct firn_probe *p)
{
    if (!p)
        return;
    for (size_t k = 0; k < p->classes; k++)
        free((char *)p->per_class[k].name);
    free(p->per_class);
    free(p->cell);
    free(p->epoch);
    free(p->weight);
    free(p->bias);
    free(p);
}
