/* SPDX-License-Identifier: MIT */
/**
 * Layer by layer over all photographs.
 *
 * Pass p runs convolution p on every photograph, whose input is final because the layers before it
 * are; when the last photograph is through, its layer's statistics are final too. Between passes a
 * photograph is its slot (trunk/layered.h): 1.6 MB for ResNet-18 at 224 pixels. What slots cannot
 * be kept (store.h), a pass computes again from the photograph: pass p costs p + 1 convolutions
 * instead of one, in all about half as many times a whole extraction as there are layers, and
 * nothing but time.
 *
 * Photographs are pooled in the order of their contents' ranks: the bits depend on the set alone.
 *
 * After each pass the statistics so far are written to OUTPUT.partial. A run that finds those of
 * the same list and options goes on behind them: its first pass computes the slots again.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "bn/batch.h"
#include "bn/estimate.h"
#include "bn/store.h"
#include "bn/tree.h"

enum {
    CHUNK = 256,   /* photographs whose moments wait for their turn in the tree */
    MOST_FRESH = 8 /* photographs that a thread computes from the beginning at once */
};

struct member {
    uint8_t *crops; /* [MOST_FRESH] */
    float *slots;   /* [most images of a pass], unless they are in memory */
};

struct sequential {
    struct firn_bn_run *run;
    struct firn_bn_engine *engine;
    struct firn_bn_store store;
    struct member *member;
    size_t slots; /* of a member */
    double *moments, *pooled; /* [CHUNK][2 * channels], [2][channels] of a pass */
    size_t moment_doubles;
    char *partial;
    int pass;
    bool fresh; /* slots are not there: from the photograph */
    struct firn_bn_photo *chunk;
    size_t n; /* in the chunk */
    int group;
    _Atomic int error; /* errno of the store */
};

/* ---- one group of photographs ---- */

static size_t slot_used(const struct sequential *s, int pass)
{
    const struct firn_pass *p = firn_layered_pass(s->engine->layered, pass);
    return p->side + p->main;
}

/* All passes before the current one on n photographs whose crops are there. */
static void replay(struct sequential *s, struct firn_layered_worker *w, int n,
                   const uint8_t *const *crop, float *const *slot)
{
    for (int p = 0; p < s->pass; p++) {
        int most = firn_layered_pass(s->engine->layered, p)->images;
        for (int i = 0; i < n; i += most)
            firn_layered_run(w, p, n - i < most ? n - i : most, crop + i, slot + i, NULL);
    }
}

/* The group's photographs that are good, with their slots (and crops, when fresh). */
static int open_group(struct sequential *s, int member, size_t first, size_t *index,
                      const uint8_t **crop, float **slot)
{
    struct member *m = &s->member[member];
    size_t base = (size_t)(s->chunk - s->run->photos.photo);
    size_t bytes = firn_crop_bytes(&s->engine->spec);
    int n = 0;
    for (size_t i = first; i < s->n && i < first + (size_t)s->group; i++) {
        struct firn_bn_photo *p = &s->chunk[i];
        uint8_t *c = m->crops + (size_t)(s->fresh ? n : 0) * bytes;
        if (s->fresh && !p->state)
            firn_bn_load(s->engine, member, p, c);
        if (p->state)
            continue;
        float *buffer = m->slots ? m->slots + (size_t)n * s->store.slot : NULL;
        if (s->fresh && m->slots)
            slot[n] = buffer;
        else
            slot[n] = firn_bn_store_get(&s->store, base + i,
                                        s->pass ? slot_used(s, s->pass - 1) : 0, buffer);
        if (!slot[n]) {
            s->error = errno;
            return 0;
        }
        index[n] = i;
        crop[n++] = c;
    }
    return n;
}

