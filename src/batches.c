/* SPDX-License-Identifier: MIT */
#include "batches.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "bn/batch.h"
#include "cache/writer.h"
#include "line.h"
#include "trunk/trunk.h"

#define PREFIX "batch:"
#define MAX_BATCH 4096
#define REPORT_NS 200000000

struct batches {
    const struct firn_extract_options *options;
    int size;
    uint64_t seed;
    struct firn_bn_engine engine;
    struct firn_bn_photos photos;   /* all, sorted by rank: equal contents are neighbours */
    struct firn_bn_photo *distinct; /* one of each content; strings are those of `photos` */
    size_t *first;                  /* [n + 1] where in `photos` a content begins */
    size_t n;                       /* distinct contents */
    struct firn_bn_batch *batch;
    struct firn_writer *writer;
    double *mean, *var;
    float *features;
    uint64_t pure, batches;
    struct firn_progress progress;
    int64_t began, reported, unix_time;
};

bool firn_batches_wanted(const struct firn_extract_options *o)
{
    return o->bn && strncmp(o->bn, PREFIX, strlen(PREFIX)) == 0;
}

/* "batch:N" or "batch:N:SEED" */
static int read_mode(struct batches *x, struct firn_error *err)
{
    const char *text = x->options->bn + strlen(PREFIX);
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    bool good = *text >= '0' && *text <= '9' && n >= 1 && n <= MAX_BATCH;
    if (good && *end == ':' && end[1] >= '0' && end[1] <= '9')
        x->seed = strtoull(end + 1, &end, 10);
    if (!good || *end || errno)
        return firn_fail(err, FIRN_USAGE, "--bn %s: batch:N[:SEED] with N from 1 to %d is wanted",
                         x->options->bn, MAX_BATCH);
    x->size = (int)n;
    return 0;
}

/* ---- the set ---- */

static bool equal(const struct firn_bn_photo *a, const struct firn_bn_photo *b)
{
    return !a->state && !b->state && memcmp(a->content, b->content, sizeof a->content) == 0;
}

static int find_distinct(struct batches *x, struct firn_error *err)
{
    const struct firn_bn_photos *l = &x->photos;
    x->distinct = calloc(l->n, sizeof *x->distinct);
    x->first = calloc(l->n + 1, sizeof *x->first);
    if (!x->distinct || !x->first)
        return firn_fail_nomem(err, "the list of photographs");
    size_t i = 0;
    for (; i < l->n && !l->photo[i].state; i++) {
        if (i && equal(&l->photo[i - 1], &l->photo[i]))
            continue;
        x->first[x->n] = i;
        x->distinct[x->n++] = l->photo[i];
    }
    x->first[x->n] = i;
    return x->n ? 0 : firn_fail(err, FIRN_NOINPUT, "none of the %zu photographs can be read", l->n);
}

static void make_fingerprint(struct batches *x)
{
    struct firn_fingerprint *fp = &x->engine.fp;
    uint64_t sum[4] = {0};
    char set[65];
    for (size_t i = 0; i < x->n; i++)
        firn_bn_set_add(sum, x->distinct[i].content);
    firn_hex((const uint8_t *)sum, sizeof sum, set);
    snprintf(fp->part[FIRN_PART_BATCHNORM], sizeof fp->part[0],
             "mode=batch batch=%d seed=%llu photographs=%zu set=%s", x->size,
             (unsigned long long)x->seed, x->n, set);
    firn_trunk_fingerprint(NULL, fp);
    firn_recipe_store(fp, x->options->store);
}

static int open_cache(struct batches *x, struct firn_error *err)
{
    const struct firn_extract_options *o = x->options;
    int status = firn_recipe_cache(&x->engine.fp, firn_layered_dim(x->engine.layered), o, 0,
                                   &x->photos.roots, &x->writer, err);
    if (status == -FIRN_CONFIG)
        return firn_fail_in(err, status, "features by batches belong to one set of photographs, "
                            "which nothing may be added to or removed from");
    return status;
}

/* ---- the report ---- */

static void report(struct batches *x, bool now)
{
    struct firn_progress *p = &x->progress;
    int64_t at = firn_now_ns();
    p->seconds = (double)(at - x->began) * 1e-9;
    if (!x->options->on_progress || (!now && at - x->reported < REPORT_NS))
        return;
    x->reported = at;
    x->options->on_progress(x->options->user, p);
}

