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
    {".h5", firn_export_hdf5},
    {".hdf5", firn_export_hdf5},
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
        result = firn_cache_gather(e->cache, e->row + i, n, features, err);
        if (result == 0) {
            put(user, i, features, n);
        }
    }
    free(features);
    return result;
}

int firn_export_photo(const struct firn_export *e, size_t i, struct firn_photo *photo)
{
    firn_cache_photo(e->cache, firn_cache_row(e->cache, (size_t)e->row[i]), photo);
    return (int)(e->row[i] % e->views);
}

static void export_numbers(const struct firn_export *e, bool views, firn_export_numbers_fn *put,
                           void *user)
{
    int64_t numbers[ROWS];
    struct firn_photo photo;
    for (size_t i = 0; i < e->n; i += ROWS) {
        size_t n = e->n - i < ROWS ? e->n - i : ROWS;
        for (size_t k = 0; k < n; k++) {
            int view = firn_export_photo(e, i + k, &photo);
            numbers[k] = views ? view : photo.label;
        }
        put(user, numbers, n);
    }
}

void firn_export_labels(const struct firn_export *e, firn_export_numbers_fn *put, void *user)
{
    export_numbers(e, false, put, user);
}

void firn_export_views(const struct firn_export *e, firn_export_numbers_fn *put, void *user)
{
    export_numbers(e, true, put, user);
}

/** Which photographs to take: what each option asks for, all of them. NULL: any. */
struct selection {
    const char *class_name; /* pattern as in file names */
    const char *path;
    const char *view;       /* a number, or "center" */
    int64_t view_number;    /* -1: all views */
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

/** Which view is meant. FIRN_USAGE: the photographs have no such view. */
static int choose_view(struct selection *s, const struct firn_cache_stat *stat,
                       struct firn_error *err)
{
    char *end;
    s->view_number = -1;
    if (!s->view) {
        return 0;
    }
    if (strcmp(s->view, "center") == 0) {
        s->view_number = stat->center;
        return stat->center >= 0 ? 0 : firn_output_fail(err, FIRN_USAGE, "none of the random "
                                                        "views is the centre crop");
    }
    long number = strtol(s->view, &end, 10);
    if (end == s->view || *end || number < 0 || number >= stat->views) {
        return firn_output_fail(err, FIRN_USAGE, "--view %s: the views of this cache are 0 to %d",
                                s->view, stat->views - 1);
    }
    s->view_number = number;
    return 0;
}

/** Finds the rows to write; `rows` is malloc'ed. */
static int gather(struct firn_export *e, struct selection *selection, int64_t **rows,
                  struct firn_error *err)
{
    struct firn_cache_stat s;
    struct firn_photo photo;
    firn_cache_stat(e->cache, &s);
    size_t n = firn_cache_rows(e->cache);
    *rows = calloc(n ? n : 1, sizeof(**rows));
    if (!*rows) {
        return firn_output_fail(err, FIRN_NOMEM, "out of memory");
    }
    int result = choose_view(selection, &s, err);
    for (size_t row = 0; row < n && result == 0; row++) {
        firn_cache_photo(e->cache, firn_cache_row(e->cache, row), &photo);
        int64_t view = (int64_t)row % s.views;
        if ((selection->view_number < 0 || selection->view_number == view) &&
            is_selected(selection, &photo)) {
            (*rows)[e->n++] = (int64_t)row;
        }
    }
    if (result) {
        return result;
    }
    if (e->n == 0 && (selection->class_name || selection->path)) {
        return firn_output_fail(err, FIRN_NOINPUT, "no photograph matches; classes and paths are "
                                                   "those that firn ls shows");
    }
    struct firn_json j = {0};
    firn_fingerprint_json(&j, NULL, firn_cache_fingerprint(e->cache));
    e->row = *rows;
    e->dim = s.dim;
    e->views = s.views;
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
                        struct selection *selection)
{
    struct firn_export e = {.cache = cache};
    struct firn_error err = {0};
    struct firn_cache_stat s;
    int64_t *rows = NULL;
    firn_cache_stat(cache, &s);
    if (s.lost_segments) {
        firn_cli_warn("nothing is exported: a part of the cache is lost; run its 'firn extract' "
                      "command again, and 'firn repair' if that is not enough");
        return FIRN_DATA;
    }
    int result = gather(&e, selection, &rows, &err);
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
    free(rows);
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
        {FIRN_OPT_TEXT, 0, "view", "N", "only this view of each: a number or center [all]",
         &selection.view, NULL},
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
        return firn_cli_usage(verb, "'%s' ends in none of .npz .npy .safetensors .csv .h5 .hdf5",
                              path);
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
    .summary = "write features and labels as .npz, .npy, .safetensors, .csv or .h5",
    .more = "Rows are in the order of torchvision's ImageFolder, views of a photograph together.\n"
            "  .npz          features f32 [N,D], labels int64 [N], paths, classes, fingerprint\n"
            "  .npy          features only; numpy can map it into memory\n"
            "  .safetensors  tensors features [N,D] and labels [N]; classes, fingerprint in\n"
            "                __metadata__\n"
            "  .csv          path, class, label, then D numbers; text that reads back exactly\n"
            "  .h5, .hdf5    HDF5: datasets as in .npz; fingerprint is an attribute\n"
            "Where photographs have several views, there are `views`, int64 [N], and in .csv a\n"
            "column `view` as well.\n",
    .min_args = 1,
    .max_args = 1,
    .run = export_verb,
};
