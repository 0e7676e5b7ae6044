/* SPDX-License-Identifier: MIT */
/** numpy's .npz: a zip of .npy members, readable by np.load without pickle. */
#include "export.h"
#include "npy.h"
#include "photo.h"
#include "zip_write.h"

#include <stdlib.h>
#include <string.h>

struct sink {
    struct firn_zip zip;
    int dim;
};

static void put_rows(void *user, const float *features, size_t n)
{
    struct sink *s = user;
    firn_zip_write(&s->zip, features, n * (size_t)s->dim * sizeof(*features));
}

static void put_numbers(void *user, const int64_t *numbers, size_t n)
{
    struct sink *s = user;
    firn_zip_write(&s->zip, numbers, n * sizeof(*numbers));
}

static int put_paths(const struct firn_export *e, struct sink *s, const char *shape)
{
    size_t width = 1; /* as numpy does for empty strings */
    for (int writing = 0; writing < 2; writing++) {
        if (writing)
            firn_npy_begin_texts(&s->zip, "paths.npy", shape, e->n, width);
        struct firn_export_walk walk = {.e = e};
        while (firn_export_next(&walk)) {
            char *path = firn_photo_path(&walk.photo);
            if (!path)
                return -1;
            size_t points = firn_npy_points(path);
            if (writing)
                firn_npy_put_text(&s->zip, path, width);
            else if (points > width)
                width = points;
            free(path);
        }
    }
    firn_zip_finish(&s->zip);
    return 0;
}

static void put_classes(const struct firn_export *e, struct sink *s)
{
    char shape[32];
    size_t width = 1;
    for (size_t i = 0; i < e->classes; i++) {
        size_t points = firn_npy_points(firn_cache_class(e->cache, i));
        width = points > width ? points : width;
    }
    snprintf(shape, sizeof(shape), "(%zu,)", e->classes);
    firn_npy_begin_texts(&s->zip, "classes.npy", shape, e->classes, width);
    for (size_t i = 0; i < e->classes; i++)
        firn_npy_put_text(&s->zip, firn_cache_class(e->cache, i), width);
    firn_zip_finish(&s->zip);
}

int firn_export_npz(const struct firn_export *e, struct firn_output *out, struct firn_error *err)
{
    struct sink s = {.zip = {.out = out, .limit = FIRN_ZIP_LIMIT}, .dim = e->dim};
    char rows[32], shape[64];
    snprintf(rows, sizeof(rows), "(%zu,)", e->n);
    snprintf(shape, sizeof(shape), "(%zu, %d)", e->n, e->dim);
    firn_npy_begin(&s.zip, "features.npy", "<f4", shape,
                   (uint64_t)e->n * (uint64_t)e->dim * sizeof(float));
    int result = firn_export_rows(e, put_rows, &s, err);
    if (result)
        return result;
    firn_zip_finish(&s.zip);
    firn_npy_begin(&s.zip, "labels.npy", "<i8", rows, (uint64_t)e->n * sizeof(int64_t));
    firn_export_labels(e, put_numbers, &s);
    firn_zip_finish(&s.zip);
    if (e->views > 1) {
        firn_npy_begin(&s.zip, "views.npy", "<i8", rows, (uint64_t)e->n * sizeof(int64_t));
        firn_export_views(e, put_numbers, &s);
        firn_zip_finish(&s.zip);
    }
    if (put_paths(e, &s, rows))
        return firn_output_fail(err, FIRN_NOMEM, "out of memory");
    put_classes(e, &s);
    size_t width = firn_npy_points(e->fingerprint);
    firn_npy_begin_texts(&s.zip, "fingerprint.npy", "()", 1, width);
    firn_npy_put_text(&s.zip, e->fingerprint, width);
    firn_zip_finish(&s.zip);
    firn_zip_end(&s.zip);
    return 0;
}
