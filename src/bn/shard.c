/* SPDX-License-Identifier: MIT */
/**
 * A shard's file is a .safetensors: "nodes" [K][3] (level, index, weight), "x" and "y"
 * [K][channels], all float64, and the checkpoint's statistics under their names; what must be equal
 * in all shards of one estimation is in "estimation". "sum" is the hash of nodes, x, y and of the
 * metadata, "source" that of the checkpoint's statistics: damage does not become statistics.
 */
#include "bn/shard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "model/safetensors_write.h"
#include "model/tensors.h"

/* What "sum" is of, beside the numbers. */
static const char *const summed[] = {"trunk", "preprocess", "source", "estimation",
                                     "shard", "counts",     "set"};
enum { SUMMED = sizeof summed / sizeof *summed };

static void sum_up(const char *const value[SUMMED], const double *numbers, size_t n, char sum[65])
{
    struct firn_hasher h;
    uint8_t digest[FIRN_HASH_SIZE];
    firn_hash_init(&h);
    for (int i = 0; i < SUMMED; i++)
        firn_hash_update(&h, value[i], strlen(value[i]) + 1);
    firn_hash_update(&h, numbers, n * sizeof *numbers);
    firn_hash_final(&h, digest);
    firn_hex(digest, sizeof digest, sum);
}

/* ---- writing ---- */

static void describe_shard(struct firn_bn_run *r, uint64_t batches, const double *numbers,
                           size_t n)
{
    struct firn_stats *s = r->stats;
    const struct firn_bn_options *o = r->options;
    const char *value[SUMMED];
    char set[65], sum[65];
    firn_hex((const uint8_t *)r->set, sizeof r->set, set);
    s->n_pair = 0;
    firn_stats_set(s, "kind", FIRN_STATS_SHARD);
    firn_stats_set(s, "firn", "%s", FIRN_VERSION);
    firn_stats_set(s, "trunk", "%s", r->engine.fp.part[FIRN_PART_TRUNK]);
    firn_stats_set(s, "preprocess", "%s", r->engine.fp.part[FIRN_PART_PREPROCESS]);
    firn_stats_set(s, "source", "%s", r->source->hash);
    firn_stats_set(s, "estimation", "%d %d %d %llu %.17g %.17g %d %llu %s", (int)o->method,
                   r->batch, (int)r->order, (unsigned long long)o->seed, r->momentum, o->blend,
                   o->shards, (unsigned long long)batches, r->listing);
    firn_stats_set(s, "shard", "%d", o->shard);
    firn_stats_set(s, "counts", "%llu %llu %llu %llu",
                   (unsigned long long)r->result.photographs,
                   (unsigned long long)r->result.failed, (unsigned long long)r->result.batches,
                   (unsigned long long)r->result.pure);
    firn_stats_set(s, "set", "%s", set);
    for (int i = 0; i < SUMMED; i++)
        value[i] = firn_stats_get(s, summed[i]);
    sum_up(value, numbers, n, sum);
    firn_stats_set(s, "sum", "%s", sum);
}

int firn_bn_shard_write(struct firn_bn_run *r, const struct firn_tree *t, uint64_t batches,
                        struct firn_error *err)
{
    size_t k = (size_t)t->n, c = t->width, all = k * (3 + 2 * c);
    double *numbers = calloc(all + 1, sizeof *numbers);
    if (!numbers)
        return firn_fail_nomem(err, "a shard");
    double *nodes = numbers, *x = numbers + 3 * k, *y = x + k * c;
    for (size_t i = 0; i < k; i++) {
        nodes[3 * i] = (double)t->node[i].level;
        nodes[3 * i + 1] = (double)t->node[i].index;
        nodes[3 * i + 2] = t->node[i].weight;
        memcpy(x + i * c, t->node[i].x, c * sizeof *x);
        memcpy(y + i * c, t->node[i].y, c * sizeof *y);
    }
    firn_bn_count_failed(r);
    describe_shard(r, batches, numbers, all);
    struct firn_tensor_out tensor[3 + 2 * FIRN_MAX_CONVS] = {
        {"nodes", FIRN_F64, 2, {(int64_t)k, 3}, nodes},
        {"x", FIRN_F64, 2, {(int64_t)k, (int64_t)c}, x},
        {"y", FIRN_F64, 2, {(int64_t)k, (int64_t)c}, y},
    };
    size_t n = 3;
    for (int i = 0; i < r->source->layout.n_param; i++) {
        const struct firn_param *p = &r->source->layout.param[i];
        if (p->data)
            tensor[n++] = (struct firn_tensor_out){p->name, FIRN_F32, 1, {p->shape[0]}, p->data};
    }
    struct firn_pair pair[FIRN_MAX_PAIRS];
    for (int i = 0; i < r->stats->n_pair; i++)
        pair[i] = (struct firn_pair){r->stats->pair[i].key, r->stats->pair[i].value};
    int status = firn_safetensors_write(r->options->output, pair, (size_t)r->stats->n_pair, tensor,
                                        n, err);
    free(numbers);
    return status;
}

