/* SPDX-License-Identifier: MIT */
/** .safetensors: a length, a JSON header, then the tensors "labels" and "features". */
#include "export.h"
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "firn/json.h"

struct sink {
    struct firn_output *out;
    int dim;
};

static void put_rows(void *user, const float *features, size_t n)
{
    struct sink *s = user;
    firn_output_write(s->out, features, n * (size_t)s->dim * sizeof(*features));
}

static void put_numbers(void *user, const int64_t *numbers, size_t n)
{
    struct sink *s = user;
    firn_output_write(s->out, numbers, n * sizeof(*numbers));
}

/** The format allows strings only, so the class names are JSON inside a string. */
static void metadata(struct firn_json *j, const struct firn_export *e)
{
    struct firn_json classes = {0};
    firn_json_array(&classes, NULL);
    for (size_t i = 0; i < e->classes; i++)
        firn_json_string(&classes, NULL, firn_cache_class(e->cache, i));
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
    uint64_t labels = (uint64_t)e->n * sizeof(int64_t), numbers = labels;
    uint64_t features = (uint64_t)e->n * (uint64_t)e->dim * sizeof(float);
    firn_json_object(&j, NULL);
    metadata(&j, e);
    /* first: 8-byte numbers stay aligned */
    firn_safetensors_tensor(&j, "labels", "I64", e->n, 0, 0, labels);
    if (e->views > 1) {
        numbers += labels;
        firn_safetensors_tensor(&j, "views", "I64", e->n, 0, labels, numbers);
    }
    firn_safetensors_tensor(&j, "features", "F32", e->n, e->dim, numbers, numbers + features);
    firn_json_end_object(&j);
    int result = firn_safetensors_begin(out, &j, err);
    if (result)
        return result;
    firn_export_labels(e, put_numbers, &sink);
    if (e->views > 1)
        firn_export_views(e, put_numbers, &sink);
    return firn_export_rows(e, put_rows, &sink, err);
}
