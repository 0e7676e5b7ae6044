/* SPDX-License-Identifier: MIT */
/** `firn export`: features, labels and names into a file that other programs read. */
#include "export.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "photo.h"

#define ROWS 256 /* at a time: 512 kB of 512-number features */

static const struct {
    const char *ending;
    firn_export_fn *write;
} formats[] = {
    {".npz", firn_export_npz},
    {".npy", firn_export_npy},
    {".safetensors", firn_export_safetensors},
    {".csv", firn_export_csv},
};

static firn_export_fn *format_of(const char *path)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        size_t n = strlen(path), m = strlen(formats[i].ending);
        if (n > m && strcmp(path + n - m, formats[i].ending) == 0) {
            return formats[i].write;
        }
    }
    return NULL;
}

int firn_export_rows(const struct firn_export *e, firn_export_rows_fn *put, void *user,
                     struct firn_error *err)
{
    float *features = calloc(ROWS, (size_t)e->dim * sizeof(*features));
    if (!features) {
        return firn_output_fail(err, FIRN_NOMEM, "out of memory");
    }
    int result = 0;
    for (size_t i = 0; i < e->n && result == 0; i += ROWS) {
        size_t n = e->n - i < ROWS ? e->n - i : ROWS;
        result = firn_cache_features(e->cache, e->index + i, n, features, err);
        if (result == 0) {
            put(user, i, features, n);
        }
    }
    free(features);
    return result;
}

void firn_export_labels(const struct firn_export *e, firn_export_labels_fn *put, void *user)
{
    int64_t labels[ROWS];
    struct firn_photo photo;
    for (size_t i = 0; i < e->n; i += ROWS) {
        size_t n = e->n - i < ROWS ? e->n - i : ROWS;
        for (size_t k = 0; k < n; k++) {
            firn_cache_photo(e->cache, e->index[i + k], &photo);
            labels[k] = photo.label;
        }
        put(user, labels, n);
    }
}

/** Which photographs to take: what each option asks for, all of them. NULL: any. */
struct selection {
    const char *class_name; /* pattern as in file names */
    const char *path;
};

static bool is_selected(const struct selection *s, const struct firn_photo *photo)
{
    if (s->class_name &&
        (!photo->class_name || fnmatch(s->class_name, photo->class_name, 0) != 0)) {
        return false;
    }
    if (s->path && fnmatch(s->path, photo->name, 0) != 0) {
        char *path = firn_photo_path(photo);
        bool same = path && fnmatch(s->path, path, 0) == 0;
        free(path);
        if (!same) {
            return false;
        }
    }
    return true;
}

/** Finds the photographs with a feature; `index` is malloc'ed. */
static int gather(struct firn_export *e, const struct selection *selection, size_t **index,
                  struct firn_error *err)
{
    struct firn_cache_stat s;
    struct firn_photo photo;
    firn_cache_stat(e->cache, &s);
    size_t n = firn_cache_count(e->cache);
    *index = calloc(n ? n : 1, sizeof(**index));
    if (!*index) {
        return firn_output_fail(err, FIRN_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        firn_cache_photo(e->cache, i, &photo);
        if (photo.state == FIRN_DONE && is_selected(selection, &photo)) {
            (*index)[e->n++] = i;
        }
    }
    if (e->n == 0 && (selection->class_name || selection->path)) {
        return firn_output_fail(err, FIRN_NOINPUT, "no photograph matches; classes and paths are "
                                                   "those that firn ls shows");
    }
    struct firn_json j = {0};
    firn_fingerprint_json(&j, NULL, firn_cache_fingerprint(e->cache));
    e->index = *index;
    e->dim = s.dim;
    e->classes = s.classes;
    e->fingerprint = j.text;
    return j.failed ? firn_output_fail(err, FIRN_NOMEM, "out of memory") : 0;
}

static int write_file(const struct firn_export *e, const char *path, struct firn_error *err)
{
    struct firn_output out;
    int result = firn_output_open(&out, path, err);
    if (result) {
        return result;
    }
    result = format_of(path)(e, &out, err);
    if (result) {
        firn_output_discard(&out);
        return result;
    }
    return firn_output_commit(&out, err);
}

static int export_cache(const struct firn_cache *cache, const char *path,
                        const struct selection *selection)
{
    struct firn_export e = {.cache = cache};
    struct firn_error err = {0};
    struct firn_cache_stat s;
    size_t *index = NULL;
    firn_cache_stat(cache, &s);
    if (s.lost_segments) {
        firn_cli_warn("nothing is exported: a part of the cache is lost; run its 'firn extract' "
                      "command again, and 'firn repair' if that is not enough");
        return FIRN_DATA;
    }
    int result = gather(&e, selection, &index, &err);
    if (result == 0) {
        result = write_file(&e, path, &err);
    }
    if (result == 0) {
        size_t without = s.skipped + s.corrupt;
        firn_cli_note("%s: %zu features of %d numbers", path, e.n, e.dim);
        if (without) {
            firn_cli_note("%zu photograph%s without feature left out; 'firn ls --failed' lists %s",
                          without, without == 1 ? "" : "s", without == 1 ? "it" : "them");
        }
    }
    free(index);
    free(e.fingerprint);
    return result ? firn_cli_fail(&err) : FIRN_OK;
}

static int export_verb(const struct firn_verb *verb, int argc, char **argv)
{
    const char *path = NULL;
    struct selection selection = {0};
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'o', "output", "OUT", "file to write, replaced if it exists", &path, NULL},
        {FIRN_OPT_TEXT, 0, "class", "PATTERN", "only photographs of these classes [all]",
         &selection.class_name, NULL},
        {FIRN_OPT_TEXT, 0, "path", "PATTERN", "only these paths, as in the shell: '*/2024-*' [all]",
         &selection.path, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO) {
        return status;
    }
    if (!path) {
        return firn_cli_usage(verb, "-o OUT is missing");
    }
    if (!format_of(path)) {
        return firn_cli_usage(verb, "'%s' ends in none of .npz .npy .safetensors .csv", path);
    }
    struct firn_cache *cache;
    status = firn_open_cache(&cache, argv[0]);
    if (status) {
        return status;
    }
    status = export_cache(cache, path, &selection);
    firn_cache_close(cache);
    return status;
}

const struct firn_verb firn_verb_export = {
    .name = "export",
    .args = "[options] CACHE -o OUT",
    .summary = "write features and labels as .npz, .npy, .safetensors or .csv",
    .more = "Rows are in the order of torchvision's ImageFolder.\n"
            "  .npz          features f32 [N,D], labels int64 [N], paths, classes, fingerprint\n"
            "  .npy          features only; numpy can map it into memory\n"
            "  .safetensors  tensors features [N,D] and labels [N]; classes, fingerprint in\n"
            "                __metadata__\n"
            "  .csv          path, class, label, then D numbers; text that reads back exactly\n",
    .min_args = 1,
    .max_args = 1,
    .run = export_verb,
};
