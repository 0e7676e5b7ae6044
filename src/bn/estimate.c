/* SPDX-License-Identifier: MIT */
#include "bn/estimate.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/thread.h"

#define DEFAULT_BATCH 32
#define REPORT_NS 200000000

/*
 * A channel whose deviation is a hundredth of what it was, or whose variance is of the size of eps,
 * is constant on these photographs. Normalising with that would multiply the first difference that
 * comes along by up to 316.
 */
#define DEAD_PART 1e-4
#define DEAD_EPS 2

const char *const firn_bn_method_names[FIRN_BN_METHODS] = {"sequential", "population",
                                                           "cumulative", "ema"};

void firn_bn_notice(const struct firn_bn_options *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    firn_tell(o->on_notice, o->user, fmt, ap);
    va_end(ap);
}

void firn_bn_tell(struct firn_bn_run *r, uint64_t photographs, uint64_t total, int pass,
                  int passes, bool now)
{
    int64_t at = firn_now_ns();
    if (!r->options->on_progress || (!now && at - r->reported < REPORT_NS))
        return;
    r->reported = at;
    struct firn_bn_progress p = {photographs, total, pass, passes,
                                 (double)(at - r->began) * 1e-9};
    r->options->on_progress(r->options->user, &p);
}

void firn_bn_use(struct firn_bn_run *r, const struct firn_bn_photo *photo)
{
    r->result.photographs++;
    firn_bn_set_add(r->set, photo->content);
}

void firn_bn_settle(struct firn_bn_run *r, int conv, const double *mean, const double *var,
                    double less)
{
    double n = (double)r->result.photographs, old = r->options->blend / (r->options->blend + n);
    for (int i = 0; i < r->stats->layout.net.conv[conv].shape.cout; i++) {
        double source_mean = r->source->mean[conv][i], source_var = r->source->var[conv][i];
        double m = mean[i], v = var[i];
        if (!(v >= DEAD_EPS * FIRN_BN_EPS && v >= DEAD_PART * source_var)) {
            r->dead[conv][i] = true;
            r->result.dead++;
            m = source_mean;
            v = source_var;
        } else {
            v -= less;
        }
        if (r->options->blend > 0) {
            m = old * source_mean + (1 - old) * m;
            v = old * source_var + (1 - old) * v;
        }
        r->stats->mean[conv][i] = (float)m;
        r->stats->var[conv][i] = (float)v;
    }
}

/* ---- metadata ---- */

/* "bn1 3 15, layer1.0.bn1 7", as far as it fits. */
static void list_dead(const struct firn_bn_run *r, char *text, size_t room)
{
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; i < r->stats->layout.net.n_conv; i++) {
        bool named = false;
        for (int k = 0; k < r->stats->layout.net.conv[i].shape.cout && n + 48 < room; k++) {
            if (!r->dead[i][k])
                continue;
            if (!named)
                n += (size_t)snprintf(text + n, room - n, "%s%s", n ? ", " : "",
                                      r->stats->layout.net.conv[i].shape.bn_name);
            named = true;
            n += (size_t)snprintf(text + n, room - n, " %d", k);
        }
    }
}

static int batch_words(const struct firn_bn_run *r, char *text, size_t room)
{
    const struct firn_bn_options *o = r->options;
    int n = 0;
    text[0] = '\0';
    if (o->method != FIRN_BN_SEQUENTIAL)
        n += snprintf(text, room, " batch=%d order=%s", r->batch,
                      r->order == FIRN_BN_ORDER_FOLDER ? "folder" : "content");
    if (o->method != FIRN_BN_SEQUENTIAL && r->order == FIRN_BN_ORDER_CONTENT)
        n += snprintf(text + n, room - (size_t)n, " seed=%llu", (unsigned long long)o->seed);
    if (o->method == FIRN_BN_EMA)
        n += snprintf(text + n, room - (size_t)n, " momentum=%g", r->momentum);
    if (o->blend > 0)
        n += snprintf(text + n, room - (size_t)n, " blend=%g", o->blend);
    return n;
}

