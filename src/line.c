/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/thread.h"
#include "trunk/trunk.h"

const char *const firn_stage_names[FIRN_STAGES] = {"scan", "read", "decode", "infer", "sink"};

/*
 * The weights of the last layers do not fit a cache and are read once a batch. On one core 8 and 16
 * take the same time per photograph; when two share the memory, 16 takes 1% less (ResNet-50: 5%),
 * and 32 no less again.
 */
#define DEFAULT_BATCH 16
#define MAX_BATCH 1024

void firn_notice(const struct firn_extract_options *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    firn_tell(o->on_notice, o->user, fmt, ap);
    va_end(ap);
}

int firn_line_check(const struct firn_extract_options *o, struct firn_error *err)
{
    int status = firn_cpu_check_threads(o->threads, err);
    if (status)
        return status;
    if (o->batch < 0 || o->batch > MAX_BATCH)
        return firn_fail(err, FIRN_USAGE, "--batch: 1 to %d", MAX_BATCH);
    if (o->resize < 0 || o->crop < 0)
        return firn_fail(err, FIRN_USAGE, "resize and crop are numbers of pixels");
    return 0;
}

static void choose_sizes(struct firn_line *l, const struct firn_extract_options *o,
                         const struct firn_recipe *recipe)
{
    struct firn_progress *p = &l->progress;
    int why;
    p->threads = o->threads ? o->threads : firn_cpu_usable_cores();
    p->batch = o->batch ? o->batch : DEFAULT_BATCH;
    p->cpu = firn_cpu_name(recipe->cpu);
    p->io = firn_read_choose(o->io, &why);
    if (why)
        firn_notice(o, "io_uring is not to be had here (%s): files are read by threads, with the "
                       "same results", strerror(-why));
    p->threads_of[FIRN_SCAN] = 1;
    p->threads_of[FIRN_READ] = p->io == FIRN_IO_URING ? 1 : FIRN_READ_THREADS;
    p->threads_of[FIRN_DECODE] = p->threads;
    p->threads_of[FIRN_INFER] = p->threads;
    p->threads_of[FIRN_SINK] = 1;
}

/*
 * A photograph's bytes live from read to decode, the rest of it from scan to sink. With a batch
 * in work and another one ready for every worker, the trunk never waits for a decoder. A photograph
 * of many views has as much memory and takes as much time as many photographs, so there are fewer.
 */
static int allocate(struct firn_line *l, const struct firn_recipe *recipe, size_t budget,
                    struct firn_error *err)
{
    const struct firn_progress *p = &l->progress;
    size_t threads = (size_t)p->threads, batch = (size_t)p->batch;
    size_t views = (size_t)firn_views_count(&recipe->spec.views);
    size_t blobs = FIRN_READ_DEPTH + FIRN_DECODE_GROUP * threads;
    size_t waiting = 2 * threads * batch + 2 * FIRN_READ_DEPTH;
    size_t items = 3 * threads + (waiting + views - 1) / views;
    int status = firn_slab_create(&l->slab, items, (int)views, recipe->spec.crop,
                                  firn_trunk_dim(recipe->trunk), err);
    if (!status)
        status = firn_arena_create(&l->arena, blobs, budget, FIRN_READ_LIMIT, err);
    if (!status)
        status = firn_twins_create(&l->twins, items, err);
    for (int s = 0; s < FIRN_STAGES && !status; s++) {
        int before = (s + FIRN_STAGES - 1) % FIRN_STAGES;
        l->ring[s] = firn_ring_create(items, (unsigned)p->threads_of[before]);
        if (!l->ring[s])
            status = firn_fail_nomem(err, "rings");
    }
    if (!status)
        firn_slab_fill(&l->slab, l->ring[FIRN_SCAN]);
    return status;
}