/* They change no result, but who gives them expects something of them. */
static void warn_unheeded(const struct firn_extract_options *o)
{
    char names[96];
    int n = snprintf(names, sizeof names, "%s%s%s%s%s", o->batch ? ", --batch" : "",
                     o->io != FIRN_IO_PROBE ? ", --io" : "", o->keep_cache ? ", --keep-cache" : "",
                     o->memory != FIRN_MEMORY_NORMAL ? ", --memory" : "",
                     o->whole ? ", --no-partial" : "");
    if (n)
        firn_notice(o, "without effect on batches: %s", names + 2);
}

static void warn_before(const struct batches *x)
{
    const struct firn_extract_options *o = x->options;
    warn_unheeded(o);
    if (firn_model_info(x->engine.model)->untrained)
        firn_notice(o, "%s: seeded random weights, for trying only", o->model);
    firn_notice(o, "--bn %s: every feature depends on the other photographs of its batch, a "
                   "photograph alone has none; for training a last layer, frozen statistics or "
                   "those of 'firn bn estimate' are the safe choice", o->bn);
    if (x->photos.classes == 1)
        firn_notice(o, "all photographs are of one class, and so is every batch: what they have in "
                       "common is normalised away");
}

static void warn_behind(const struct batches *x)
{
    if (x->pure && x->photos.classes > 1)
        firn_notice(x->options, "%llu of %llu batches came out with photographs of one class only: "
                    "what these have in common is normalised away; use larger batches",
                    (unsigned long long)x->pure, (unsigned long long)x->batches);
}

/* ---- a batch ---- */

static uint32_t root_id(const struct batches *x, const struct firn_bn_photo *p)
{
    const struct firn_roots *roots = &x->photos.roots;
    return p->root < roots->n ? roots->root[p->root].id : roots->files_id;
}

static enum firn_known known(struct batches *x, const struct firn_bn_photo *p)
{
    return firn_writer_known(x->writer, root_id(x, p), p->path + p->name, p->size, p->mtime_ns,
                             p->ctime_ns);
}

static void tell_failure(const struct batches *x, const struct firn_bn_photo *p, int state,
                         const char *reason, bool again)
{
    char text[512];
    snprintf(text, sizeof text, again ? "%s; not changed since" : "%s", reason);
    if (x->options->on_failure)
        x->options->on_failure(x->options->user, p->path, (enum firn_state)state, text);
}

/* Records one photograph with what became of its content; `feature` may be NULL when stored. */
static int record(struct batches *x, const struct firn_bn_photo *p, int state, const char *reason,
                  const float *feature, struct firn_error *err)
{
    struct firn_progress *pr = &x->progress;
    enum firn_known before = known(x, p);
    if (before == FIRN_KNOWN_DONE && state == FIRN_DONE) {
        pr->known++;
        return 0;
    }
    bool again = before == FIRN_KNOWN_CORRUPT && state == FIRN_CORRUPT;
    struct firn_record r = {
        .root = root_id(x, p), .name = p->path + p->name, .size = p->size,
        .mtime_ns = p->mtime_ns, .ctime_ns = p->ctime_ns, .state = (enum firn_state)state,
        .reason = reason ? reason : "", .feature = feature};
    memcpy(r.content, p->content, sizeof r.content);
    int status = again || p->cut ? 0 : firn_writer_add(x->writer, &r, err);
    pr->done += !status && state == FIRN_DONE;
    pr->reused += !status && state == FIRN_DONE && !feature;
    pr->skipped += state == FIRN_SKIPPED;
    pr->corrupt += !again && state == FIRN_CORRUPT;
    pr->known_corrupt += again;
    if (state != FIRN_DONE)
        tell_failure(x, p, state, r.reason, again);
    return status;
}

/* All photographs of content i. The first of them brings the feature, unless it is stored. */
static int record_content(struct batches *x, size_t i, const float *feature,
                          struct firn_error *err)
{
    const struct firn_bn_photo *d = &x->distinct[i];
    int status = 0, state = d->state ? d->state : FIRN_DONE;
    if (state == FIRN_DONE && firn_writer_has(x->writer, d->content))
        feature = NULL;
    for (size_t k = x->first[i]; k < x->first[i + 1] && !status; k++) {
        status = record(x, &x->photos.photo[k], state, d->reason, feature, err);
        feature = NULL;
    }
    return status;
}

