/* SPDX-License-Identifier: MIT */
/** numpy's .npy: one array, features [N,D]. */
#include "export.h"
#include "npy.h"

#include <stdio.h>

struct sink {
    struct firn_output *out;
    int dim;
};

static void put_rows(void *user, const float *features, size_t n)
{
    struct sink *s = user;
    firn_output_write(s->out, features, n * (size_t)s->dim * sizeof(*features));
}

int firn_export_npy(const struct firn_export *e, struct firn_output *out, struct firn_error *err)
{
    char header[256], shape[64];
    struct sink sink = {out, e->dim};
    snprintf(shape, sizeof(shape), "(%zu, %d)", e->n, e->dim);
    firn_output_write(out, header, firn_npy_header(header, "<f4", shape));
    return firn_export_rows(e, put_rows, &sink, err);
}