static void run_group(void *user, int member, size_t turn)
{
    struct sequential *s = user;
    struct firn_layered_worker *w = s->engine->member[member].worker;
    size_t base = (size_t)(s->chunk - s->run->photos.photo), index[64];
    const uint8_t *crop[64];
    float *slot[64];
    double *moments[64];
    if (s->error || firn_bn_stopped(s->engine))
        return;
    int n = open_group(s, member, turn * (size_t)s->group, index, crop, slot);
    for (int i = 0; i < n; i++)
        moments[i] = s->moments + index[i] * s->moment_doubles;
    if (s->fresh)
        replay(s, w, n, crop, slot);
    int most = firn_layered_pass(s->engine->layered, s->pass)->images;
    for (int i = 0; i < n; i += most)
        firn_layered_run(w, s->pass, n - i < most ? n - i : most, crop + i, slot + i, moments + i);
    for (int i = 0; i < n; i++)
        if (!firn_bn_store_put(&s->store, base + index[i], slot_used(s, s->pass), slot[i]))
            s->error = errno ? errno : EIO;
}

/* ---- one pass ---- */

static int run_chunk(struct sequential *s, size_t first, struct firn_tree *tree,
                     struct firn_error *err)
{
    struct firn_bn_run *r = s->run;
    size_t left = r->photos.n - first, next = first + CHUNK;
    s->chunk = r->photos.photo + first;
    s->n = left < CHUNK ? left : CHUNK;
    s->group = firn_bn_group(s->engine, s->pass, s->n);
    if (s->fresh && s->group > MOST_FRESH)
        s->group = MOST_FRESH;
    if (s->fresh && next < r->photos.n)
        firn_bn_read_ahead(r->photos.photo + next, left - s->n < CHUNK ? left - s->n : CHUNK);
    firn_team_run(s->engine->team, (s->n + (size_t)s->group - 1) / (size_t)s->group, run_group, s);
    int status = firn_bn_check_stop(s->engine, "stopped; the same command goes on behind the last "
                                    "whole layer", err);
    if (status)
        return status;
    if (s->error)
        return firn_fail(err, FIRN_IO, "activations of photographs: %s", strerror(s->error));
    firn_bn_photos_report(&r->photos, first, s->n);
    for (size_t i = 0; i < s->n && !status; i++) {
        const double *m = s->moments + i * s->moment_doubles;
        bool good = !s->chunk[i].state;
        status = firn_tree_push(tree, good, good ? m : NULL, good ? m + tree->width : NULL, err);
    }
    return status;
}

/* The photographs that this pass had; a later one must have had the same. */
static int count(struct sequential *s, double weight, struct firn_error *err)
{
    struct firn_bn_run *r = s->run;
    if (r->result.photographs && (double)r->result.photographs != weight)
        return firn_fail(err, FIRN_IO, "photographs changed or vanished between two layers; run "
                         "again");
    if (r->result.photographs)
        return 0;
    for (size_t i = 0; i < r->photos.n; i++)
        if (!r->photos.photo[i].state)
            firn_bn_use(r, &r->photos.photo[i]);
    return r->result.photographs
               ? 0
               : firn_fail(err, FIRN_NOINPUT, "none of the %zu photographs can be used",
                           r->photos.n);
}

/* Settles the layers of the pass and lets the network normalise with them, as float32. */
static int settle(struct sequential *s, double weight, struct firn_error *err)
{
    struct firn_bn_run *r = s->run;
    const struct firn_pass *p = firn_layered_pass(s->engine->layered, s->pass);
    double *mean = s->pooled, *var = mean + p->channels;
    int status = firn_bn_check_finite(s->engine, s->pass, mean, var, err);
    if (status)
        return status;
    if (weight * (double)p->pixels < 2)
        return firn_fail(err, FIRN_CONFIG, "one photograph with a map of one pixel at %s: one "
                         "value has no variance; use more photographs or larger crops",
                         firn_bn_layer_name(s->engine, s->pass, 0));
    for (int i = 0; i < p->channels; i++)
        var[i] /= weight;
    int c = r->stats->layout.net.conv[p->conv].shape.cout;
    firn_bn_settle(r, p->conv, mean, var, FIRN_BN_EPS);
    if (p->down >= 0)
        firn_bn_settle(r, p->down, mean + c, var + c, FIRN_BN_EPS);
    return 0;
}

