/* SPDX-License-Identifier: MIT */
/**
 * Population, cumulative and ema: one pass in training mode, a batch after the other. They differ
 * in what a batch adds to the tree, and in what its root is.
 */
#include <stdlib.h>

#include "base/error.h"
#include "bn/batch.h"
#include "bn/estimate.h"
#include "bn/shard.h"

struct train {
    struct firn_bn_run *run;
    struct firn_bn_batch *batch;
    struct firn_tree tree;
    double *mean, *var;  /* of a batch, all channels */
    size_t pixels[FIRN_MAX_CONVS];
};

enum firn_tree_kind firn_bn_tree_kind(enum firn_bn_method method)
{
    return method == FIRN_BN_POPULATION   ? FIRN_TREE_POOL
           : method == FIRN_BN_CUMULATIVE ? FIRN_TREE_SUM
                                          : FIRN_TREE_DECAY;
}

static void note_pixels(struct train *t)
{
    const struct firn_layered *l = t->run->engine.layered;
    for (int p = 0; p < firn_layered_passes(l); p++) {
        const struct firn_pass *pass = firn_layered_pass(l, p);
        t->pixels[pass->conv] = pass->pixels;
        if (pass->down >= 0)
            t->pixels[pass->down] = pass->down_pixels;
    }
}

/* Turns the batch's moments into a leaf, in place; returns its weight. */
static double make_leaf(struct train *t, double n)
{
    const struct firn_bn_run *r = t->run;
    const struct firn_net *net = firn_model_net(r->engine.model);
    enum firn_bn_method method = r->options->method;
    double part = method == FIRN_BN_EMA ? r->momentum : 1;
    for (int i = 0; i < net->n_conv; i++) {
        double values = n * (double)t->pixels[i];
        double factor = method == FIRN_BN_POPULATION ? n : values / (values - 1) * part;
        for (int k = r->engine.offset[i]; k < r->engine.offset[i] + net->conv[i].shape.cout; k++) {
            t->mean[k] *= part;
            t->var[k] *= factor;
        }
    }
    return method == FIRN_BN_POPULATION ? n : method == FIRN_BN_CUMULATIVE ? 1 : 1 - part;
}

/* All photographs that are there have one class, of several. */
static bool is_pure(struct train *t, size_t n)
{
    int label = firn_bn_batch_photo(t->batch, 0)->label;
    for (size_t i = 1; i < n; i++)
        if (firn_bn_batch_photo(t->batch, i)->label != label)
            return false;
    return label >= 0 && t->run->photos.classes > 1;
}

static int run_batch(struct train *t, size_t first, size_t n, struct firn_error *err)
{
    struct firn_bn_run *r = t->run;
    size_t got = firn_bn_batch_load(t->batch, r->photos.photo + first, n);
    firn_bn_photos_report(&r->photos, first, n);
    if (got == 0)
        return firn_tree_push(&t->tree, firn_tree_nothing(t->tree.kind), NULL, NULL, err);
    int status = firn_bn_batch_run(t->batch, t->mean, t->var, NULL, err);
    if (status)
        return status;
    for (size_t i = 0; i < got; i++)
        firn_bn_use(r, firn_bn_batch_photo(t->batch, i));
    r->result.batches++;
    r->result.pure += is_pure(t, got);
    double weight = make_leaf(t, (double)got);
    return firn_tree_push(&t->tree, weight, t->mean, t->var, err);
}

static int run_batches(struct train *t, size_t begin, size_t end, struct firn_error *err)
{
    struct firn_bn_run *r = t->run;
    size_t size = (size_t)r->batch, last = end * size < r->photos.n ? end * size : r->photos.n;
    int status = 0;
    r->first = begin * size;
    r->end = last;
    for (size_t b = begin; b < end && !status; b++) {
        size_t first = b * size, n = last - first < size ? last - first : size;
        size_t next = first + n, more = last - next < size ? last - next : size;
        firn_bn_read_ahead(r->photos.photo + next, more);
        status = run_batch(t, first, n, err);
        firn_bn_tell(r, next - begin * size, last - begin * size, 1, 1, b + 1 == end);
    }
    if (!status && r->result.photographs == 0 && !r->options->shards)
        return firn_fail(err, FIRN_NOINPUT, "none of the %zu photographs can be used",
                         r->photos.n);
    return status;
}

/* The root of the tree as statistics; everything is in float64 up to here. */
int firn_bn_conclude(struct firn_bn_run *r, const struct firn_tree *tree, struct firn_error *err)
{
    double weight, *x = malloc(2 * tree->width * sizeof *x), *y = x ? x + tree->width : NULL;
    if (!x)
        return firn_fail_nomem(err, "BatchNorm statistics");
    int status = firn_tree_total(tree, &weight, x, y, err);
    const struct firn_net *net = &r->stats->layout.net;
    size_t at = 0;
    for (int i = 0; !status && i < net->n_conv; i++) {
        for (int k = 0; k < net->conv[i].shape.cout; k++, at++) {
            if (tree->kind == FIRN_TREE_DECAY) {
                x[at] += weight * (double)r->source->mean[i][k];
                y[at] += weight * (double)r->source->var[i][k];
                continue;
            }
            if (tree->kind == FIRN_TREE_SUM)
                x[at] /= weight;
            y[at] /= weight;
        }
        size_t first = at - (size_t)net->conv[i].shape.cout;
        firn_bn_settle(r, i, x + first, y + first, 0);
    }
    free(x);
    return status;
}

static int train(struct train *t, struct firn_error *err)
{
    struct firn_bn_run *r = t->run;
    const struct firn_bn_options *o = r->options;
    size_t size = (size_t)r->batch, batches = (r->photos.n + size - 1) / size;
    size_t begin = 0, end = batches;
    if (o->shards) {
        begin = batches * (size_t)(o->shard - 1) / (size_t)o->shards;
        end = batches * (size_t)o->shard / (size_t)o->shards;
    }
    size_t most = size < r->photos.n ? size : r->photos.n;
    int status = firn_bn_batch_create(&t->batch, &r->engine, most, err);
    if (status)
        return status;
    r->result.memory += firn_bn_batch_bytes(t->batch);
    note_pixels(t);
    firn_tree_init(&t->tree, firn_bn_tree_kind(o->method), (size_t)r->engine.channels, begin);
    status = run_batches(t, begin, end, err);
    if (status)
        return status;
    return o->shards ? firn_bn_shard_write(r, &t->tree, batches, err)
                     : firn_bn_conclude(r, &t->tree, err);
}

int firn_bn_train(struct firn_bn_run *r, struct firn_error *err)
{
    struct train *t = calloc(1, sizeof *t);
    size_t channels = (size_t)r->engine.channels;
    if (!t)
        return firn_fail_nomem(err, "a pass");
    t->run = r;
    t->mean = malloc(2 * channels * sizeof *t->mean);
    t->var = t->mean ? t->mean + channels : NULL;
    int status = t->mean ? train(t, err) : firn_fail_nomem(err, "a pass");
    firn_bn_batch_destroy(t->batch);
    firn_tree_free(&t->tree);
    free(t->mean);
    free(t);
    return status;
}