static void configure(struct firn_line *l, const struct firn_recipe *recipe,
                      struct firn_writer *writer)
{
    struct firn_ring **r = l->ring;
    struct firn_board *board = &l->board;
    l->read = (struct firn_read_config){
        .in = r[FIRN_READ], .out = r[FIRN_DECODE], .board = board, .arena = l->arena};
    l->decode = (struct firn_decode_config){
        .in = r[FIRN_DECODE], .out = r[FIRN_INFER], .board = board, .writer = writer,
        .twins = l->twins, .spec = recipe->spec, .cpu = recipe->cpu};
    l->infer = (struct firn_infer_config){
        .in = r[FIRN_INFER], .out = r[FIRN_SINK], .board = board, .trunk = recipe->trunk,
        .batch = l->progress.batch, .views = firn_views_count(&recipe->spec.views),
        .workers = l->progress.threads,
        .crop_bytes = firn_crop_bytes(&recipe->spec)};
    l->sink = (struct firn_sink_config){
        .in = r[FIRN_SINK], .out = r[FIRN_SCAN], .board = board, .writer = writer,
        .twins = l->twins, .items = l->slab.count};
    l->plan[FIRN_READ] = (struct firn_stage_plan){
        l->progress.io == FIRN_IO_URING ? &firn_read_uring_stage : &firn_read_threads_stage,
        &l->read, 0, NULL, NULL};
    l->plan[FIRN_DECODE] = (struct firn_stage_plan){&firn_decode_stage, &l->decode, 0, NULL, NULL};
    l->plan[FIRN_INFER] = (struct firn_stage_plan){&firn_infer_stage, &l->infer, 0, NULL, NULL};
    l->plan[FIRN_SINK] = (struct firn_stage_plan){&firn_sink_stage, &l->sink, 0, NULL, NULL};
}

int firn_line_open(struct firn_line *l, const struct firn_extract_options *options,
                   const struct firn_recipe *recipe, struct firn_writer *writer,
                   struct firn_error *err)
{
    l->began = firn_now_ns();
    choose_sizes(l, options, recipe);
    size_t budget = firn_read_budget(options->memory);
    int status = allocate(l, recipe, budget, err);
    if (status)
        return status;
    configure(l, recipe, writer);
    l->read.keep_cache = options->keep_cache;
    l->decode.whole = options->whole;
    l->progress.memory = l->slab.bytes + budget + firn_trunk_bytes(recipe->trunk);
    return 0;
}

int firn_line_begin(struct firn_line *l, const struct firn_stage_type *source, const void *config,
                    struct firn_error *err)
{
    l->plan[FIRN_SCAN] = (struct firn_stage_plan){source, config, 0, NULL, NULL};
    for (int s = 0; s < FIRN_STAGES; s++) {
        l->plan[s].threads = l->progress.threads_of[s];
        l->plan[s].in = s == FIRN_SCAN ? NULL : l->ring[s];
        l->plan[s].out = l->ring[(s + 1) % FIRN_STAGES];
    }
    int status = firn_board_create(&l->board, firn_machine_threads(l->plan), err);
    if (!status)
        status = firn_machine_create(&l->machine, l->plan, &l->board, err);
    l->progress.memory += atomic_load(&l->board.memory);
    return status;
}

/* Threads that compute or wait for a disk hold the others up; of these, who the most? */
static void find_slowest(struct firn_line *l)
{
    struct firn_progress *p = &l->progress;
    double most = -1;
    for (int s = 0; s < FIRN_STAGES; s++) {
        p->busy[s] = firn_machine_busy(l->machine, (enum firn_stage)s);
        double load = p->busy[s] + (double)l->board.waited_ns[s] * 1e-9;
        if (load / p->threads_of[s] > most) {
            most = load / p->threads_of[s];
            p->slowest = firn_stage_names[s];
        }
    }
}

void firn_line_report(struct firn_line *l)
{
    struct firn_board *board = &l->board;
    struct firn_progress *p = &l->progress;
    p->scan_done = board->scan_done; /* before found: what is final must be all */
    p->found = board->found;
    p->known = board->known;
    p->known_corrupt = board->known_corrupt;
    p->done = board->done;
    p->reused = board->reused;
    p->skipped = board->skipped;
    p->corrupt = board->corrupt;
    p->turned = board->turned;
    p->bytes_read = board->bytes_read;
    p->seconds = (double)(firn_now_ns() - l->began) * 1e-9;
    find_slowest(l);
}

void firn_line_run(const struct firn_line *l, int64_t unix_start, struct firn_run *run)
{
    const struct firn_progress *p = &l->progress;
    *run = (struct firn_run){
        .start = unix_start, .seconds = p->seconds, .done = p->done,
        .failed = p->skipped + p->corrupt, .reused = p->reused, .bytes_read = p->bytes_read,
        .threads = p->threads, .batch = p->batch};
    snprintf(run->cpu, sizeof run->cpu, "%s", p->cpu);
    snprintf(run->version, sizeof run->version, "%s", FIRN_VERSION);
    snprintf(run->slowest, sizeof run->slowest, "%s", p->slowest);
}

void firn_line_close(struct firn_line *l)
{
    firn_machine_destroy(l->machine);
    firn_board_destroy(&l->board);
    for (int s = 0; s < FIRN_STAGES; s++)
        firn_ring_destroy(l->ring[s]);
    firn_twins_destroy(l->twins);
    firn_arena_destroy(l->arena);
    firn_slab_destroy(&l->slab);
    *l = (struct firn_line){0};
}