/* Nothing of the batch is missing: every content has its feature or is known not to decode. */
static bool is_done(struct batches *x, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        struct firn_bn_photo *d = &x->distinct[i];
        if (firn_writer_has(x->writer, d->content))
            continue;
        if (known(x, d) != FIRN_KNOWN_CORRUPT)
            return false;
        firn_bn_photo_fail(d, FIRN_CORRUPT,
                           firn_writer_reason(x->writer, root_id(x, d), d->path + d->name));
    }
    return true;
}

static int compute(struct batches *x, size_t first, size_t n, struct firn_error *err)
{
    size_t dim = (size_t)firn_layered_dim(x->engine.layered);
    size_t got = firn_bn_batch_load(x->batch, x->distinct + first, n);
    int status = got ? firn_bn_batch_run(x->batch, x->mean, x->var, x->features, err) : 0;
    for (size_t i = 0; i < got * dim && !status; i++)
        if (!(x->features[i] >= 0 && isfinite(x->features[i])))
            status = firn_fail(err, FIRN_INTERNAL, "%s: its feature is not finite or negative; "
                               "please report this", firn_bn_batch_photo(x->batch, i / dim)->path);
    bool pure = got > 0;
    for (size_t i = 0; i < got; i++)
        pure &= firn_bn_batch_photo(x->batch, i)->label == x->distinct[first].label &&
                x->distinct[first].label >= 0;
    x->pure += pure;
    return status;
}

static int do_batch(struct batches *x, size_t first, size_t n, struct firn_error *err)
{
    size_t dim = (size_t)firn_layered_dim(x->engine.layered), row = 0;
    int status = is_done(x, first, n) ? 0 : compute(x, first, n, err);
    x->batches++;
    for (size_t i = first; i < first + n && !status; i++) {
        bool good = !x->distinct[i].state;
        status = record_content(x, i, good ? x->features + row * dim : NULL, err);
        row += good;
    }
    return status ? status : firn_writer_commit(x->writer, err);
}

static int record_unreadable(struct batches *x, struct firn_error *err)
{
    int status = 0;
    for (size_t i = x->first[x->n]; i < x->photos.n && !status; i++) {
        const struct firn_bn_photo *p = &x->photos.photo[i];
        status = record(x, p, p->state, p->reason, NULL, err);
    }
    return status ? status : firn_writer_commit(x->writer, err);
}

/* ---- all of it ---- */

static int prepare(struct batches *x, struct firn_error *err)
{
    const struct firn_extract_options *o = x->options;
    struct firn_bn_setup setup = {
        .model = o->model, .cpu = o->cpu, .resize = o->resize, .crop = o->crop,
        .threads = o->threads, .turn = o->turn, .fast = o->fast, .stop = o->stop};
    struct firn_views views;
    int status;
    x->photos.stop = o->stop;
    x->photos.on_failure = o->on_failure;
    x->photos.user = o->user;
    if (!o->model || !o->cache)
        return firn_fail(err, FIRN_USAGE, "a model and a cache are needed");
    if (!o->n_paths && !o->files_from)
        return firn_fail(err, FIRN_USAGE, "no photographs are given");
    if ((status = firn_views_parse(&views, o->views, err)))
        return status;
    if (views.kind != FIRN_VIEWS_CENTER)
        return firn_fail(err, FIRN_USAGE, "--bn %s: batches are made of one centre crop of each "
                         "photograph; --views %s needs statistics that are fixed", o->bn,
                         o->views);
    if ((status = firn_line_check(o, err)) || (status = read_mode(x, err)) ||
        (status = firn_bn_photos_list(&x->photos, o->paths, o->n_paths, o->files_from, o->zero,
                                      err)) ||
        (status = firn_roots_refuse(&x->photos.roots, o->cache, err)) ||
        (status = firn_bn_engine_open(&x->engine, &setup, err)))
        return status;
    firn_bn_hash(&x->engine, x->photos.photo, x->photos.n);
    if ((status = firn_bn_check_stop(&x->engine, "stopped; what was acknowledged is kept", err)))
        return status;
    firn_bn_photos_shuffle(&x->photos, x->seed);
    if ((status = find_distinct(x, err)))
        return status;
    size_t most = (size_t)x->size < x->n ? (size_t)x->size : x->n;
    x->mean = firn_alloc((size_t)x->engine.channels, 2 * sizeof(double));
    x->var = x->mean ? x->mean + x->engine.channels : NULL;
    x->features = firn_alloc(most, (size_t)firn_layered_dim(x->engine.layered) * sizeof(float));
    if (!x->mean || !x->features)
        return firn_fail_nomem(err, "a batch");
    if ((status = firn_bn_batch_create(&x->batch, &x->engine, most, err)))
        return status;
    make_fingerprint(x);
    return open_cache(x, err);
}