void firn_bn_describe(struct firn_bn_run *r)
{
    struct firn_stats *s = r->stats;
    const struct firn_bn_options *o = r->options;
    char set[65], words[200], dead[560];
    firn_hex((const uint8_t *)r->set, sizeof r->set, set);
    batch_words(r, words, sizeof words);
    list_dead(r, dead, sizeof dead);
    s->n_pair = 0;
    firn_stats_set(s, "kind", FIRN_STATS_WHOLE);
    firn_stats_set(s, "firn", "%s", FIRN_VERSION);
    firn_stats_set(s, "trunk", "%s", r->engine.fp.part[FIRN_PART_TRUNK]);
    firn_stats_set(s, "preprocess", "%s", r->engine.fp.part[FIRN_PART_PREPROCESS]);
    firn_stats_set(s, "source", "%s", r->source->hash);
    firn_stats_set(s, "method", "%s", firn_bn_method_names[o->method]);
    firn_stats_set(s, "photographs", "%llu", (unsigned long long)r->result.photographs);
    firn_stats_set(s, "failed", "%llu", (unsigned long long)r->result.failed);
    firn_stats_set(s, "set", "%s", set);
    if (o->method != FIRN_BN_SEQUENTIAL) {
        firn_stats_set(s, "batches", "%llu", (unsigned long long)r->result.batches);
        firn_stats_set(s, "single_class_batches", "%llu", (unsigned long long)r->result.pure);
        firn_stats_set(s, "batch", "%d", r->batch);
        firn_stats_set(s, "order", "%s", r->order == FIRN_BN_ORDER_FOLDER ? "folder" : "content");
    }
    firn_stats_set(s, "dead", "%d", r->result.dead);
    if (r->result.dead)
        firn_stats_set(s, "dead_channels", "%s", dead);
    firn_stats_seal(s);
    firn_stats_set(s, "batchnorm", "mode=estimated stats=%s method=%s photographs=%llu set=%s%s",
                   s->hash, firn_bn_method_names[o->method],
                   (unsigned long long)r->result.photographs, set, words);
}

/* ---- all of it ---- */

static int check_options(struct firn_bn_run *r, struct firn_error *err)
{
    const struct firn_bn_options *o = r->options;
    if (!o->model || !o->output)
        return firn_fail(err, FIRN_USAGE, "a model and an output are needed");
    if (!o->n_paths && !o->files_from)
        return firn_fail(err, FIRN_USAGE, "no photographs are given");
    if (o->batch < 0 || o->batch > FIRN_BN_BATCH)
        return firn_fail(err, FIRN_USAGE, "--batch: 1 to %d", FIRN_BN_BATCH);
    if (!(o->momentum >= 0 && o->momentum <= 1))
        return firn_fail(err, FIRN_USAGE, "--momentum: above 0, at most 1");
    if (!(o->blend >= 0 && o->blend <= FIRN_BN_BLEND))
        return firn_fail(err, FIRN_USAGE, "blend: a number of photographs");
    if (o->shards && (o->shard < 1 || o->shard > o->shards))
        return firn_fail(err, FIRN_USAGE, "shard %d of %d: from 1 on", o->shard, o->shards);
    if (o->shards && o->method == FIRN_BN_SEQUENTIAL)
        return firn_fail(err, FIRN_USAGE, "the sequential method has no shards: its second layer "
                         "needs all of the first; use population");
    r->batch = o->batch ? o->batch : DEFAULT_BATCH;
    r->momentum = o->momentum > 0 ? o->momentum : 0.1;
    r->order = o->order;
    if (o->method == FIRN_BN_SEQUENTIAL)
        r->order = FIRN_BN_ORDER_CONTENT;
    else if (!r->order)
        r->order = o->method == FIRN_BN_POPULATION ? FIRN_BN_ORDER_CONTENT : FIRN_BN_ORDER_FOLDER;
    return 0;
}

/* The list's identity: names in the order of folders, contents in that of contents. */
static void hash_list(struct firn_bn_run *r)
{
    struct firn_hasher h;
    uint8_t digest[FIRN_HASH_SIZE];
    firn_hash_init(&h);
    for (size_t i = 0; i < r->photos.n; i++) {
        const struct firn_bn_photo *p = &r->photos.photo[i];
        if (r->order == FIRN_BN_ORDER_CONTENT)
            firn_hash_update(&h, p->content, sizeof p->content);
        else
            firn_hash_update(&h, p->path + p->name, strlen(p->path + p->name) + 1);
    }
    firn_hash_final(&h, digest);
    firn_hex(digest, sizeof digest, r->listing);
}

