/* SPDX-License-Identifier: MIT */
#include "model/stats.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "model/model_hash.h"
#include "model/safetensors_write.h"
#include "model/tensors.h"

static bool is_statistic(const struct firn_param *p)
{
    return p->role == FIRN_MEAN || p->role == FIRN_VAR;
}

int firn_stats_create(struct firn_stats **out, const struct firn_family *family,
                      struct firn_error *err)
{
    struct firn_stats *s = calloc(1, sizeof *s);
    size_t total = 0;
    *out = s;
    if (!s)
        return firn_fail_nomem(err, "BatchNorm statistics");
    firn_network_init(&s->layout, family);
    for (int i = 0; i < s->layout.n_param; i++)
        total += is_statistic(&s->layout.param[i]) ? s->layout.param[i].count : 0;
    s->numbers = firn_alloc(total, sizeof(float));
    if (!s->numbers) {
        firn_stats_free(s);
        *out = NULL;
        return firn_fail_nomem(err, "BatchNorm statistics");
    }
    float *at = s->numbers;
    for (int i = 0; i < s->layout.n_param; i++) {
        struct firn_param *p = &s->layout.param[i];
        if (!is_statistic(p))
            continue;
        p->data = at;
        *(p->role == FIRN_MEAN ? &s->mean[p->conv] : &s->var[p->conv]) = at;
        at += p->count;
    }
    return 0;
}

int firn_stats_of_model(struct firn_stats **out, const struct firn_model *model,
                        struct firn_error *err)
{
    const struct firn_net *net = firn_model_net(model);
    int status = firn_stats_create(out, firn_family_find(firn_model_info(model)->family), err);
    for (int i = 0; !status && i < net->n_conv; i++) {
        size_t bytes = (size_t)net->conv[i].shape.cout * sizeof(float);
        memcpy((*out)->mean[i], net->conv[i].mean, bytes);
        memcpy((*out)->var[i], net->conv[i].var, bytes);
    }
    if (!status)
        firn_stats_seal(*out);
    return status;
}

void firn_stats_free(struct firn_stats *s)
{
    if (!s)
        return;
    firn_free(s->numbers);
    free(s);
}

const char *firn_stats_get(const struct firn_stats *s, const char *key)
{
    for (int i = 0; i < s->n_pair; i++)
        if (strcmp(s->pair[i].key, key) == 0)
            return s->pair[i].value;
    return "";
}

void firn_stats_set(struct firn_stats *s, const char *key, const char *fmt, ...)
{
    int i = 0;
    va_list ap;
    while (i < s->n_pair && strcmp(s->pair[i].key, key) != 0)
        i++;
    if (i == FIRN_MAX_PAIRS)
        return;
    s->n_pair += i == s->n_pair;
    snprintf(s->pair[i].key, sizeof s->pair[i].key, "%s", key);
    va_start(ap, fmt);
    vsnprintf(s->pair[i].value, sizeof s->pair[i].value, fmt, ap);
    va_end(ap);
}

void firn_stats_seal(struct firn_stats *s)
{
    firn_network_hash(&s->layout, NULL, s->hash);
}

/* ---- reading ---- */

static int read_layer(struct firn_weights *w, const struct firn_param *p, struct firn_error *err)
{
    const struct firn_tensor *t = firn_weights_find(w, p->name);
    char shape[160];
    if (!t)
        return firn_fail(err, FIRN_DATA, "%s: %s is missing", w->file.path, p->name);
    if (t->ndim != 1 || t->shape[0] != p->shape[0])
        return firn_fail(err, FIRN_DATA, "%s: %s is %s, and not [%d]", w->file.path, p->name,
                         firn_shape_text(t->ndim, t->shape, shape, sizeof shape), p->shape[0]);
    int status = firn_tensor_read(w, t, p->data, err);
    return status ? status : firn_param_check(p, w->file.path, err);
}

/* The value of "key=" among blank-separated words. */
static const char *word(const char *words, const char *key, char *value, size_t room)
{
    size_t n = strlen(key);
    value[0] = '\0';
    for (const char *at = words; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if (length > n && strncmp(at, key, n) == 0 && at[n] == '=')
            snprintf(value, room, "%.*s", (int)(length - n - 1), at + n + 1);
        at += length;
    }
    return value;
}

static int refuse_kind(const struct firn_weights *w, struct firn_error *err)
{
    if (strcmp(firn_weights_meta(w, "kind"), FIRN_STATS_SHARD) == 0)
        return firn_fail(err, FIRN_DATA, "%s: a shard, and not yet statistics: 'firn bn merge' "
                         "puts all shards of an estimation together", w->file.path);
    return firn_fail(err, FIRN_DATA, "%s: not statistics of 'firn bn estimate': its metadata do "
                     "not say for which network and pixels they were estimated; a whole checkpoint "
                     "is given with -m", w->file.path);
}