static void use_norms(struct sequential *s, int pass)
{
    const struct firn_pass *p = firn_layered_pass(s->engine->layered, pass);
    for (int k = 0; k < 2; k++) {
        int conv = k ? p->down : p->conv;
        double mean[2048], var[2048];
        for (int i = 0; conv >= 0 && i < s->run->stats->layout.net.conv[conv].shape.cout; i++) {
            mean[i] = s->run->stats->mean[conv][i];
            var[i] = s->run->stats->var[conv][i];
        }
        if (conv >= 0)
            firn_norms_set(s->engine->norms, conv, mean, var);
    }
}

static int run_pass(struct sequential *s, struct firn_error *err)
{
    const struct firn_pass *p = firn_layered_pass(s->engine->layered, s->pass);
    int passes = firn_layered_passes(s->engine->layered), status = 0;
    struct firn_bn_run *r = s->run;
    struct firn_tree tree;
    double weight;
    firn_tree_init(&tree, FIRN_TREE_POOL, (size_t)p->channels, 0);
    for (size_t i = 0; i < r->photos.n && !status; i += CHUNK) {
        status = run_chunk(s, i, &tree, err);
        if (!status)
            firn_bn_tell(r, i + s->n, r->photos.n, s->pass + 1, passes, false);
    }
    if (!status)
        status = firn_tree_total(&tree, &weight, s->pooled, s->pooled + p->channels, err);
    firn_tree_free(&tree);
    if (!status)
        status = count(s, weight, err);
    return status ? status : settle(s, weight, err);
}

/* ---- resuming ---- */

static void save(struct sequential *s)
{
    struct firn_stats *stats = s->run->stats;
    firn_bn_describe(s->run);
    firn_stats_set(stats, "listing", "%s", s->run->listing);
    firn_stats_set(stats, "passes", "%d", s->pass + 1);
    firn_stats_set(stats, "blend", "%.17g", s->run->options->blend);
    if (firn_stats_write(stats, s->partial, NULL))
        unlink(s->partial); /* it would only have saved time */
}

static bool same(const struct firn_stats *a, const char *key, const char *value)
{
    return strcmp(firn_stats_get(a, key), value) == 0;
}

/* Of a layer that was settled by an earlier run: a dead channel has both numbers of the source. */
static void find_dead(struct firn_bn_run *r, int conv)
{
    for (int i = 0; i < r->stats->layout.net.conv[conv].shape.cout; i++) {
        r->dead[conv][i] = r->stats->mean[conv][i] == r->source->mean[conv][i] &&
                           r->stats->var[conv][i] == r->source->var[conv][i];
        r->result.dead += r->dead[conv][i];
    }
}

/* How many passes a partial file of the same estimation has; their statistics are taken over. */
static int resume(struct sequential *s)
{
    struct firn_bn_run *r = s->run;
    struct firn_stats *old = NULL;
    char blend[40];
    if (firn_stats_read_partial(&old, s->partial, NULL))
        return 0;
    int passes = atoi(firn_stats_get(old, "passes")), all = firn_layered_passes(s->engine->layered);
    snprintf(blend, sizeof blend, "%.17g", r->options->blend);
    if (!same(old, "trunk", r->engine.fp.part[FIRN_PART_TRUNK]) ||
        !same(old, "preprocess", r->engine.fp.part[FIRN_PART_PREPROCESS]) ||
        !same(old, "source", r->source->hash) || !same(old, "listing", r->listing) ||
        !same(old, "blend", blend) || passes < 1 || passes >= all)
        passes = 0;
    for (int p = 0; p < passes; p++) {
        const struct firn_pass *pass = firn_layered_pass(s->engine->layered, p);
        for (int k = 0; k < 2; k++) {
            int conv = k ? pass->down : pass->conv;
            size_t bytes = conv < 0 ? 0 : sizeof(float) *
                           (size_t)r->stats->layout.net.conv[conv].shape.cout;
            if (conv < 0)
                continue;
            memcpy(r->stats->mean[conv], old->mean[conv], bytes);
            memcpy(r->stats->var[conv], old->var[conv], bytes);
            find_dead(r, conv);
        }
        use_norms(s, p);
    }
    firn_stats_free(old);
    return passes;
}

/* ---- all passes ---- */

