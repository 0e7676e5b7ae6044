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
 * - src/recipe.c     weights, pixels and storage: what makes features what they are
 *
 * - src/pipeline/   the stages
 *      stage.h      the contract of a stage
 *      item.c       one photograph on its way, and the slab of all of them
 *      board.c      counters, the flag that ends a run, the way for news
 *      machine.c    threads, and the one way to end
 *      scan.c       finds photographs: roots.c (what the caller wants), imagefolder.c (the walk)
 *      read.c       whole files: read_uring.c or read_threads.c, both do the steps of read_job.c
 *      arena.c      bounded memory for the bytes of files
 *      decode.c     bytes to crops        infer.c   crops to features, in batches
 *      sink.c       outcomes to the cache, in groups
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
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/thread.h"
#include "cache/writer.h"
#include "pipeline/arena.h"
#include "pipeline/decode.h"
#include "pipeline/infer.h"
#include "pipeline/item.h"
#include "pipeline/machine.h"
#include "pipeline/read.h"
#include "pipeline/roots.h"
#include "pipeline/scan.h"
#include "pipeline/sink.h"
#include "recipe.h"
#include "trunk/trunk.h"

const char *const firn_stage_names[FIRN_STAGES] = {"scan", "read", "decode", "infer", "sink"};

/* 8 and 16 cost the same CPU time per photograph; 8 takes a tenth less memory and latency. */
#define DEFAULT_BATCH 8
#define MAX_BATCH 1024
#define MAX_THREADS 1024
#define REPORT_NS 200000000

/* One extraction, from the arguments to the result. */
struct extraction {
    const struct firn_extract_options *options;
    struct firn_roots roots;
    struct firn_recipe recipe;
    struct firn_writer *writer;

    /* the line */
    struct firn_board board;
    struct firn_ring *ring[FIRN_STAGES]; /* into each stage; into the scan: free items */
    struct firn_slab slab;
    struct firn_arena *arena;
    struct firn_scan_config scan;
    struct firn_read_config read;
    struct firn_decode_config decode;
    struct firn_infer_config infer;
    struct firn_sink_config sink;
    struct firn_stage_plan plan[FIRN_STAGES];
    struct firn_machine *machine;

    /* the report */
    struct firn_progress progress;
    uint64_t cache_bytes; /* on disk, before */
    int64_t began, reported;
    int64_t unix_time;
};

