/* SPDX-License-Identifier: MIT */
/** numpy's .npz: a zip of .npy members, readable by np.load without pickle. */
#include "export.h"
#include "photo.h"
#include "zip_write.h"

#include <stdlib.h>
#include <string.h>

struct sink {
    struct firn_zip zip;
    int dim;
};

static void begin(struct sink *s, const char *name, const char *descr, const char *shape,
                  uint64_t data)
{
    char header[256];
    size_t n = firn_npy_header(header, descr, shape);
    firn_zip_begin(&s->zip, name, n + data);
    firn_zip_write(&s->zip, header, n);
}

static void put_rows(void *user, size_t first, const float *features, size_t n)
{
    struct sink *s = user;
    (void)first;
    firn_zip_write(&s->zip, features, n * (size_t)s->dim * sizeof(*features));
}

static void put_labels(void *user, const int64_t *labels, size_t n)
{
    struct sink *s = user;
    firn_zip_write(&s->zip, labels, n * sizeof(*labels));
}

/**
 * The next code point of a file name. A byte that is not UTF-8 becomes U+DC80..U+DCFF, Python's
 * "surrogateescape": os.fsencode() of what numpy reads gives the name's bytes back.
 */
static uint32_t next_point(const unsigned char **s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = *s;
    int n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    uint32_t point = n == 1 ? p[0] : n ? p[0] & (0x7Fu >> n) : 0;
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            n = 0;
            break;
        }
        point = point << 6 | (p[i] & 0x3F);
    }
    if (n == 0 || point < least[n] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
        n = 1;
        point = 0xDC00u + p[0];
    }
    *s += n;
    return point;
}

static size_t points_of(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = 0;
    for (; *s; n++) {
        next_point(&s);
    }
    return n;
}

/** One string of a '<U' array: UTF-32, padded with zeros to `width` code points. */
static void put_text(struct sink *s, const char *text, size_t width)
{
    const unsigned char *at = (const unsigned char *)text;
    uint32_t chunk[256];
    while (width) {
        size_t n = width < 256 ? width : 256;
        for (size_t i = 0; i < n; i++) {
            chunk[i] = *at ? next_point(&at) : 0;
        }
        firn_zip_write(&s->zip, chunk, n * sizeof(*chunk));
        width -= n;
    }
}

static void begin_texts(struct sink *s, const char *name, const char *shape, size_t n,
                        size_t width)
{
    char descr[32];
    snprintf(descr, sizeof(descr), "<U%zu", width);
    begin(s, name, descr, shape, (uint64_t)n * width * sizeof(uint32_t));
}

static int put_paths(const struct firn_export *e, struct sink *s, const char *shape)
{
    struct firn_photo photo;
    size_t width = 1; /* as numpy does for empty strings */
    for (int writing = 0; writing < 2; writing++) {
        if (writing) {
            begin_texts(s, "paths.npy", shape, e->n, width);
        }
        for (size_t i = 0; i < e->n; i++) {
            firn_cache_photo(e->cache, e->index[i], &photo);
            char *path = firn_photo_path(&photo);
            if (!path) {
                return -1;
            }
            size_t points = points_of(path);
            if (writing) {
                put_text(s, path, width);
            } else if (points > width) {
                width = points;
            }
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
        size_t points = points_of(firn_cache_class(e->cache, i));
        width = points > width ? points : width;
    }
    snprintf(shape, sizeof(shape), "(%zu,)", e->classes);
    begin_texts(s, "classes.npy", shape, e->classes, width);
    for (size_t i = 0; i < e->classes; i++) {
        put_text(s, firn_cache_class(e->cache, i), width);
    }
    firn_zip_finish(&s->zip);
}

int firn_export_npz(const struct firn_export *e, struct firn_output *out, struct firn_error *err)
{
    struct sink s = {.zip = {.out = out, .limit = FIRN_ZIP_LIMIT}, .dim = e->dim};
    char rows[32], shape[64];
    snprintf(rows, sizeof(rows), "(%zu,)", e->n);
    snprintf(shape, sizeof(shape), "(%zu, %d)", e->n, e->dim);
    begin(&s, "features.npy", "<f4", shape, (uint64_t)e->n * (uint64_t)e->dim * sizeof(float));
    int result = firn_export_rows(e, put_rows, &s, err);
    if (result) {
        return result;
    }
    firn_zip_finish(&s.zip);
    begin(&s, "labels.npy", "<i8", rows, (uint64_t)e->n * sizeof(int64_t));
    firn_export_labels(e, put_labels, &s);
    firn_zip_finish(&s.zip);
    if (put_paths(e, &s, rows)) {
        return firn_output_fail(err, FIRN_NOMEM, "out of memory");
    }
    put_classes(e, &s);
    size_t width = points_of(e->fingerprint);
    begin_texts(&s, "fingerprint.npy", "()", 1, width);
    put_text(&s, e->fingerprint, width);
    firn_zip_finish(&s.zip);
    firn_zip_end(&s.zip);
    return 0;
}