static const char *directory_of(const char *path, char *room, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(room, size, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return *room ? room : "/";
}

static int allocate(struct sequential *s, struct firn_error *err)
{
    const struct firn_bn_options *o = s->run->options;
    const struct firn_layered *l = s->engine->layered;
    char dir[4096];
    const char *spill = o->no_spill ? NULL : o->spill ? o->spill
                        : directory_of(o->output, dir, sizeof dir);
    int status = firn_bn_store_open(&s->store, s->run->photos.n, firn_layered_slot(l), o->memory,
                                    spill, err);
    if (status)
        return status;
    for (int p = 0; p < firn_layered_passes(l); p++) {
        const struct firn_pass *pass = firn_layered_pass(l, p);
        size_t images = (size_t)pass->images, doubles = 2 * (size_t)pass->channels;
        s->slots = images > s->slots ? images : s->slots;
        s->moment_doubles = doubles > s->moment_doubles ? doubles : s->moment_doubles;
    }
    if (s->slots < MOST_FRESH || s->store.place == FIRN_BN_NOWHERE)
        s->slots = MOST_FRESH;
    s->moments = firn_alloc(CHUNK * s->moment_doubles, sizeof(double));
    s->pooled = firn_alloc(s->moment_doubles, sizeof(double));
    s->member = calloc((size_t)s->engine->members, sizeof *s->member);
    bool ok = s->moments && s->pooled && s->member, memory = s->store.place == FIRN_BN_MEMORY;
    for (int i = 0; ok && i < s->engine->members; i++) {
        struct member *m = &s->member[i];
        m->crops = firn_alloc(MOST_FRESH, firn_crop_bytes(&s->engine->spec));
        m->slots = memory ? NULL : firn_alloc(s->slots, s->store.slot * sizeof(float));
        ok = m->crops && (m->slots || memory);
    }
    return ok ? 0 : firn_fail_nomem(err, "the activations of photographs");
}

static void announce(const struct sequential *s)
{
    static const char nowhere[] =
        "%.1f GB of activations fit nowhere: every layer computes those before it again, which "
        "takes many times as long; give --memory or --spill";
    static const char *const text[] = {
        "%.1f GB of activations in memory", "%.1f GB of activations in a file", nowhere};
    double bytes = (double)s->run->photos.n * (double)s->store.slot * sizeof(float);
    if (s->store.place != FIRN_BN_MEMORY || bytes > 1e9)
        firn_bn_notice(s->run->options, text[s->store.place], bytes * 1e-9);
}

static int sequential(struct sequential *s, struct firn_error *err)
{
    struct firn_bn_run *r = s->run;
    int passes = firn_layered_passes(s->engine->layered), status = allocate(s, err);
    if (status)
        return status;
    announce(s);
    r->result.memory += s->store.place == FIRN_BN_MEMORY ? s->store.bytes : 0;
    r->result.spilled = s->store.place == FIRN_BN_FILE ? s->store.bytes : 0;
    int first = resume(s);
    if (first)
        firn_bn_notice(r->options, "going on behind layer %d of %d", first, passes);
    for (s->pass = first; s->pass < passes && !status; s->pass++) {
        s->fresh = s->pass == first || s->store.place == FIRN_BN_NOWHERE;
        status = run_pass(s, err);
        if (status)
            break;
        use_norms(s, s->pass);
        if (s->pass + 1 < passes)
            save(s);
        firn_bn_tell(r, r->photos.n, r->photos.n, s->pass + 1, passes, true);
    }
    if (!status)
        unlink(s->partial);
    return status;
}

int firn_bn_sequential(struct firn_bn_run *r, struct firn_error *err)
{
    struct sequential *s = calloc(1, sizeof *s);
    if (!s)
        return firn_fail_nomem(err, "an estimation");
    s->run = r;
    s->engine = &r->engine;
    s->store.fd = -1;
    s->store.place = FIRN_BN_NOWHERE;
    int status = asprintf(&s->partial, "%s.partial", r->options->output) < 0
                     ? firn_fail_nomem(err, "an estimation")
                     : sequential(s, err);
    for (int i = 0; s->member && i < r->engine.members; i++) {
        firn_free(s->member[i].crops);
        firn_free(s->member[i].slots);
    }
    free(s->member);
    free(s->partial);
    firn_free(s->moments);
    firn_free(s->pooled);
    firn_bn_store_close(&s->store);
    free(s);
    return status;
}
