/* SPDX-License-Identifier: MIT */
/** numpy's .npy: one array, features [N,D]. */
#include "export.h"

#include <stdio.h>
#include <string.h>

size_t firn_npy_header(char header[256], const char *descr, const char *shape)
{
    enum { PREFIX = 10 }; /* magic, version, length of the dictionary */
    int n = snprintf(header + PREFIX, 256 - PREFIX,
                     "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    size_t total = (PREFIX + (size_t)n + 1 + 63) / 64 * 64;
    memset(header + PREFIX + n, ' ', total - PREFIX - (size_t)n);
    header[total - 1] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((total - PREFIX) & 0xFF);
    header[9] = (char)((total - PREFIX) >> 8);
    return total;
}

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

int firn_export_npy(const struct firn_export *e, struct firn_output *out, struct firn_error *err)
{
    char header[256], shape[64];
    struct sink sink = {out, e->dim};
    snprintf(shape, sizeof(shape), "(%zu, %d)", e->n, e->dim);
    firn_output_write(out, header, firn_npy_header(header, "<f4", shape));
    return firn_export_rows(e, put_rows, &sink, err);
}
