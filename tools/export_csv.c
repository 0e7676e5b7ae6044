/* SPDX-License-Identifier: MIT */
/** .csv: path, class, label, f0, f1, ...; quoted as in RFC 4180, numbers that read back exactly. */
#include "export.h"
#include "photo.h"

#include <stdlib.h>
#include <string.h>

struct sink {
    struct firn_export_walk walk;
    struct firn_output *out;
    bool no_memory;
};

static void put(struct firn_output *out, const char *text)
{
    firn_output_write(out, text, strlen(text));
}

static void put_quoted(struct firn_output *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        put(out, text);
        return;
    }
    put(out, "\"");
    for (; *text; text++) {
        firn_output_write(out, text, 1);
        if (*text == '"')
            put(out, "\"");
    }
    put(out, "\"");
}

static void put_rows(void *user, const float *features, size_t n)
{
    struct sink *s = user;
    const struct firn_export *e = s->walk.e;
    const struct firn_photo *photo = &s->walk.photo;
    char text[32];
    for (size_t i = 0; i < n && firn_export_next(&s->walk); i++) {
        char *path = firn_photo_path(photo);
        s->no_memory = s->no_memory || !path;
        put_quoted(s->out, path ? path : "");
        free(path);
        put(s->out, ",");
        put_quoted(s->out, photo->class_name ? photo->class_name : "");
        snprintf(text, sizeof(text), ",%d", photo->label);
        put(s->out, text);
        if (e->views > 1) {
            snprintf(text, sizeof(text), ",%d", s->walk.view);
            put(s->out, text);
        }
        for (int k = 0; k < e->dim; k++) {
            snprintf(text, sizeof(text), ",%.9g", (double)*features++);
            put(s->out, text);
        }
        put(s->out, "\n");
    }
}

int firn_export_csv(const struct firn_export *e, struct firn_output *out, struct firn_error *err)
{
    struct sink sink = {{.e = e}, out, false};
    char text[32];
    put(out, e->views > 1 ? "path,class,label,view" : "path,class,label");
    for (int k = 0; k < e->dim; k++) {
        snprintf(text, sizeof(text), ",f%d", k);
        put(out, text);
    }
    put(out, "\n");
    int result = firn_export_rows(e, put_rows, &sink, err);
    if (result == 0 && sink.no_memory)
        result = firn_output_fail(err, FIRN_NOMEM, "out of memory");
    return result;
}
