/* SPDX-License-Identifier: MIT */
/** .safetensors: a length, a JSON header, then the tensors "labels" and "features". */
#include "export.h"

#include <stdlib.h>
#include <string.h>

#include "firn/json.h"

#define HEADER_LIMIT 100000000 /* readers of the format refuse longer headers */

struct sink {
    struct firn_output *out;
    int dim;
};

static void put_rows(void *user, size_t first, const float *features, size_t n)
{
    struct sink *s = user;
    (void)first;
    firn_output_write(s->out, features, n * (size_t)s->dim * sizeof(*features));
}

static void put_labels(void *user, const int64_t *labels, size_t n)
{
    struct sink *s = user;
    firn_output_write(s->out, labels, n * sizeof(*labels));
}

static void tensor(struct firn_json *j, const char *name, const char *type, size_t rows, int dim,
                   uint64_t begin, uint64_t end)
{
    firn_json_object(j, name);
    firn_json_string(j, "dtype", type);
    firn_json_array(j, "shape");
    firn_json_int(j, NULL, (int64_t)rows);
    if (dim) {
        firn_json_int(j, NULL, dim);
    }
    firn_json_end_array(j);
    firn_json_array(j, "data_offsets");
    firn_json_int(j, NULL, (int64_t)begin);
    firn_json_int(j, NULL, (int64_t)end);
    firn_json_end_array(j);
    firn_json_end_object(j);
}

/** The format allows strings only, so the class names are JSON inside a string. */
static void metadata(struct firn_json *j, const struct firn_export *e)
{
    struct firn_json classes = {0};
    firn_json_array(&classes, NULL);
    for (size_t i = 0; i < e->classes; i++) {
        firn_json_string(&classes, NULL, firn_cache_class(e->cache, i));
    }
    firn_json_end_array(&classes);
    firn_json_object(j, "__metadata__");
    firn_json_string(j, "firn", FIRN_VERSION);
    firn_json_string(j, "fingerprint", e->fingerprint);
    firn_json_string(j, "classes", classes.text);
    firn_json_end_object(j);
    j->failed = j->failed || classes.failed;
    free(classes.text);
}

int firn_export_safetensors(const struct firn_export *e, struct firn_output *out,
                            struct firn_error *err)
{
    struct firn_json j = {0};
    struct sink sink = {out, e->dim};
    uint64_t labels = (uint64_t)e->n * sizeof(int64_t);
    uint64_t features = (uint64_t)e->n * (uint64_t)e->dim * sizeof(float);
    firn_json_object(&j, NULL);
    metadata(&j, e);
    tensor(&j, "labels", "I64", e->n, 0, 0, labels); /* first: 8-byte numbers stay aligned */
    tensor(&j, "features", "F32", e->n, e->dim, labels, labels + features);
    firn_json_end_object(&j);
    size_t size = (j.size + 7) / 8 * 8;
    if (j.failed || size > HEADER_LIMIT) {
        free(j.text);
        return j.failed ? firn_output_fail(err, FIRN_NOMEM, "out of memory")
                        : firn_output_fail(err, FIRN_CANTCREATE,
                                           "%s: too many class names for this format; use .npz",
                                           out->path);
    }
    uint8_t length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (uint8_t)(size >> (8 * i));
    }
    firn_output_write(out, length, sizeof(length));
    firn_output_write(out, j.text, j.size);
    firn_output_write(out, "       ", size - j.size);
    free(j.text);
    firn_export_labels(e, put_labels, &sink);
    return firn_export_rows(e, put_rows, &sink, err);
}
