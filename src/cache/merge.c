/* SPDX-License-Identifier: MIT */
#include "firn/upkeep.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "cache/copy.h"
#include "cache/fingerprint.h"
#include "cache/upkeep.h"

/* Instruction sets may differ in the last bits; features that differ by more are not the same. */
#define SAME 1e-4

struct merge {
    const struct firn_upkeep_options *options;
    struct firn_upkeep *result;
    struct firn_writer *writer;
    const struct firn_cache *from;
    size_t *both; /* photographs whose contents both have a feature of */
    size_t n_both;
};

static void tell(struct merge *m, const struct firn_entry *e, const char *what)
{
    const struct firn_index *index = &m->writer->loaded.index;
    const char *root = e->root < index->n_root ? index->root[e->root].path : "";
    char *path;
    m->result->conflicts++;
    if (!m->options->on_photograph ||
        asprintf(&path, "%s%s%s", root, *root && strcmp(root, "/") ? "/" : "", e->name) < 0)
        return;
    m->options->on_photograph(m->options->user, path, what);
    free(path);
}

/* What says more about a photograph of the same contents. */
static int rank(uint8_t state)
{
    return state == FIRN_DONE ? 3 : state == FIRN_CORRUPT ? 2 : state == FIRN_SKIPPED ? 1 : 0;
}

static bool same_contents(const struct firn_entry *a, const struct firn_entry *b)
{
    static const uint8_t unread[FIRN_KEY];
    return memcmp(a->content, b->content, FIRN_KEY) == 0 ||
           memcmp(a->content, unread, FIRN_KEY) == 0 || memcmp(b->content, unread, FIRN_KEY) == 0;
}

static bool is_better(void *user, size_t i, struct firn_entry *e)
{
    struct merge *m = user;
    const struct firn_entry *have = firn_index_find(&m->writer->loaded.index, e->root, e->name);
    if (e->root == UINT32_MAX)
        return false;
    if (e->state == FIRN_DONE && firn_writer_has(m->writer, e->content))
        m->both[m->n_both++] = i;
    if (!have)
        return true;
    if (same_contents(have, e) || have->state == FIRN_GONE || e->state == FIRN_GONE)
        return rank(e->state) > rank(have->state);
    bool later = e->mtime_ns > have->mtime_ns;
    tell(m, e, later ? "other contents: these are later and win" :
                       "other contents: these are not later and are left out");
    return later;
}

/* The classes that either declares, sorted; NULL when memory is out. Strings stay theirs. */
static const char **unite(const struct firn_root *a, const struct firn_root *b, size_t *n)
{
    const char **all = calloc(a->n_classes + (b ? b->n_classes : 0) + 1, sizeof *all);
    size_t i = 0, k = 0, m = b ? b->n_classes : 0;
    *n = 0;
    while (all && (i < a->n_classes || k < m)) {
        int c = i == a->n_classes ? 1 : k == m ? -1 : strcmp(a->classes[i], b->classes[k]);
        all[(*n)++] = c <= 0 ? a->classes[i] : b->classes[k];
        i += c <= 0;
        k += c >= 0;
    }
    return all;
}

static int add_root(struct merge *m, const struct firn_root *root, uint32_t *id,
                    struct firn_error *err)
{
    const struct firn_index *index = &m->writer->loaded.index;
    const struct firn_root *have = NULL;
    size_t n;
    for (size_t i = 0; i < index->n_root; i++)
        if (index->root[i].path && strcmp(index->root[i].path, root->path) == 0)
            have = index->root + i;
    const char **classes = unite(root, have, &n);
    int status = classes ? firn_writer_root(m->writer, root->path, classes, n, id, err)
                         : firn_fail_nomem(err, "a root");
    free(classes);
    return status;
}

static bool has_run(const struct firn_index *index, const struct firn_run *run)
{
    for (size_t i = 0; i < index->n_run; i++) {
        const struct firn_run *r = index->run + i;
        if (r->start == run->start && memcmp(&r->seconds, &run->seconds, 8) == 0 &&
            r->done == run->done && r->bytes_read == run->bytes_read)
            return true;
    }
    return false;
}

/* Features of the same contents are the same, but for rounding. */
static int compare_features(struct merge *m, const char *out, struct firn_error *err)
{
    struct firn_cache *cache;
    size_t dim = m->writer->loaded.head.dim;
    float *a = malloc(2 * dim * sizeof *a), *b = a + dim;
    int status = a ? firn_cache_open_whole(&cache, out, err) : firn_fail_nomem(err, "features");
    if (status != 0) {
        free(a);
        return status;
    }
    for (size_t i = 0; i < m->n_both && status == 0; i++) {
        const struct firn_entry *e = firn_cache_entry(m->from, m->both[i]);
        double worst = 0, square = 0;
        status = firn_cache_features(m->from, m->both + i, 1, a, err);
        if (status == 0)
            status = firn_cache_feature_of(cache, e->content, b, err);
        for (size_t k = 0; status == 0 && k < dim; k++) {
            worst = fmax(worst, fabs((double)a[k] - (double)b[k]));
            square += (double)b[k] * (double)b[k];
        }
        if (status == 0 && worst > SAME * sqrt(square / (double)dim))
            tell(m, e, "another feature of the same contents: it is left out");
    }
    firn_cache_close(cache);
    free(a);
    return status;
}

