/* SPDX-License-Identifier: MIT */
/** `firn export`: features, labels and names into a file that other programs read. */
#include "export.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "photo.h"
#include "select.h"

/** What the options ask for. */
struct request {
    const char *path;
    struct firn_select select;
    const char *view; /* a number, or "center"; NULL: all */
};

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
        if (firn_output_ends_in(path, formats[i].ending))
            return formats[i].write;
    }
    return NULL;
}

/** Which view is meant, -1: all. FIRN_USAGE, FIRN_CONFIG: the photographs have no such view. */
static int choose_view(const char *text, const struct firn_cache_stat *stat, int *view,
                       struct firn_error *err)
{
    *view = -1;
    if (!text)
        return 0;
    if (strcmp(text, "center") == 0) {
        *view = stat->center;
        return stat->center >= 0
                   ? 0
                   : firn_output_fail(err, FIRN_CONFIG, "none of the %d random views of this cache "
                                      "is the centre crop; choose one by its number, or extract "
                                      "another cache with --views center", stat->views);
    }
    if (!firn_cli_whole(text, view) || *view >= stat->views)
        return firn_output_fail(err, FIRN_USAGE, "--view %s: the views of this cache are 0 to %d",
                                text, stat->views - 1);
    return 0;
}

/** 1, 0, or a failure. A photograph that is gone has its feature until compaction. */
static int takes(const struct firn_export *e, const struct firn_select *select, size_t i,
                 float *feature, size_t *without, struct firn_error *err)
{
    struct firn_photo photo;
    firn_cache_photo(e->cache, i, &photo);
    if (photo.state != FIRN_DONE && firn_cache_state(e->cache, i) == FIRN_DONE)
        return firn_output_fail(err, FIRN_DATA, "nothing is exported: %s", photo.reason);
    *without += firn_select_misses(select, &photo);
    if (!firn_select_takes(select, &photo))
        return 0;
    if (photo.state == FIRN_DONE)
        return 1;
    int result = firn_cache_feature_of(e->cache, photo.content, feature, err);
    return result == 0 ? 1 : result == -FIRN_NOINPUT ? 0 : result;
}

/** Finds the photographs to write, and counts in `without` those that have no feature. */
static int choose(struct firn_export *e, const struct firn_select *select, size_t *without,
                  struct firn_error *err)
{
    size_t all = firn_cache_count(e->cache), n = 0;
    float *feature = calloc((size_t)e->views, (size_t)e->dim * sizeof(*feature));
    int result = 0;
    e->chosen = calloc(1, all / 8 + 1);
    if (!e->chosen || !feature) {
        free(feature);
        return firn_output_fail(err, FIRN_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < all && result >= 0; i++) {
        if (i % FIRN_EXPORT_REMEMBERED == 0)
            firn_cache_forget(e->cache);
        result = takes(e, select, i, feature, without, err);
        if (result > 0) {
            e->chosen[i / 8] |= (uint8_t)(1u << i % 8);
            n++;
        }
    }
    free(feature);
    e->n = e->view < 0 ? n * (size_t)e->views : n;
    return result < 0 ? result : 0;
}

static int prepare(struct firn_export *e, const struct request *request, size_t *without,
                   struct firn_error *err)
{
    struct firn_cache_stat s;
    struct firn_json j = {0};
    firn_cache_stat(e->cache, &s);
    e->dim = s.dim;
    e->views = s.views;
    e->classes = s.classes;
    int result = choose_view(request->view, &s, &e->view, err);
    if (result == 0)
        result = choose(e, &request->select, without, err);
    if (result)
        return result;
    if (e->n == 0 && request->select.given.n > 0)
        return firn_output_fail(err, FIRN_NOINPUT, "no photograph that has a feature is so; 'firn "
                                                   "ls' shows label and path, 'firn ls --all' also "
                                                   "what is gone");
    firn_fingerprint_json(&j, NULL, firn_cache_fingerprint(e->cache));
    e->fingerprint = j.text;
    return j.failed ? firn_output_fail(err, FIRN_NOMEM, "out of memory") : 0;
}

static int write_file(const struct firn_export *e, const char *path, struct firn_error *err)
{
    struct firn_output out;
    int result = firn_output_begin(&out, path, err);
    if (result)
        return result;
    result = format_of(path)(e, &out, err);
    if (result) {
        firn_output_discard(&out);
        return result;
    }
    return firn_output_commit(&out, err);
}

static int export_cache(struct firn_cache *cache, const struct request *request, const char *dir)
{
    struct firn_export e = {.cache = cache};
    struct firn_error err = {0};
    size_t without = 0;
    int result = firn_cache_check(cache, &err);
    if (result == 0)
        result = prepare(&e, request, &without, &err);
    if (result == 0)
        result = write_file(&e, request->path, &err);
    if (result == 0) {
        firn_cli_note("%s: %zu feature%s of %d numbers", request->path, e.n, firn_cli_s(e.n),
                      e.dim);
        if (without)
            firn_cli_note("%zu photograph%s without feature left out; 'firn ls --failed %s' lists "
                          "%s", without, firn_cli_s(without), dir, without == 1 ? "it" : "them");
    }
    free(e.chosen);
    free(e.fingerprint);
    return result ? firn_cli_fail(&err) : FIRN_OK;
}

static int export_verb(const struct firn_verb *verb, int argc, char **argv)
{
    struct request request = {0};
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'o', "output", "OUT", "file to write, replaced if it exists", &request.path,
         NULL},
        FIRN_SELECT_OPTION(&request.select),
        {FIRN_OPT_TEXT, 0, "view", "N", "only this view of each: a number or center [all]",
         &request.view, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    if (!request.path)
        return firn_cli_usage(verb, "-o OUT is missing");
    if (!format_of(request.path))
        return firn_cli_usage(verb, "'%s' ends in none of .npz .npy .safetensors .csv .h5 .hdf5",
                              request.path);
    status = firn_select_check(verb, &request.select);
    if (status != FIRN_CLI_GO)
        return status;
    struct firn_cache *cache;
    status = firn_open_cache(&cache, argv[0]);
    if (status)
        return status;
    status = export_cache(cache, &request, argv[0]);
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