/* ---- merging ---- */

struct shard {
    const char *path;
    struct firn_weights weights;
    struct firn_stats *source;
    int number;
};

struct merge {
    struct firn_bn_run run;
    struct firn_bn_options options;
    struct firn_tree tree;
    struct shard *shard; /* sorted by number */
    size_t n;
    int shards;
    unsigned long long batches;
};

static int read_doubles(struct firn_weights *w, const char *name, int64_t rows, int64_t columns,
                        double *out, struct firn_error *err)
{
    const struct firn_tensor *t = firn_weights_find(w, name);
    if (!t || t->dtype != FIRN_F64 || t->ndim != 2 || t->shape[0] != rows ||
        t->shape[1] != columns)
        return firn_fail(err, FIRN_DATA, "%s: %s is missing or has another shape", w->file.path,
                         name);
    return firn_weight_file_read(&w->file, w->storage[t->storage].pos, out,
                                 (size_t)(rows * columns) * sizeof *out, err);
}

static int refuse_metadata(const char *path, struct firn_error *err)
{
    return firn_fail(err, FIRN_DATA, "%s: its metadata make no sense; make this shard again", path);
}

/* As it was written, byte by byte? */
static int check_sum(const struct shard *s, const double *numbers, size_t n,
                     struct firn_error *err)
{
    const char *value[SUMMED];
    char sum[65];
    for (int i = 0; i < SUMMED; i++)
        value[i] = firn_weights_meta(&s->weights, summed[i]);
    sum_up(value, numbers, n, sum);
    if (strcmp(firn_weights_meta(&s->weights, "source"), s->source->hash) == 0 &&
        strcmp(firn_weights_meta(&s->weights, "sum"), sum) == 0)
        return 0;
    return firn_fail(err, FIRN_DATA, "%s: is damaged: its numbers are not those that its metadata "
                     "describe; make this shard again", s->path);
}

static bool is_sound(enum firn_tree_kind kind, const double n[3], const double *x, const double *y,
                     int64_t width)
{
    double most = kind == FIRN_TREE_DECAY ? 1 : 1e15;
    if (!(n[0] >= 0 && n[0] < 63 && n[1] >= 0 && n[1] < 1e15 && n[2] >= 0 && n[2] <= most))
        return false;
    for (int64_t i = 0; i < width; i++)
        if (!isfinite(x[i]) || !(y[i] >= 0 && isfinite(y[i])))
            return false;
    return true;
}

/* The nodes, behind those of the shards before; *weight becomes their sum. */
static int append_nodes(struct merge *m, struct shard *s, double *weight, struct firn_error *err)
{
    const struct firn_tensor *t = firn_weights_find(&s->weights, "nodes");
    int64_t k = t && t->ndim == 2 ? t->shape[0] : -1, c = (int64_t)m->tree.width;
    if (k < 0 || k > FIRN_TREE_NODES)
        return firn_fail(err, FIRN_DATA, "%s: nodes are missing", s->path);
    size_t all = (size_t)(k * (3 + 2 * c));
    double *numbers = calloc(all + 1, sizeof *numbers);
    if (!numbers)
        return firn_fail_nomem(err, "a shard");
    double *x = numbers + 3 * k, *y = x + k * c;
    int status = read_doubles(&s->weights, "nodes", k, 3, numbers, err);
    if (!status)
        status = read_doubles(&s->weights, "x", k, c, x, err);
    if (!status)
        status = read_doubles(&s->weights, "y", k, c, y, err);
    if (!status)
        status = check_sum(s, numbers, all, err);
    for (int64_t i = 0; i < k && !status; i++) {
        const double *n = numbers + 3 * i;
        if (!is_sound(m->tree.kind, n, x + i * c, y + i * c, c)) {
            status = firn_fail(err, FIRN_DATA, "%s: node %d makes no sense", s->path, (int)i);
            break;
        }
        struct firn_tree_node node = {(uint64_t)n[0], (uint64_t)n[1], n[2], x + i * c, y + i * c};
        *weight += n[2];
        if (firn_tree_append(&m->tree, &node, err))
            status = firn_fail_in(err, -FIRN_DATA, "%s", s->path);
    }
    free(numbers);
    return status;
}

