/* SPDX-License-Identifier: MIT */
#include "bn/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "bn/tree.h"

struct firn_bn_batch {
    struct firn_bn_engine *engine;
    size_t max, n, listed;
    size_t slot_floats, moment_doubles; /* of a photograph */
    uint8_t *crops;
    float *slots;
    double *moments;
    double *pooled; /* mean, sum of a pass */
    struct firn_bn_photo *photo; /* [listed] as given */
    size_t *good;                /* [n] index into photo and crops */
    struct firn_tree tree;
    int pass;
    int group;
    float *features;
};

static size_t most_channels(const struct firn_layered *l)
{
    int most = 0;
    for (int p = 0; p < firn_layered_passes(l); p++)
        if (firn_layered_pass(l, p)->channels > most)
            most = firn_layered_pass(l, p)->channels;
    return (size_t)most;
}

static size_t padded(size_t bytes)
{
    return (bytes + FIRN_ALIGN - 1) / FIRN_ALIGN * FIRN_ALIGN;
}

int firn_bn_batch_create(struct firn_bn_batch **out, struct firn_bn_engine *e, size_t max,
                         struct firn_error *err)
{
    struct firn_bn_batch *b = calloc(1, sizeof *b);
    size_t channels = most_channels(e->layered);
    *out = b;
    if (!b)
        return firn_fail_nomem(err, "a batch");
    b->engine = e;
    b->max = max;
    b->slot_floats = padded(firn_layered_slot(e->layered) * sizeof(float)) / sizeof(float);
    b->moment_doubles = 2 * channels;
    b->crops = firn_alloc(max, padded(firn_crop_bytes(&e->spec)));
    b->slots = firn_alloc(max, b->slot_floats * sizeof(float));
    b->moments = firn_alloc(max, b->moment_doubles * sizeof(double));
    b->pooled = firn_alloc(b->moment_doubles, sizeof(double));
    b->good = calloc(max, sizeof *b->good);
    if (b->crops && b->slots && b->moments && b->pooled && b->good)
        return 0;
    firn_bn_batch_destroy(b);
    *out = NULL;
    return firn_fail(err, FIRN_NOMEM, "out of memory while allocating a batch of %zu photographs "
                     "(%zu MB): use a smaller one", max,
                     max * (firn_crop_bytes(&e->spec) + b->slot_floats * sizeof(float)) >> 20);
}

void firn_bn_batch_destroy(struct firn_bn_batch *b)
{
    if (!b)
        return;
    firn_tree_free(&b->tree);
    firn_free(b->crops);
    firn_free(b->slots);
    firn_free(b->moments);
    firn_free(b->pooled);
    free(b->good);
    free(b);
}

size_t firn_bn_batch_bytes(const struct firn_bn_batch *b)
{
    return b->max * (padded(firn_crop_bytes(&b->engine->spec)) + b->slot_floats * sizeof(float) +
                     b->moment_doubles * sizeof(double));
}

static uint8_t *crop_of(const struct firn_bn_batch *b, size_t i)
{
    return b->crops + i * padded(firn_crop_bytes(&b->engine->spec));
}

static void load_one(void *user, int member, size_t i)
{
    struct firn_bn_batch *b = user;
    if (!b->photo[i].state && !firn_bn_stopped(b->engine))
        firn_bn_load(b->engine, member, &b->photo[i], crop_of(b, i));
}

size_t firn_bn_batch_load(struct firn_bn_batch *b, struct firn_bn_photo *photo, size_t n)
{
    b->photo = photo;
    b->listed = n;
    b->n = 0;
    firn_team_run(b->engine->team, n, load_one, b);
    for (size_t i = 0; i < n; i++)
        if (!photo[i].state)
            b->good[b->n++] = i;
    return b->n;
}

struct firn_bn_photo *firn_bn_batch_photo(struct firn_bn_batch *b, size_t i)
{
    return &b->photo[b->good[i]];
}

/* ---- a pass ---- */

enum { MOST_GROUP = 64 };

/* One turn: a group of photographs through the current pass or, behind the last, to the end. */
static void run_group(void *user, int member, size_t turn)
{
    struct firn_bn_batch *b = user;
    struct firn_layered_worker *w = b->engine->member[member].worker;
    size_t first = turn * (size_t)b->group, dim = (size_t)firn_layered_dim(b->engine->layered);
    int n = 0;
    const uint8_t *crop[MOST_GROUP];
    float *slot[MOST_GROUP], *feature[MOST_GROUP];
    double *moments[MOST_GROUP];
    for (size_t i = first; i < b->n && n < b->group; i++, n++) {
        crop[n] = crop_of(b, b->good[i]);
        slot[n] = b->slots + i * b->slot_floats;
        moments[n] = b->moments + i * b->moment_doubles;
        feature[n] = b->features ? b->features + i * dim : NULL;
    }
    if (b->pass < firn_layered_passes(b->engine->layered))
        firn_layered_run(w, b->pass, n, crop, slot, moments);
    else
        firn_layered_finish(w, n, slot, feature);
}

