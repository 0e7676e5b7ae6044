/* SPDX-License-Identifier: MIT */
/**
 * Where everything comes together: firn_extract(), the only place that knows all stages.
 *
 * The way of the data, each box a stage with its threads, each arrow a ring (base/ring.h):
 *
 *      scan -> read -> decode xN -> infer xN -> sink
 *        ^                                       |
 *        '------------- free items --------------'
 *
 * The map:
 *
 * - include/firn/   what a program that embeds firn sees.
 *
 * - src/line.c       the stages behind the source, wired: what watch and extract share
 * - src/recipe.c     weights, pixels and storage: what makes features what they are
 * - src/batches.c    the same job with statistics per batch, without the line
 *
 * - src/pipeline/   the stages
 *      stage.h      the contract of a stage
 *      item.c       one photograph on its way, and the slab of all of them
 *      board.c      counters, the flag that ends a run, the way for news
 *      machine.c    threads, and the one way to end
 *      scan.c       finds photographs: roots.c (what the caller wants), imagefolder.c (the walk),
 *                   names.c (a list)
 *      follow.c     the source of the daemon: names from feed.c; offer.c: what both sources do
 *      read.c       whole files: read_uring.c or read_threads.c, both do the steps of read_job.c
 *      arena.c      bounded memory for the bytes of files
 *      cell.c       decoders in processes of their own: cell_child.c, cell_filter.c
 *      decode.c     bytes to crops        infer.c   crops to features, in batches
 *      sink.c       outcomes to the cache, in groups; twins.c: same bytes at the same time
 *
 * - src/bn/         BatchNorm statistics
 *      photos.c     a list of photographs in order     tree.c   sums whose order is fixed
 *      engine.c     a team of threads, each with a decoder and a layered trunk
 *      estimate.c   from the options to the file: train.c (with batch.c: training mode; shard.c:
 *                   parts and their merge) or sequential.c (with store.c: activations kept)
 *      compare.c    statistics opened, compared, applied
 *
 * - src/daemon.c    firn_watch_start(): the line, whenever src/watch/ has noticed photographs
 *      dirs.c       inotify            settle.c  files that may still be growing
 *      watcher.c    events             finder.c  walks; ignore.c, gate.c
 *
 * - src/image/      bytes to a crop, as Pillow and torchvision make it (image.h)
 * - src/model/      weight files and the ResNet family as data (model.h)
 * - src/trunk/      crops to features: convolutions for each instruction set (trunk.h)
 * - src/cache/      the directory of features: FORMAT.md, the writer (writer.h) and the reader
 * - src/base/       errors, memory, rings, threads, hashes, CPU features, JSON
 * - tools/          the `firn` program, one file per verb; uses include/ only
 * - tests/          one file per module
 */
#include "firn/extract.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread.h"
#include "batches.h"
#include "cache/writer.h"
#include "line.h"
#include "pipeline/machine.h"
#include "pipeline/roots.h"
#include "pipeline/scan.h"
#include "recipe.h"
#include "trunk/trunk.h"

#define REPORT_NS 200000000
#define TICK_NS 50000000 /* how late `stop` may be seen */

/* One extraction, from the arguments to the result. */
struct extraction {
    const struct firn_extract_options *options;
    struct firn_roots roots;
    struct firn_recipe recipe;
    struct firn_writer *writer;
    struct firn_line line;
    struct firn_scan_config scan;
    struct firn_names *names; /* the list, or NULL */

    /* the report */
    uint64_t cache_bytes; /* on disk, before */
    int64_t began, reported;
    int64_t unix_time;
};

/* ---- the arguments ---- */

static int check_options(const struct firn_extract_options *o, struct firn_error *err)
{
    if (!o->model || !o->cache)
        return firn_fail(err, FIRN_USAGE, "a model and a cache are needed");
    if (!o->n_paths && !o->files_from)
        return firn_fail(err, FIRN_USAGE, "no photographs are given");
    return firn_line_check(o, err);
}

/* ---- the line ---- */

static int build_line(struct extraction *x, struct firn_error *err)
{
    const struct firn_extract_options *o = x->options;
    struct firn_line *line = &x->line;
    int status = firn_line_open(line, o, &x->recipe, x->writer, err);
    if (status)
        return status;
    line->began = x->began;
    x->scan = (struct firn_scan_config){
        .offer = {line->ring[FIRN_SCAN], line->ring[FIRN_READ], &line->board, x->writer, false},
        .roots = &x->roots, .names = x->names};
    return firn_line_begin(line, &firn_scan_stage, &x->scan, err);
}

/* ---- the report ---- */

static uint64_t cache_bytes(const char *path)
{
    struct stat st;
    struct dirent *entry;
    uint64_t bytes = 0;
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    if (dir)
        closedir(dir);
    return bytes;
}

static void report(struct extraction *x)
{
    struct firn_progress *p = &x->line.progress;
    uint64_t bytes = cache_bytes(x->options->cache);
    firn_line_report(&x->line);
    p->bytes_written = bytes > x->cache_bytes ? bytes - x->cache_bytes : 0;
    if (x->options->on_progress)
        x->options->on_progress(x->options->user, p);
}