static int open_shard(struct shard *s, const char *path, struct firn_error *err)
{
    char rest;
    s->path = path;
    int status = firn_weights_open(&s->weights, path, err);
    if (status)
        return status;
    if (strcmp(firn_weights_meta(&s->weights, "kind"), FIRN_STATS_SHARD) != 0)
        return firn_fail(err, FIRN_DATA, "%s: not a shard of 'firn bn estimate --shard'", path);
    if (sscanf(firn_weights_meta(&s->weights, "shard"), "%9d%c", &s->number, &rest) != 1 ||
        s->number < 1)
        return refuse_metadata(path, err);
    return firn_stats_read_shard(&s->source, &s->weights, err);
}

static int by_number(const void *a, const void *b)
{
    return ((const struct shard *)a)->number - ((const struct shard *)b)->number;
}

static int differ(const struct shard *a, const struct shard *b, const char *key, const char *what,
                  struct firn_error *err)
{
    const char *x = firn_weights_meta(&a->weights, key), *y = firn_weights_meta(&b->weights, key);
    if (strcmp(x, y) == 0)
        return 0;
    return firn_fail(err, FIRN_CONFIG, "%s and %s are not of one estimation: other %s (%.200s; "
                     "%.200s)", a->path, b->path, what, x, y);
}

static int check_shards(struct merge *m, struct firn_error *err)
{
    int status = 0;
    for (size_t i = 1; i < m->n && !status; i++) {
        const struct shard *a = &m->shard[0], *b = &m->shard[i];
        if ((status = differ(a, b, "trunk", "weights", err)) ||
            (status = differ(a, b, "preprocess", "preprocessing", err)) ||
            (status = differ(a, b, "source", "statistics in the checkpoint", err)) ||
            (status = differ(a, b, "estimation", "method, batches or photographs", err)))
            return status;
    }
    for (int i = 1; i <= m->shards && !status; i++) {
        size_t at = (size_t)i - 1;
        if (at < m->n && m->shard[at].number == i - 1)
            return firn_fail(err, FIRN_CONFIG, "%s and %s are both shard %d", m->shard[at - 1].path,
                             m->shard[at].path, i - 1);
        if (at >= m->n || m->shard[at].number != i)
            return firn_fail(err, FIRN_CONFIG, "shard %d of %d is missing", i, m->shards);
    }
    if (m->n > (size_t)m->shards)
        return firn_fail(err, FIRN_CONFIG, "%s is too much: there are %d shards",
                         m->shard[m->n - 1].path, m->shards);
    return 0;
}

/* The options and the fingerprint of the estimation, from what its first shard says. */
static int restore(struct merge *m, struct firn_error *err)
{
    struct firn_bn_run *r = &m->run;
    const struct firn_weights *w = &m->shard[0].weights;
    int method, order;
    unsigned long long seed;
    if (sscanf(firn_weights_meta(w, "estimation"), "%d %d %d %llu %lf %lf %d %llu %64s", &method,
               &r->batch, &order, &seed, &r->momentum, &m->options.blend, &m->shards, &m->batches,
               r->listing) != 9 || method <= FIRN_BN_SEQUENTIAL || method >= FIRN_BN_METHODS ||
        (order != FIRN_BN_ORDER_FOLDER && order != FIRN_BN_ORDER_CONTENT) || m->shards < 1 ||
        r->batch < 1 || r->batch > FIRN_BN_BATCH || !(m->options.blend >= 0) ||
        m->options.blend > FIRN_BN_BLEND || !(r->momentum > 0 && r->momentum <= 1))
        return refuse_metadata(w->file.path, err);
    m->options.method = (enum firn_bn_method)method;
    m->options.seed = seed;
    r->order = (enum firn_bn_order)order;
    r->options = &m->options;
    snprintf(r->engine.fp.part[FIRN_PART_TRUNK], sizeof r->engine.fp.part[0], "%s",
             firn_weights_meta(w, "trunk"));
    snprintf(r->engine.fp.part[FIRN_PART_PREPROCESS], sizeof r->engine.fp.part[0], "%s",
             firn_weights_meta(w, "preprocess"));
    r->source = m->shard[0].source;
    return firn_stats_create(&r->stats, r->source->layout.family, err);
}

