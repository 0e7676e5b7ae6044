/* SPDX-License-Identifier: MIT */
#include "recipe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "cache/fingerprint.h"
#include "line.h"
#include "model/stats.h"
#include "pipeline/classes.h"

void firn_recipe_store(struct firn_fingerprint *fp, enum firn_store store)
{
    char *numeric = fp->part[FIRN_PART_NUMERIC];
    size_t n = strlen(numeric);
    snprintf(numeric + n, sizeof fp->part[0] - n, "%sstore=%s", n ? " " : "",
             store == FIRN_STORE_F16 ? "f16" : "f32");
}

/*
 * Statistics that were estimated under another fingerprint are refused, with the difference. They
 * come from centre crops and serve all views: the same layers see all of them.
 */
static int check_statistics(const struct firn_recipe *r, const struct firn_stats *stats,
                            const char *path, struct firn_error *err)
{
    struct firn_fingerprint theirs = {0}, ours = {0};
    char text[600], options[200];
    snprintf(theirs.part[FIRN_PART_PREPROCESS], sizeof theirs.part[0], "%s",
             firn_stats_get(stats, "preprocess"));
    struct firn_image_spec spec = r->spec;
    spec.views = (struct firn_views){0};
    int status = firn_image_fingerprint(&spec, &ours, err);
    if (status)
        return status;
    if (firn_fingerprint_brief(&theirs, &ours, "in the statistics", "in this run", text,
                               sizeof text) == 0)
        return 0;
    return firn_fail(err, FIRN_CONFIG, "%s: estimated with another preprocessing: %s%s%s", path,
                     text, firn_fingerprint_options(&theirs, &ours, options, sizeof options)
                               ? "; it was made with " : "", options);
}

static int use_statistics(struct firn_recipe *r, struct firn_model *model, const char *path,
                          struct firn_error *err)
{
    struct firn_stats *stats;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return firn_fail(err, FIRN_NOINPUT, "--bn %.500s: there is no such file; it is frozen, "
                         "batch:N or a file that firn bn estimate has written", path);
    int status = firn_stats_read(&stats, path, err);
    if (status)
        return status;
    firn_model_settle(model);
    if (!(status = firn_stats_match(stats, model, path, err)) &&
        !(status = check_statistics(r, stats, path, err)))
        firn_model_adopt(model, stats);
    firn_stats_free(stats);
    return status;
}

/* All that is wanted of the model; it is not needed behind this. */
static int use_model(struct firn_recipe *r, struct firn_model *model,
                     const struct firn_extract_options *o, struct firn_error *err)
{
    const struct firn_model_info *info = firn_model_info(model);
    r->untrained = info->untrained;
    r->spec.resize = o->resize ? o->resize : info->resize;
    r->spec.crop = o->crop ? o->crop : info->crop;
    r->spec.turn = o->turn;
    r->spec.fast = o->fast;
    int status = firn_views_parse(&r->spec.views, o->views, err);
    if (!status)
        status = firn_image_fingerprint(&r->spec, &r->fingerprint, err);
    if (!status && o->bn && strncmp(o->bn, "batch:", 6) == 0)
        status = firn_fail(err, FIRN_INTERNAL, "batches have no fingerprint without photographs");
    else if (!status && o->bn && strcmp(o->bn, "frozen") != 0)
        status = use_statistics(r, model, o->bn, err);
    if (!status)
        status = firn_trunk_create(&r->trunk, model, r->spec.crop, r->cpu,
                                   o->memory == FIRN_MEMORY_SMALL, err);
    if (status)
        return status;
    firn_model_settle(model); /* packing did not have to wait for it */
    firn_model_fingerprint(model, &r->fingerprint);
    return 0;
}

int firn_recipe_open(struct firn_recipe *r, const struct firn_extract_options *o,
                     struct firn_error *err)
{
    struct firn_model *model;
    *r = (struct firn_recipe){0};
    int cpu = firn_cpu_choose(o->cpu);
    if (cpu < 0)
        return firn_fail(err, FIRN_USAGE, "%s: no such instruction set on this machine", o->cpu);
    r->cpu = (enum firn_cpu)cpu;
    int status = firn_model_begin(&model, o->model, err);
    if (status)
        return status;
    status = use_model(r, model, o, err);
    firn_model_close(model); /* the trunk has its own, packed weights */
    if (status)
        return status;
    firn_trunk_fingerprint(r->trunk, &r->fingerprint);
    firn_recipe_store(&r->fingerprint, o->store);
    return 0;
}

void firn_recipe_close(struct firn_recipe *recipe)
{
    firn_trunk_destroy(recipe->trunk);
    recipe->trunk = NULL;
}

static int declare(struct firn_writer *writer, const struct firn_extract_options *o,
                   struct firn_scan_root *root, bool hold, struct firn_error *err)
{
    char sub[NAME_MAX + 1], news[1024];
    if (root->empty && firn_writer_knows_root(writer, root->path, &root->id)) {
        firn_notice(o, "%.700s: holds nothing now; what the cache has of it stays", root->path);
        return 0;
    }
    if (hold)
        firn_classes_hold(root, writer, sub); /* the watcher says so */
    if (firn_classes_shift(root, writer, news))
        firn_notice(o, "%s", news);
    return firn_writer_root(writer, root->path, (const char *const *)root->classes,
                            root->n_classes, &root->id, err);
}

/* Directories of earlier runs that have vanished: unmounted, removed, or moved and named anew. */
static void tell_absent(struct firn_writer *writer, const struct firn_extract_options *o)
{
    const char *path;
    for (uint32_t i = 0; (path = firn_writer_root_path(writer, i)); i++) {
        bool absent = *path && access(path, F_OK) != 0 && errno == ENOENT;
        size_t n = absent ? firn_writer_root_count(writer, i) : 0;
        if (n)
            firn_notice(o, "%.300s: is not there now, but the cache has %zu photograph%s of it, "
                        "listed and exported; if it was moved, firn compact --forget %.300s %.300s "
                        "drops what it has", path, n, n == 1 ? "" : "s", path, o->cache);
    }
}

int firn_recipe_cache(const struct firn_fingerprint *fp, int dim,
                      const struct firn_extract_options *o, int lock, struct firn_roots *roots,
                      struct firn_writer **writer, struct firn_error *err)
{
    struct firn_writer_settings settings = {
        .allow_network = o->allow_network_fs, .lock = lock, .stop = o->stop};
    struct firn_views views;
    *writer = NULL;
    int status = firn_views_parse(&views, o->views, err);
    settings.views = firn_views_count(&views);
    if (!status)
        status = firn_writer_open_with(writer, o->cache, fp, settings.views * dim, o->store,
                                       &settings, err);
    char doubt[256];
    for (size_t i = 0; !status && firn_writer_doubt(*writer, i, doubt); i++)
        firn_notice(o, "%.500s: %s; what it held is computed again", o->cache, doubt);
    for (size_t i = 0; i < roots->n && !status; i++)
        status = declare(*writer, o, &roots->root[i], roots->hold, err);
    if (!status)
        tell_absent(*writer, o);
    if (!status && (roots->n_files || o->files_from))
        status = firn_writer_root(*writer, "", NULL, 0, &roots->files_id, err);
    return status;
}

int firn_extract_fingerprint(const struct firn_extract_options *options,
                             struct firn_fingerprint *fingerprint, struct firn_error *err)
{
    struct firn_recipe recipe;
    int status = firn_recipe_open(&recipe, options, err);
    if (!status)
        *fingerprint = recipe.fingerprint;
    firn_recipe_close(&recipe);
    return status;
}