static int64_t on_tick(void *user)
{
    struct extraction *x = user;
    int64_t now = firn_now_ns();
    if (firn_is_set(x->options->stop))
        firn_board_halt(&x->line.board);
    if (now - x->reported >= REPORT_NS) {
        x->reported = now;
        report(x);
    }
    return TICK_NS;
}

static void on_news(void *user, const struct firn_news *news)
{
    const struct firn_extract_options *o = ((struct extraction *)user)->options;
    if (news->state <= 0)
        firn_notice(o, "%s", news->text);
    else if (o->on_failure)
        o->on_failure(o->user, news->path, (enum firn_state)news->state, news->text);
}

/* A run that found nothing new leaves no trace. */
static int record_run(struct extraction *x, struct firn_error *err)
{
    struct firn_run run;
    if (firn_writer_news(x->writer) == 0)
        return 0;
    firn_line_run(&x->line, x->unix_time, &run);
    return firn_writer_run(x->writer, &run, err);
}

/* ---- all of it ---- */

static int work(struct extraction *x, struct firn_error *err)
{
    const struct firn_machine_events events = {x, on_news, on_tick};
    if (x->recipe.untrained)
        firn_notice(x->options, "%s: seeded random weights, for trying only", x->options->model);
    x->cache_bytes = cache_bytes(x->options->cache);
    return firn_machine_run(x->line.machine, &events, err);
}

static int fail_stopped(struct firn_error *err)
{
    return firn_fail(err, FIRN_INTERRUPTED, "stopped; what was acknowledged is kept");
}

static int fail_empty(const struct extraction *x, struct firn_error *err)
{
    const struct firn_extract_options *o = x->options;
    return firn_fail_empty(o->n_paths ? o->paths[0] : NULL, o->files_from, err);
}

static bool is_stopped(void *extraction)
{
    return firn_is_set(((struct extraction *)extraction)->options->stop);
}

/* A directory by mistake, or a list without names, is no reason to begin a cache. */
static int check_not_empty(struct extraction *x, struct firn_error *err)
{
    bool any = x->roots.n_files || access(x->options->cache, F_OK) == 0;
    int status = any ? 0 : firn_scan_any(&x->roots, &any, err);
    if (!status && !any && x->names) {
        int next = firn_names_peek(x->names, is_stopped, x, err);
        if (next < 0 || (next == FIRN_NAMES_END && is_stopped(x)))
            return next < 0 ? next : fail_stopped(err);
        any = next > 0;
    }
    return status ? status : any ? 0 : fail_empty(x, err);
}

static int verdict(const struct extraction *x, struct firn_error *err)
{
    const struct firn_progress *p = &x->line.progress;
    uint64_t failed = p->skipped + p->corrupt + p->known_corrupt;
    if (!p->scan_done || x->line.board.dropped)
        return fail_stopped(err);
    if (p->found + failed == 0)
        return fail_empty(x, err);
    if (failed)
        return firn_fail(err, FIRN_PARTIAL, "%llu photographs failed", (unsigned long long)failed);
    return 0;
}

static void discard(struct extraction *x)
{
    firn_line_close(&x->line);
    firn_recipe_close(&x->recipe);
    firn_roots_clear(&x->roots);
    firn_names_close(x->names);
    free(x);
}

static int prepare(struct extraction *x, struct firn_error *err)
{
    const struct firn_extract_options *o = x->options;
    int status;
    x->began = firn_now_ns();
    x->unix_time = time(NULL);
    if ((status = check_options(o, err)) ||
        (status = firn_roots_resolve(&x->roots, o->paths, o->n_paths, err)) ||
        (status = firn_roots_refuse(&x->roots, o->cache, err)) ||
        (o->files_from && (status = firn_names_open(&x->names, o->files_from, o->zero, err))) ||
        (status = firn_recipe_open(&x->recipe, o, err)) || (status = check_not_empty(x, err)) ||
        (status = firn_recipe_cache(&x->recipe.fingerprint, firn_trunk_dim(x->recipe.trunk), o, 0,
                                    &x->roots, &x->writer, err)))
        return status;
    return build_line(x, err);
}

/* Work, then the record of it; the first failure wins, the cache is closed in any case. */
static int carry_out(struct extraction *x, struct firn_progress *result, struct firn_error *err)
{
    int status = work(x, err);
    report(x);
    if (!status)
        status = record_run(x, err);
    int closed = status || firn_is_set(x->options->stop)
                     ? firn_writer_close(x->writer, status ? NULL : err)
                     : firn_writer_finish(x->writer, err);
    x->writer = NULL;
    report(x);
    if (result)
        *result = x->line.progress;
    return status ? status : closed ? closed : verdict(x, err);
}

int firn_extract(const struct firn_extract_options *options, struct firn_progress *result,
                 struct firn_error *err)
{
    if (firn_batches_wanted(options))
        return firn_batches_extract(options, result, err);
    struct extraction *x = calloc(1, sizeof *x);
    if (!x)
        return firn_fail_nomem(err, "an extraction");
    x->options = options;
    int status = prepare(x, err);
    if (status)
        firn_writer_close(x->writer, NULL);
    else
        status = carry_out(x, result, err);
    discard(x);
    return status;
}