/* What the shard counted fits what is in its nodes, which hold `weight` of `leaves` batches. */
static bool is_plausible(const struct merge *m, const unsigned long long n[4], double weight,
                         unsigned long long leaves)
{
    enum firn_tree_kind kind = m->tree.kind;
    return n[2] <= leaves && n[0] >= n[2] && n[0] <= n[2] * (unsigned long long)m->run.batch &&
           n[3] <= n[2] && (kind != FIRN_TREE_POOL || weight == (double)n[0]) &&
           (kind != FIRN_TREE_SUM || weight == (double)n[2]);
}

static int add_counts(struct merge *m, const struct shard *s, double weight,
                      unsigned long long leaves, struct firn_error *err)
{
    struct firn_bn_run *r = &m->run;
    unsigned long long n[4];
    const char *set = firn_weights_meta(&s->weights, "set");
    if (sscanf(firn_weights_meta(&s->weights, "counts"), "%llu %llu %llu %llu", &n[0], &n[1],
               &n[2], &n[3]) != 4 || !is_plausible(m, n, weight, leaves) ||
        strlen(set) != 64 || strspn(set, "0123456789abcdef") != 64)
        return refuse_metadata(s->path, err);
    struct firn_bn_photo all = {0};
    for (int i = 0; i < 32; i++) {
        unsigned byte = 0;
        sscanf(set + 2 * i, "%2x", &byte);
        all.content[i] = (uint8_t)byte;
    }
    firn_bn_use(r, &all); /* adds up the sets */
    r->result.photographs += n[0] - 1;
    r->result.failed += n[1];
    r->result.batches += n[2];
    r->result.pure += n[3];
    return 0;
}

static int add_shard(struct merge *m, struct shard *s, struct firn_error *err)
{
    double weight = 0;
    uint64_t before = m->tree.next;
    int status = append_nodes(m, s, &weight, err);
    return status ? status : add_counts(m, s, weight, m->tree.next - before, err);
}

static int merge(struct merge *m, const char *const *paths, size_t n, const char *output,
                 struct firn_error *err)
{
    struct firn_bn_run *r = &m->run;
    int status = 0;
    for (; m->n < n && !status; m->n++)
        status = open_shard(&m->shard[m->n], paths[m->n], err);
    if (status)
        return status;
    qsort(m->shard, n, sizeof *m->shard, by_number);
    if ((status = restore(m, err)) || (status = check_shards(m, err)))
        return status;
    const struct firn_net *net = &r->stats->layout.net;
    for (int i = 0; i < net->n_conv; i++)
        r->result.channels += net->conv[i].shape.cout;
    r->result.layers = net->n_conv;
    firn_tree_init(&m->tree, firn_bn_tree_kind(m->options.method), (size_t)r->result.channels, 0);
    for (size_t i = 0; i < n && !status; i++)
        status = add_shard(m, &m->shard[i], err);
    if (status)
        return status;
    if (m->tree.next != m->batches)
        return firn_fail(err, FIRN_DATA, "the shards have %llu batches of %llu",
                         (unsigned long long)m->tree.next, m->batches);
    if (r->result.photographs == 0)
        return firn_fail(err, FIRN_NOINPUT, "the shards have no photograph that could be used");
    status = firn_bn_conclude(r, &m->tree, err);
    if (status)
        return status;
    firn_bn_describe(r);
    return firn_stats_write(r->stats, output, err);
}

int firn_bn_merge(const char *const *paths, size_t n, const char *output,
                  struct firn_bn_result *result, struct firn_error *err)
{
    struct merge *m = calloc(1, sizeof *m);
    if (m)
        m->shard = calloc(n ? n : 1, sizeof *m->shard);
    if (!m || !m->shard) {
        free(m);
        return firn_fail_nomem(err, "a merge");
    }
    int status = n ? merge(m, paths, n, output, err)
                   : firn_fail(err, FIRN_USAGE, "no shards are given");
    if (result)
        *result = m->run.result;
    if (!status && m->run.result.failed)
        status = firn_fail(err, FIRN_PARTIAL, "%llu photographs failed",
                           (unsigned long long)m->run.result.failed);
    firn_tree_free(&m->tree);
    firn_stats_free(m->run.stats);
    for (size_t i = 0; i < m->n; i++) {
        firn_stats_free(m->shard[i].source);
        firn_weights_close(&m->shard[i].weights);
    }
    free(m->shard);
    free(m);
    return status;
}