static void notice(const struct firn_extract_options *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void notice(const struct firn_extract_options *o, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    if (!o->on_notice)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    o->on_notice(o->user, text);
}

/* ---- the arguments ---- */

static int check_options(const struct firn_extract_options *o, struct firn_error *err)
{
    if (!o->model || !o->cache)
        return firn_fail(err, FIRN_USAGE, "a model and a cache are needed");
    if (!o->n_paths && !o->files_from)
        return firn_fail(err, FIRN_USAGE, "no photographs are given");
    if (o->threads < 0 || o->threads > MAX_THREADS)
        return firn_fail(err, FIRN_USAGE, "threads: 1 to %d", MAX_THREADS);
    if (o->batch < 0 || o->batch > MAX_BATCH)
        return firn_fail(err, FIRN_USAGE, "batch: 1 to %d", MAX_BATCH);
    if (o->resize < 0 || o->crop < 0)
        return firn_fail(err, FIRN_USAGE, "resize and crop are numbers of pixels");
    return 0;
}

/* A cache inside a walked directory would be a class of its own there, from the second run on. */
static int check_place(const struct extraction *x, struct firn_error *err)
{
    char given[PATH_MAX], real[PATH_MAX];
    size_t n = strlen(x->options->cache);
    while (n > 1 && x->options->cache[n - 1] == '/')
        n--;
    snprintf(given, sizeof given, "%.*s", (int)n, x->options->cache);
    if (!realpath(given, real) && !firn_absolute(given, real))
        return firn_fail(err, FIRN_CANTCREATE, "%s: the name is too long", x->options->cache);
    for (size_t i = 0; i < x->roots.n; i++) {
        const char *root = x->roots.root[i].path;
        size_t k = strlen(root);
        if (strncmp(real, root, k) == 0 && (real[k] == '/' || real[k] == '\0' || k == 1))
            return firn_fail(err, FIRN_USAGE,
                             "%s: lies inside %s, where it would be taken for a class of "
                             "photographs; put the cache elsewhere", x->options->cache, root);
    }
    return 0;
}

static int open_cache(struct extraction *x, struct firn_error *err)
{
    const struct firn_extract_options *o = x->options;
    struct firn_roots *roots = &x->roots;
    int status = firn_writer_open(&x->writer, o->cache, &x->recipe.fingerprint,
                                  firn_trunk_dim(x->recipe.trunk), o->store, err);
    char doubt[256];
    for (size_t i = 0; !status && firn_writer_doubt(x->writer, i, doubt); i++)
        notice(o, "%.500s: %s; what it held is computed again", o->cache, doubt);
    for (size_t i = 0; i < roots->n && !status; i++)
        status = firn_writer_root(x->writer, roots->root[i].path,
                                  (const char *const *)roots->root[i].classes,
                                  roots->root[i].n_classes, &roots->root[i].id, err);
    if (!status && (roots->n_files || o->files_from))
        status = firn_writer_root(x->writer, "", NULL, 0, &roots->files_id, err);
    return status;
}

/* ---- the line ---- */

static void choose_sizes(struct extraction *x)
{
    const struct firn_extract_options *o = x->options;
    struct firn_progress *p = &x->progress;
    int why;
    p->threads = o->threads ? o->threads : firn_cpu_usable_cores();
    p->batch = o->batch ? o->batch : DEFAULT_BATCH;
    p->cpu = firn_cpu_name(x->recipe.cpu);
    p->io = firn_read_choose(o->io, &why);
    if (why)
        notice(o, "io_uring is not to be had here (%s): files are read by threads, with the "
                  "same results", strerror(-why));
    p->threads_of[FIRN_SCAN] = 1;
    p->threads_of[FIRN_READ] = p->io == FIRN_IO_URING ? 1 : FIRN_READ_THREADS;
    p->threads_of[FIRN_DECODE] = p->threads;
    p->threads_of[FIRN_INFER] = p->threads;
    p->threads_of[FIRN_SINK] = 1;
}

/*
 * A photograph's bytes live from read to decode, the rest of it from scan to sink. With a batch
 * in work and another one ready for every worker, the trunk never waits for a decoder.
 */
static int allocate(struct extraction *x, struct firn_error *err)
{
    const struct firn_progress *p = &x->progress;
    size_t threads = (size_t)p->threads, batch = (size_t)p->batch;
    size_t blobs = FIRN_READ_DEPTH + 2 * threads;
    size_t items = blobs + threads + 2 * threads * batch + FIRN_READ_DEPTH;
    int status = firn_slab_create(&x->slab, items, x->recipe.spec.crop,
                                  firn_trunk_dim(x->recipe.trunk), err);
    if (!status)
        status = firn_arena_create(&x->arena, blobs, FIRN_READ_BUDGET, FIRN_READ_LIMIT, err);
    for (int s = 0; s < FIRN_STAGES && !status; s++) {
        int before = (s + FIRN_STAGES - 1) % FIRN_STAGES;
        x->ring[s] = firn_ring_create(items, (unsigned)p->threads_of[before]);
        if (!x->ring[s])
            status = firn_fail_nomem(err, "rings");
    }
    if (!status)
        firn_slab_fill(&x->slab, x->ring[FIRN_SCAN]);
    return status;
}

static void configure(struct extraction *x)
{
    struct firn_ring **r = x->ring;
    struct firn_board *board = &x->board;
    const struct firn_extract_options *o = x->options;
    x->scan = (struct firn_scan_config){
        .in = r[FIRN_SCAN], .out = r[FIRN_READ], .board = board, .writer = x->writer,
        .roots = &x->roots, .list = o->files_from, .zero = o->zero};
    x->read = (struct firn_read_config){
        .in = r[FIRN_READ], .out = r[FIRN_DECODE], .board = board, .arena = x->arena};
    x->decode = (struct firn_decode_config){
        .in = r[FIRN_DECODE], .out = r[FIRN_INFER], .board = board, .writer = x->writer,
        .spec = x->recipe.spec, .cpu = x->recipe.cpu};
    x->infer = (struct firn_infer_config){
        .in = r[FIRN_INFER], .out = r[FIRN_SINK], .board = board, .trunk = x->recipe.trunk,
        .batch = x->progress.batch};
    x->sink = (struct firn_sink_config){
        .in = r[FIRN_SINK], .out = r[FIRN_SCAN], .board = board, .writer = x->writer};
    x->plan[FIRN_SCAN] = (struct firn_stage_plan){&firn_scan_stage, &x->scan, 0, NULL, NULL};
    x->plan[FIRN_READ] = (struct firn_stage_plan){
        x->progress.io == FIRN_IO_URING ? &firn_read_uring_stage : &firn_read_threads_stage,
        &x->read, 0, NULL, NULL};
    x->plan[FIRN_DECODE] = (struct firn_stage_plan){&firn_decode_stage, &x->decode, 0, NULL, NULL};
    x->plan[FIRN_INFER] = (struct firn_stage_plan){&firn_infer_stage, &x->infer, 0, NULL, NULL};
    x->plan[FIRN_SINK] = (struct firn_stage_plan){&firn_sink_stage, &x->sink, 0, NULL, NULL};
    for (int s = 0; s < FIRN_STAGES; s++) {
        x->plan[s].threads = x->progress.threads_of[s];
        x->plan[s].in = s == FIRN_SCAN ? NULL : r[s];
        x->plan[s].out = r[(s + 1) % FIRN_STAGES];
    }
}

static int build_line(struct extraction *x, struct firn_error *err)
{
    choose_sizes(x);
    int status = allocate(x, err);
    if (status)
        return status;
    configure(x);
    status = firn_board_create(&x->board, firn_machine_threads(x->plan), err);
    if (!status)
        status = firn_machine_create(&x->machine, x->plan, &x->board, err);
    x->progress.memory = x->slab.bytes + FIRN_READ_BUDGET + firn_trunk_bytes(x->recipe.trunk) +
                         atomic_load(&x->board.memory);
    return status;
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

/* Threads that compute or wait for a disk hold the others up; of these, who the most? */
static void find_slowest(struct extraction *x)
{
    struct firn_progress *p = &x->progress;
    double most = -1;
    for (int s = 0; s < FIRN_STAGES; s++) {
        p->busy[s] = firn_machine_busy(x->machine, (enum firn_stage)s);
        double load = p->busy[s] + (double)x->board.waited_ns[s] * 1e-9;
        if (load / p->threads_of[s] > most) {
            most = load / p->threads_of[s];
            p->slowest = firn_stage_names[s];
        }
    }
}

static void report(struct extraction *x)
{
    struct firn_board *board = &x->board;
    struct firn_progress *p = &x->progress;
    uint64_t bytes = cache_bytes(x->options->cache);
    p->scan_done = board->scan_done; /* before found: what is final must be all */
    p->found = board->found;
    p->known = board->known;
    p->known_corrupt = board->known_corrupt;
    p->done = board->done;
    p->reused = board->reused;
    p->skipped = board->skipped;
    p->corrupt = board->corrupt;
    p->bytes_read = board->bytes_read;
    p->bytes_written = bytes > x->cache_bytes ? bytes - x->cache_bytes : 0;
    p->seconds = (double)(firn_now_ns() - x->began) * 1e-9;
    find_slowest(x);
    if (x->options->on_progress)
        x->options->on_progress(x->options->user, p);
}

static void on_tick(void *user)
{
    struct extraction *x = user;
    int64_t now = firn_now_ns();
    if (x->options->stop && __atomic_load_n(x->options->stop, __ATOMIC_RELAXED))
        firn_board_halt(&x->board);
    if (now - x->reported < REPORT_NS)
        return;
    x->reported = now;
    report(x);
}

static void on_news(void *user, const struct firn_news *news)
{
    const struct firn_extract_options *o = ((struct extraction *)user)->options;
    if (!news->state)
        notice(o, "%s", news->text);
    else if (o->on_failure)
        o->on_failure(o->user, news->path, (enum firn_state)news->state, news->text);
}

/* A run that found nothing to do leaves no trace. */
static int record_run(struct extraction *x, struct firn_error *err)
{
    const struct firn_progress *p = &x->progress;
    if (p->done + p->skipped + p->corrupt == 0)
        return 0;
    struct firn_run run = {
        .start = x->unix_time, .seconds = p->seconds, .done = p->done,
        .failed = p->skipped + p->corrupt, .reused = p->reused, .bytes_read = p->bytes_read,
        .threads = p->threads, .batch = p->batch};
    snprintf(run.cpu, sizeof run.cpu, "%s", p->cpu);
    snprintf(run.version, sizeof run.version, "%s", FIRN_VERSION);
    snprintf(run.slowest, sizeof run.slowest, "%s", p->slowest);
    return firn_writer_run(x->writer, &run, err);
}

/* ---- all of it ---- */

static int work(struct extraction *x, struct firn_error *err)
{
    const struct firn_machine_events events = {x, on_news, on_tick};
    if (x->recipe.untrained)
        notice(x->options, "%s: seeded random weights, for trying only", x->options->model);
    x->cache_bytes = cache_bytes(x->options->cache);
    int status = firn_machine_run(x->machine, &events, err);
    find_slowest(x);
    return status;
}

static int verdict(const struct extraction *x, struct firn_error *err)
{
    const struct firn_progress *p = &x->progress;
    uint64_t failed = p->skipped + p->corrupt + p->known_corrupt;
    if (!p->scan_done || x->board.dropped)
        return firn_fail(err, FIRN_INTERRUPTED, "stopped; what was acknowledged is kept");
    if (p->found + failed == 0)
        return firn_fail(err, FIRN_NOINPUT, "%s: no photographs found; a directory with files or "
                         "sub-directories of .jpg is wanted",
                         x->options->n_paths ? x->options->paths[0] : x->options->files_from);
    if (failed)
        return firn_fail(err, FIRN_PARTIAL, "%llu photographs failed", (unsigned long long)failed);
    return 0;
}

static void discard(struct extraction *x)
{
    firn_machine_destroy(x->machine);
    firn_board_destroy(&x->board);
    for (int s = 0; s < FIRN_STAGES; s++)
        firn_ring_destroy(x->ring[s]);
    firn_arena_destroy(x->arena);
    firn_slab_destroy(&x->slab);
    firn_recipe_close(&x->recipe);
    firn_roots_clear(&x->roots);
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
        (status = check_place(x, err)) || (status = firn_recipe_open(&x->recipe, o, err)) ||
        (status = open_cache(x, err)))
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
    int closed = firn_writer_close(x->writer, status ? NULL : err);
    x->writer = NULL;
    report(x);
    if (result)
        *result = x->progress;
    return status ? status : closed ? closed : verdict(x, err);
}

int firn_extract(const struct firn_extract_options *options, struct firn_progress *result,
                 struct firn_error *err)
{
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