/* The numbers of all layers of the family that the metadata name; the caller frees *out. */
static int read_layers(struct firn_stats **out, struct firn_weights *w, struct firn_error *err)
{
    char family[64];
    word(firn_weights_meta(w, "trunk"), "family", family, sizeof family);
    if (!firn_family_find(family))
        return refuse_kind(w, err);
    int status = firn_stats_create(out, firn_family_find(family), err);
    for (int i = 0; !status && i < (*out)->layout.n_param; i++)
        if (is_statistic(&(*out)->layout.param[i]))
            status = read_layer(w, &(*out)->layout.param[i], err);
    if (!status)
        firn_stats_seal(*out);
    return status;
}

int firn_stats_read_shard(struct firn_stats **out, struct firn_weights *w, struct firn_error *err)
{
    *out = NULL;
    return read_layers(out, w, err);
}

static int read_open(struct firn_stats **out, struct firn_weights *w, struct firn_error *err)
{
    static const char *const told[] = {"trunk", "preprocess", "batchnorm"}; /* in fingerprints */
    char hash[80];
    if (strcmp(firn_weights_meta(w, "kind"), FIRN_STATS_WHOLE) != 0)
        return refuse_kind(w, err);
    int status = read_layers(out, w, err);
    if (status)
        return status;
    struct firn_stats *s = *out;
    for (size_t i = 0; i < w->n_meta; i++)
        firn_stats_set(s, w->meta[i].key, "%s", w->meta[i].value);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (!firn_is_plain(firn_stats_get(s, told[i]), strlen(firn_stats_get(s, told[i]))))
            return firn_fail(err, FIRN_DATA, "%s: its metadata %s is not plain text",
                             w->file.path, told[i]);
    if (strcmp(word(firn_stats_get(s, "batchnorm"), "stats", hash, sizeof hash), s->hash) != 0)
        return firn_fail(err, FIRN_DATA, "%s: its numbers are not those that its metadata describe "
                         "(hash %.12s..., described %.12s...): estimate again", w->file.path,
                         s->hash, hash);
    return 0;
}

static int read_file(struct firn_stats **out, const char *path, bool partial,
                     struct firn_error *err)
{
    struct firn_weights w;
    *out = NULL;
    int status = firn_weights_open(&w, path, err);
    if (status)
        return status;
    if (!partial && *firn_weights_meta(&w, "passes"))
        status = firn_fail(err, FIRN_DATA, "%s: an unfinished estimation; the command that began "
                           "it goes on with it", path);
    else
        status = read_open(out, &w, err);
    firn_weights_close(&w);
    if (status) {
        firn_stats_free(*out);
        *out = NULL;
    }
    return status;
}

int firn_stats_read(struct firn_stats **out, const char *path, struct firn_error *err)
{
    return read_file(out, path, false, err);
}

int firn_stats_read_partial(struct firn_stats **out, const char *path, struct firn_error *err)
{
    return read_file(out, path, true, err);
}

bool firn_stats_is_file(const char *path)
{
    struct firn_weights w;
    if (firn_weights_open(&w, path, NULL))
        return false;
    const char *kind = firn_weights_meta(&w, "kind");
    bool is = strcmp(kind, FIRN_STATS_WHOLE) == 0 || strcmp(kind, FIRN_STATS_SHARD) == 0;
    firn_weights_close(&w);
    return is;
}

/* ---- writing ---- */

int firn_stats_write(struct firn_stats *s, const char *path, struct firn_error *err)
{
    struct firn_tensor_out tensor[2 * FIRN_MAX_CONVS];
    struct firn_pair pair[FIRN_MAX_PAIRS];
    size_t n = 0;
    for (int i = 0; i < s->layout.n_param; i++) {
        const struct firn_param *p = &s->layout.param[i];
        if (!is_statistic(p))
            continue;
        int status = firn_param_check(p, path, err); /* what is written can be read */
        if (status)
            return status;
        tensor[n++] = (struct firn_tensor_out){
            .name = p->name, .dtype = FIRN_F32, .ndim = 1, .shape = {p->shape[0]},
            .data = p->data};
    }
    for (int i = 0; i < s->n_pair; i++)
        pair[i] = (struct firn_pair){s->pair[i].key, s->pair[i].value};
    return firn_safetensors_write(path, pair, (size_t)s->n_pair, tensor, n, err);
}

/* ---- use ---- */

int firn_stats_match(const struct firn_stats *s, const struct firn_model *model,
                     const char *where, struct firn_error *err)
{
    const struct firn_model_info *info = firn_model_info(model);
    char tensors[80];
    if (strcmp(s->layout.family->name, info->family) != 0)
        return firn_fail(err, FIRN_CONFIG, "%s: statistics of a %s, but %s is a %s", where,
                         s->layout.family->name, info->spec, info->family);
    word(firn_stats_get(s, "trunk"), "tensors", tensors, sizeof tensors);
    if (strcmp(tensors, info->trunk_hash) != 0)
        return firn_fail(err, FIRN_CONFIG, "%s: estimated with other weights: trunk tensors "
                         "%.12s..., but %s has %.12s...", where, tensors, info->spec,
                         info->trunk_hash);
    return 0;
}