static void fill_progress(struct batches *x)
{
    struct firn_progress *p = &x->progress;
    p->found = x->photos.n;
    p->scan_done = true;
    p->threads = x->engine.members;
    p->batch = x->size;
    p->io = FIRN_IO_THREADS;
    int cpu = firn_cpu_choose(x->options->cpu);
    p->cpu = firn_cpu_name((enum firn_cpu)cpu);
    p->slowest = "infer";
    p->memory = x->engine.memory + firn_bn_batch_bytes(x->batch);
    for (int s = 0; s < FIRN_STAGES; s++)
        p->threads_of[s] = s == FIRN_SCAN || s == FIRN_SINK ? 1 : p->threads;
}

static int work(struct batches *x, struct firn_error *err)
{
    size_t size = (size_t)x->size;
    int status = 0;
    fill_progress(x);
    warn_before(x);
    for (size_t i = 0; i < x->n && !status; i += size) {
        size_t n = x->n - i < size ? x->n - i : size, next = i + n;
        firn_bn_read_ahead(x->distinct + next, x->n - next < size ? x->n - next : size);
        status = do_batch(x, i, n, err);
        for (size_t k = i; k < i + n; k++)
            x->progress.bytes_read += x->distinct[k].size;
        report(x, false);
    }
    if (!status)
        status = record_unreadable(x, err);
    warn_behind(x);
    report(x, true);
    return status;
}

static int record_run(struct batches *x, struct firn_error *err)
{
    const struct firn_progress *p = &x->progress;
    if (firn_writer_news(x->writer) == 0)
        return 0;
    struct firn_run run = {
        .start = x->unix_time, .seconds = p->seconds, .done = p->done,
        .failed = p->skipped + p->corrupt, .reused = p->reused, .bytes_read = p->bytes_read,
        .threads = p->threads, .batch = p->batch};
    snprintf(run.cpu, sizeof run.cpu, "%s", p->cpu);
    snprintf(run.version, sizeof run.version, "%s", FIRN_VERSION);
    snprintf(run.slowest, sizeof run.slowest, "%s", p->slowest);
    return firn_writer_run(x->writer, &run, err);
}

static void discard(struct batches *x)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->distinct[i].reason != x->photos.photo[x->first[i]].reason)
            free(x->distinct[i].reason);
    firn_bn_batch_destroy(x->batch);
    firn_bn_engine_close(&x->engine);
    firn_bn_photos_clear(&x->photos);
    firn_free(x->mean);
    firn_free(x->features);
    free(x->distinct);
    free(x->first);
    free(x);
}

int firn_batches_extract(const struct firn_extract_options *options, struct firn_progress *result,
                         struct firn_error *err)
{
    struct batches *x = calloc(1, sizeof *x);
    if (!x)
        return firn_fail_nomem(err, "an extraction");
    x->options = options;
    x->began = firn_now_ns();
    x->unix_time = time(NULL);
    int status = prepare(x, err), closed = 0;
    if (!status) {
        status = work(x, err);
        if (!status)
            status = record_run(x, err);
    }
    closed = status ? firn_writer_close(x->writer, NULL) : firn_writer_finish(x->writer, err);
    status = status ? status : closed;
    if (result)
        *result = x->progress;
    uint64_t failed = x->progress.skipped + x->progress.corrupt + x->progress.known_corrupt;
    if (!status && failed)
        status = firn_fail(err, FIRN_PARTIAL, "%llu photographs failed",
                           (unsigned long long)failed);
    discard(x);
    return status;
}