static void run_pass(struct firn_bn_batch *b, int pass)
{
    int last = firn_layered_passes(b->engine->layered) - 1;
    b->pass = pass;
    b->group = firn_bn_group(b->engine, pass < last ? pass : last, b->n);
    firn_team_run(b->engine->team, (b->n + (size_t)b->group - 1) / (size_t)b->group, run_group, b);
}

/* All photographs of the batch pooled, in their order. */
static int pool(struct firn_bn_batch *b, const struct firn_pass *pass, struct firn_error *err)
{
    size_t c = (size_t)pass->channels;
    double weight;
    firn_tree_free(&b->tree);
    firn_tree_init(&b->tree, FIRN_TREE_POOL, c, 0);
    int status = 0;
    for (size_t i = 0; i < b->n && !status; i++) {
        const double *m = b->moments + i * b->moment_doubles;
        status = firn_tree_push(&b->tree, 1, m, m + c, err);
    }
    return status ? status : firn_tree_total(&b->tree, &weight, b->pooled, b->pooled + c, err);
}

const char *firn_bn_layer_name(const struct firn_bn_engine *e, int pass, int channel)
{
    const struct firn_pass *p = firn_layered_pass(e->layered, pass);
    const struct firn_net *net = firn_model_net(e->model);
    bool down = channel >= net->conv[p->conv].shape.cout;
    return net->conv[down ? p->down : p->conv].shape.bn_name;
}

int firn_bn_check_finite(const struct firn_bn_engine *e, int pass, const double *mean,
                         const double *sum, struct firn_error *err)
{
    const struct firn_pass *p = firn_layered_pass(e->layered, pass);
    for (int i = 0; i < p->channels; i++)
        if (!isfinite((float)mean[i]) || !isfinite((float)sum[i]))
            return firn_fail(err, FIRN_DATA, "%s: a mean or variance is not finite: the weights "
                             "or an earlier layer's statistics are beyond float32",
                             firn_bn_layer_name(e, pass, i));
    return 0;
}

void firn_bn_spread(const struct firn_bn_engine *e, int pass, const double *from, double *to)
{
    const struct firn_pass *p = firn_layered_pass(e->layered, pass);
    size_t c = (size_t)firn_model_net(e->model)->conv[p->conv].shape.cout;
    memcpy(to + e->offset[p->conv], from, c * sizeof *to);
    if (p->down >= 0)
        memcpy(to + e->offset[p->down], from + c, ((size_t)p->channels - c) * sizeof *to);
}

void firn_bn_set_norms(struct firn_bn_engine *e, int pass, const double *mean, const double *var)
{
    const struct firn_pass *p = firn_layered_pass(e->layered, pass);
    firn_norms_set(e->norms, p->conv, mean + e->offset[p->conv], var + e->offset[p->conv]);
    if (p->down >= 0)
        firn_norms_set(e->norms, p->down, mean + e->offset[p->down], var + e->offset[p->down]);
}

/* Statistics of the pass, and the norms that follow from them. */
static int decide(struct firn_bn_batch *b, int p, double *mean, double *var,
                  struct firn_error *err)
{
    const struct firn_pass *pass = firn_layered_pass(b->engine->layered, p);
    double *sum = b->pooled + pass->channels;
    int status = pool(b, pass, err);
    if (!status)
        status = firn_bn_check_finite(b->engine, p, b->pooled, sum, err);
    if (status)
        return status;
    for (int i = 0; i < pass->channels; i++)
        sum[i] /= (double)b->n;
    firn_bn_spread(b->engine, p, b->pooled, mean);
    firn_bn_spread(b->engine, p, sum, var);
    firn_bn_set_norms(b->engine, p, mean, var);
    return 0;
}

int firn_bn_batch_run(struct firn_bn_batch *b, double *mean, double *var, float *features,
                      struct firn_error *err)
{
    int passes = firn_layered_passes(b->engine->layered), status = 0;
    size_t pixels = firn_layered_pass(b->engine->layered, passes - 1)->pixels;
    if (b->n * pixels < 2)
        return firn_fail(err, FIRN_CONFIG, "a batch of %zu photograph with maps of one pixel: one "
                         "value has no variance; use larger batches or crops", b->n);
    b->features = features;
    for (int p = 0; p < passes && !status; p++) {
        run_pass(b, p);
        status = firn_bn_check_stop(b->engine, "stopped", err);
        if (!status)
            status = decide(b, p, mean, var, err);
    }
    if (!status && features)
        run_pass(b, passes);
    return status;
}