static int put_in_order(struct firn_bn_run *r, struct firn_error *err)
{
    if (r->order == FIRN_BN_ORDER_CONTENT) {
        firn_bn_hash(&r->engine, r->photos.photo, r->photos.n);
        int status = firn_bn_check_stop(&r->engine, "stopped", err);
        if (status)
            return status;
        firn_bn_photos_shuffle(&r->photos, r->options->seed);
    }
    hash_list(r);
    r->end = r->photos.n;
    return 0;
}

void firn_bn_count_failed(struct firn_bn_run *r)
{
    firn_bn_photos_report(&r->photos, r->first, r->end - r->first);
    r->result.failed = 0;
    for (size_t i = r->first; i < r->end; i++)
        r->result.failed += r->photos.photo[i].state != 0;
}

/* What the caller should know about numbers that are sound but thin. */
static void warn(const struct firn_bn_run *r)
{
    const struct firn_layered *l = r->engine.layered;
    const struct firn_pass *last = firn_layered_pass(l, firn_layered_passes(l) - 1);
    uint64_t n = r->result.photographs * last->pixels;
    if (r->result.pure)
        firn_bn_notice(r->options, "%llu of %llu batches have photographs of one class only: their "
                       "statistics are a class's; --order content mixes classes",
                       (unsigned long long)r->result.pure, (unsigned long long)r->result.batches);
    else if (r->photos.classes == 1)
        firn_bn_notice(r->options, "all photographs are of one class: other classes will not be "
                       "normalised to mean 0 and variance 1");
    if (n < (uint64_t)last->channels && !r->options->shards)
        firn_bn_notice(r->options, "only %llu photographs: %llu values for each of the %d channels "
                       "of the last layer; consider --blend",
                       (unsigned long long)r->result.photographs, (unsigned long long)n,
                       last->channels);
    if (r->result.dead)
        firn_bn_notice(r->options, "%d of %d channels are constant on these photographs: they keep "
                       "the checkpoint's statistics", r->result.dead, r->result.channels);
}

static int estimate(struct firn_bn_run *r, struct firn_error *err)
{
    const struct firn_bn_options *o = r->options;
    struct firn_bn_setup setup = {
        .model = o->model, .cpu = o->cpu, .resize = o->resize, .crop = o->crop,
        .threads = o->threads, .turn = o->turn, .fast = o->fast, .stop = o->stop};
    int status;
    r->began = firn_now_ns();
    r->photos.stop = o->stop;
    r->photos.on_failure = o->on_failure;
    r->photos.user = o->user;
    if ((status = check_options(r, err)) ||
        (status = firn_bn_photos_list(&r->photos, o->paths, o->n_paths, o->files_from, o->zero,
                                      err)) ||
        (status = firn_bn_engine_open(&r->engine, &setup, err)) ||
        (status = firn_stats_of_model(&r->source, r->engine.model, err)) ||
        (status = firn_stats_of_model(&r->stats, r->engine.model, err)) ||
        (status = put_in_order(r, err)))
        return status;
    r->result.layers = r->stats->layout.net.n_conv;
    r->result.channels = r->engine.channels;
    if (firn_model_info(r->engine.model)->untrained)
        firn_bn_notice(o, "%s: seeded random weights, for trying only", o->model);
    status = o->method == FIRN_BN_SEQUENTIAL ? firn_bn_sequential(r, err) : firn_bn_train(r, err);
    firn_bn_count_failed(r);
    if (status)
        return status;
    warn(r);
    if (!o->shards) {
        firn_bn_describe(r);
        status = firn_stats_write(r->stats, o->output, err);
    }
    return status;
}

int firn_bn_estimate(const struct firn_bn_options *options, struct firn_bn_result *result,
                     struct firn_error *err)
{
    struct firn_bn_run *r = calloc(1, sizeof *r);
    if (!r)
        return firn_fail_nomem(err, "an estimation");
    r->options = options;
    int status = estimate(r, err);
    r->result.seconds = (double)(firn_now_ns() - r->began) * 1e-9;
    r->result.memory += r->engine.memory;
    if (result)
        *result = r->result;
    if (!status && r->result.failed)
        status = firn_fail(err, FIRN_PARTIAL, "%llu photographs failed",
                           (unsigned long long)r->result.failed);
    firn_stats_free(r->stats);
    firn_stats_free(r->source);
    firn_bn_engine_close(&r->engine);
    firn_bn_photos_clear(&r->photos);
    free(r);
    return status;
}
