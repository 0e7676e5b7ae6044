/* SPDX-License-Identifier: MIT */
#include "probe/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "firn/probe.h"

void firn_names_fini(struct firn_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct firn_names){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * The place of each class of the cache among the names, behind which new ones are put; malloc'ed,
 * NULL when memory is out. The names that are known are those of a cache, too, and so in order.
 */
static int *map_classes(const struct firn_cache *cache, struct firn_names *names)
{
    struct firn_cache_stat stat;
    firn_cache_stat(cache, &stat);
    const size_t known = names->n;
    int *map = calloc(stat.classes + 1, sizeof *map);
    char **more = realloc(names->name, (known + stat.classes + 1) * sizeof *more);
    names->name = more ? more : names->name;
    for (size_t i = 0; i < stat.classes && map && more; i++) {
        const char *name = firn_cache_class(cache, i);
        char **old = bsearch(&name, more, known, sizeof *more, compare_names);
        map[i] = (int)(old ? old - more : (ptrdiff_t)names->n);
        if (!old && !(more[names->n] = strdup(name)))
            more = NULL;
        names->n += more && !old;
    }
    if (map && more)
        return map;
    free(map);
    return NULL;
}

static bool allocate(struct firn_sample *s, size_t n)
{
    s->index = calloc(n + 1, sizeof *s->index);
    s->truth = calloc(n + 1, sizeof *s->truth);
    s->y = calloc(n + 1, sizeof *s->y);
    s->content = calloc(n + 1, sizeof *s->content);
    return s->index && s->truth && s->y && s->content;
}

static void put(struct firn_sample *s, size_t index, int truth, const uint8_t content[32])
{
    s->index[s->n] = index;
    s->truth[s->n] = truth;
    memcpy(s->content[s->n++], content, sizeof *s->content);
}

int firn_sample_list(struct firn_sample *s, const struct firn_cache *cache,
                     struct firn_names *names, struct firn_error *err)
{
    struct firn_cache_stat stat;
    struct firn_photo photo;
    size_t n = firn_cache_count(cache);
    int *map = map_classes(cache, names);
    *s = (struct firn_sample){.cache = cache};
    if (!map || !allocate(s, n)) {
        free(map);
        return firn_fail_nomem(err, "a list of photographs");
    }
    firn_cache_stat(cache, &stat);
    s->dim = stat.dim;
    s->views = stat.views;
    s->center = stat.center;
    for (size_t i = 0; i < n; i++) {
        firn_cache_photo(cache, i, &photo);
        if (photo.state == FIRN_GONE)
            continue;
        if (photo.state != FIRN_DONE)
            s->failed++;
        else if (photo.label < 0)
            s->unlabelled++;
        else
            put(s, i, map[photo.label], photo.content);
    }
    free(map);
    return 0;
}

void firn_sample_fini(struct firn_sample *s)
{
    free(s->index);
    free(s->truth);
    free(s->y);
    free(s->content);
    firn_free(s->x);
    *s = (struct firn_sample){0};
}

bool firn_probe_holds_out(const uint8_t content[32], int percent)
{
    uint64_t head = 0;
    for (int i = 0; i < 8; i++)
        head = head << 8 | content[i];
    return head / 100 < (UINT64_MAX / 100 / 100) * (uint64_t)percent;
}

int firn_sample_split(struct firn_sample *s, struct firn_sample *held, int percent,
                      struct firn_error *err)
{
    size_t kept = 0;
    *held = (struct firn_sample){.cache = s->cache, .dim = s->dim, .views = s->views,
                                 .center = s->center};
    if (!allocate(held, s->n))
        return firn_fail_nomem(err, "a list of photographs");
    for (size_t i = 0; i < s->n; i++) {
        if (firn_probe_holds_out(s->content[i], percent)) {
            put(held, s->index[i], s->truth[i], s->content[i]);
            continue;
        }
        s->index[kept] = s->index[i];
        s->truth[kept] = s->truth[i];
        memmove(s->content[kept++], s->content[i], sizeof *s->content);
    }
    s->n = kept;
    return 0;
}

static int compare_contents(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

int firn_sample_shared(const struct firn_sample *a, const struct firn_sample *b, size_t *shared,
                       struct firn_error *err)
{
    uint8_t (*sorted)[32] = malloc((b->n + 1) * sizeof *sorted);
    *shared = 0;
    if (!sorted)
        return firn_fail_nomem(err, "a list of contents");
    memcpy(sorted, b->content, b->n * sizeof *sorted);
    qsort(sorted, b->n, sizeof *sorted, compare_contents);
    for (size_t i = 0; i < a->n; i++)
        if (bsearch(a->content[i], sorted, b->n, sizeof *sorted, compare_contents))
            ++*shared;
    free(sorted);
    return 0;
}

static int check_finite(const struct firn_sample *s, struct firn_error *err)
{
    size_t dim = (size_t)s->dim;
    for (size_t i = 0; i < s->n * dim; i++)
        if (!isfinite(s->x[i])) {
            struct firn_photo photo;
            firn_cache_photo(s->cache, s->index[i / dim], &photo);
            return firn_fail(err, FIRN_DATA, "%s: its feature has numbers that are not finite; "
                             "firn verify says more about the cache", photo.name);
        }
    return 0;
}

/* Photographs of which all views are in memory at a time. */
#define SOME 64

/* Reads all views, which lie together, and keeps one. */
static int load_center(struct firn_sample *s, struct firn_error *err)
{
    const size_t dim = (size_t)s->dim, width = (size_t)s->views * dim;
    float *views = firn_alloc(SOME * width, sizeof *views);
    int status = views ? 0 : firn_fail_nomem(err, "features");
    for (size_t i = 0; i < s->n && !status; i += SOME) {
        const size_t n = s->n - i < SOME ? s->n - i : SOME;
        status = firn_cache_features(s->cache, s->index + i, n, views, err);
        for (size_t k = 0; k < n && !status; k++)
            memcpy(s->x + (i + k) * dim, views + k * width + (size_t)s->center * dim,
                   dim * sizeof *views);
    }
    firn_free(views);
    return status;
}

int firn_sample_load(struct firn_sample *s, struct firn_error *err)
{
    s->x = firn_alloc(s->n * (size_t)s->dim, sizeof *s->x);
    if (!s->x)
        return firn_fail_nomem(err, "features");
    int status = s->views > 1 ? load_center(s, err)
                              : firn_cache_features(s->cache, s->index, s->n, s->x, err);
    return status ? status : check_finite(s, err);
}
