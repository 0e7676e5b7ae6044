/* SPDX-License-Identifier: MIT */
/** The rows of an export, some at a time. */
#include "export.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 256 /* at a time: 512 kB of 512-number features */ };

static bool is_chosen(const struct firn_export *e, size_t i)
{
    return e->chosen[i / 8] >> i % 8 & 1;
}

bool firn_export_next(struct firn_export_walk *w)
{
    const struct firn_export *e = w->e;
    size_t n = firn_cache_count(e->cache);
    if (w->next > 0 && e->view < 0 && w->view + 1 < e->views) {
        w->view++;
        return true;
    }
    size_t i = w->next;
    while (i < n && !is_chosen(e, i))
        i++;
    if (i == n)
        return false;
    if (w->next == 0 || i / FIRN_EXPORT_REMEMBERED != (w->next - 1) / FIRN_EXPORT_REMEMBERED)
        firn_cache_forget(e->cache);
    firn_cache_photo(e->cache, i, &w->photo);
    w->view = e->view < 0 ? 0 : e->view;
    w->next = i + 1;
    return true;
}

/** The features of n photographs, [n][views][dim]. */
static int fetch(const struct firn_export *e, const size_t *photo, size_t n, float *features,
                 struct firn_error *err)
{
    const size_t width = (size_t)e->views * (size_t)e->dim;
    int result = 0;
    for (size_t i = 0, run; i < n && result == 0; i += run) {
        struct firn_photo gone;
        for (run = 0; i + run < n && firn_cache_state(e->cache, photo[i + run]) == FIRN_DONE;)
            run++;
        if (run > 0) {
            result = firn_cache_features(e->cache, photo + i, run, features + i * width, err);
            continue;
        }
        run = 1;
        firn_cache_photo(e->cache, photo[i], &gone);
        result = firn_cache_feature_of(e->cache, gone.content, features + i * width, err);
    }
    return result;
}

/** Leaves of each photograph's views the one that is wanted. */
static void keep_view(const struct firn_export *e, float *features, size_t n)
{
    const size_t dim = (size_t)e->dim;
    for (size_t i = 0; i < n; i++)
        memmove(features + i * dim,
                features + (i * (size_t)e->views + (size_t)e->view) * dim, dim * sizeof(*features));
}

int firn_export_rows(const struct firn_export *e, firn_export_rows_fn *put, void *user,
                     struct firn_error *err)
{
    const size_t views = (size_t)e->views, most = views < ROWS ? ROWS / views : 1;
    const size_t all = firn_cache_count(e->cache);
    float *features = calloc(most * views, (size_t)e->dim * sizeof(*features));
    size_t photo[ROWS], n = 0, stretch = 0;
    int result = features ? 0 : firn_output_fail(err, FIRN_NOMEM, "out of memory");
    for (size_t i = 0; i < all && result == 0; i++) {
        if (n == 0 && i / FIRN_EXPORT_REMEMBERED != stretch) { /* between the steps of a walk */
            stretch = i / FIRN_EXPORT_REMEMBERED;
            firn_cache_forget(e->cache);
        }
        if (is_chosen(e, i))
            photo[n++] = i;
        if (n == 0 || (n < most && i + 1 < all))
            continue;
        result = fetch(e, photo, n, features, err);
        if (result == 0 && e->view >= 0)
            keep_view(e, features, n);
        if (result == 0)
            put(user, features, e->view < 0 ? n * views : n);
        n = 0;
    }
    free(features);
    return result;
}

static void export_numbers(const struct firn_export *e, bool views, firn_export_numbers_fn *put,
                           void *user)
{
    struct firn_export_walk walk = {.e = e};
    int64_t numbers[ROWS];
    size_t n = 0;
    while (firn_export_next(&walk)) {
        numbers[n++] = views ? walk.view : walk.photo.label;
        if (n == ROWS) {
            put(user, numbers, n);
            n = 0;
        }
    }
    put(user, numbers, n);
}

void firn_export_labels(const struct firn_export *e, firn_export_numbers_fn *put, void *user)
{
    export_numbers(e, false, put, user);
}

void firn_export_views(const struct firn_export *e, firn_export_numbers_fn *put, void *user)
{
    export_numbers(e, true, put, user);
}