static int add_cache(struct merge *m, const char *out, struct firn_error *err)
{
    const struct firn_index *index = &firn_cache_loaded(m->from)->index;
    uint32_t *root = calloc(index->n_root + 1, sizeof *root);
    m->both = calloc(firn_cache_count(m->from) + 1, sizeof *m->both);
    m->n_both = 0;
    int status = root && m->both ? 0 : firn_fail_nomem(err, "photographs to merge");
    for (size_t i = 0; i < index->n_root && status == 0; i++) {
        root[i] = UINT32_MAX;
        if (index->root[i].path)
            status = add_root(m, index->root + i, root + i, err);
    }
    for (size_t i = 0; i < index->n_run && status == 0; i++)
        if (!has_run(&m->writer->loaded.index, index->run + i))
            status = firn_writer_run(m->writer, index->run + i, err);
    struct firn_copy copy = {.from = m->from, .to = m->writer, .root = root, .choose = is_better,
                             .user = m};
    if (status == 0)
        status = firn_copy(&copy, err);
    m->result->photographs += copy.photographs;
    if (status == 0 && m->n_both > 0)
        status = compare_features(m, out, err);
    free(root);
    free(m->both);
    return status;
}

static int check_same(const struct firn_loaded *first, const struct firn_loaded *other,
                      struct firn_error *err)
{
    char words[600], in_first[128], in_other[128];
    snprintf(in_first, sizeof in_first, "in %.100s", first->dir);
    snprintf(in_other, sizeof in_other, "in %.100s", other->dir);
    if (firn_fingerprint_brief(&first->head.fp, &other->head.fp, in_first, in_other, words,
                               sizeof words) > 0 ||
        first->head.dim != other->head.dim || first->head.views != other->head.views ||
        first->head.store != other->head.store)
        return firn_fail(err, FIRN_CONFIG, "%.200s: made otherwise (%s); caches of different "
                         "fingerprints are not merged", other->dir, words);
    return 0;
}

/* All must be whole and of one kind before anything is written. */
static int open_all(struct firn_cache **cache, const char *const *in, size_t n,
                    struct firn_error *err)
{
    struct firn_cache_stat stat;
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++) {
        status = firn_cache_open_whole(cache + i, in[i], err);
        if (status != 0)
            break;
        firn_cache_stat(cache[i], &stat);
        if (stat.lost_segments)
            status = firn_fail(err, FIRN_DATA, "%s: a segment is missing; run firn repair first",
                               in[i]);
        else
            status = check_same(firn_cache_loaded(cache[0]), firn_cache_loaded(cache[i]), err);
    }
    return status;
}

/* The writer refuses another fingerprint as well, with advice for an extraction. */
static int check_out(const char *out, const struct firn_cache *in, struct firn_error *err)
{
    struct firn_cache *cache;
    int status = firn_cache_open(&cache, out, NULL);
    if (status != 0)
        return 0; /* not there, or what the writer will say */
    status = check_same(firn_cache_loaded(cache), firn_cache_loaded(in), err);
    firn_cache_close(cache);
    return status;
}

/* How `out` was before; nobody else writes to it now. Where it is created, all is zero. */
static int count_before(const char *out, struct firn_upkeep *result, struct firn_error *err)
{
    struct firn_cache *cache;
    int status = firn_cache_open(&cache, out, err);
    if (status == -FIRN_NOINPUT)
        return 0;
    if (status == 0)
        firn_upkeep_count(cache, result, true);
    firn_cache_close(cache);
    return status;
}

static int merge(const char *out, struct firn_cache **cache, size_t n, struct merge *m,
                 struct firn_error *err)
{
    const struct firn_head *head = &firn_cache_loaded(cache[0])->head;
    struct firn_writer_settings settings = {.allow_network = m->options->allow_network_fs,
                                            .views = (int)head->views};
    int status = firn_writer_open_with(&m->writer, out, &head->fp, (int)head->dim, head->store,
                                       &settings, err);
    if (status != 0)
        return status;
    status = count_before(out, m->result, err);
    for (size_t i = 0; i < n && status == 0; i++) {
        m->from = cache[i];
        if (firn_cache_loaded(cache[i])->cache == m->writer->loaded.cache)
            status = firn_fail(err, FIRN_USAGE, "%s: is the cache to merge into, or a copy of it",
                               firn_cache_loaded(cache[i])->dir);
        else
            status = add_cache(m, out, err);
    }
    int closed = firn_writer_close(m->writer, status ? NULL : err);
    status = status ? status : closed;
    if (status == 0)
        status = firn_upkeep_count_after(out, m->result, err);
    if (status == 0 && m->result->conflicts)
        status = firn_fail(err, FIRN_PARTIAL, "%s: %zu photographs conflict", out,
                           m->result->conflicts);
    return status;
}

int firn_merge(const char *out, const char *const *in, size_t n,
               const struct firn_upkeep_options *options, struct firn_upkeep *result,
               struct firn_error *err)
{
    struct merge m = {.options = options, .result = result};
    struct firn_cache **cache = calloc(n + 1, sizeof *cache);
    memset(result, 0, sizeof *result);
    int status = !cache ? firn_fail_nomem(err, "caches to merge")
                 : n == 0 ? firn_fail(err, FIRN_USAGE, "no caches to merge are given")
                          : open_all(cache, in, n, err);
    if (status == 0)
        status = check_out(out, cache[0], err);
    if (status == 0)
        status = merge(out, cache, n, &m, err);
    for (size_t i = 0; cache && i < n; i++)
        firn_cache_close(cache[i]);
    free(cache);
    return status;
}
