/* SPDX-License-Identifier: MIT */
/**
 * The daemon's job (firn/watch.h): a cache that is kept open, a watcher that feeds names, and a
 * line of stages that stands while there is work.
 *
 *     watcher (src/watch) -> feed -> [ follow -> read -> decode xN -> infer xN -> sink ]
 *
 * What is in brackets, and the model, exists from the first name to --idle-unload seconds after the
 * last one; then all its memory goes back to the system. Without work there is nothing but threads
 * that sleep.
 */
#include "firn/watch.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread.h"
#include "daemon.h"
#include "pipeline/read_job.h"

/* After a failure that may pass, such as a full disk: no load, and soon enough. */
#define RETRY_NS 15000000000

/* While the line stands: how often the report is brought up to date. */
#define TICK_NS 1000000000

/* How soon the gate is noticed to open or close. */
#define GATE_NS 5000000000

/* Without work the line's thread must not wake up: the next news brings the next tick. */
#define SLEEP_NS 3600000000000

/* ---- callbacks ---- */

static void on_notice(void *user, const char *text)
{
    struct firn_watch *w = user;
    pthread_mutex_lock(&w->talk);
    firn_notice(&w->options.extract, "%s", text);
    pthread_mutex_unlock(&w->talk);
}

static void on_news(void *user, const struct firn_news *news)
{
    struct firn_watch *w = user;
    const struct firn_extract_options *o = &w->options.extract;
    if (news->state == FIRN_NEWS_WORK)
        return;
    if (!news->state) {
        on_notice(w, news->text);
    } else if (strcmp(news->text, firn_read_changed) == 0) {
        firn_watcher_again(w->watcher, news->path); /* somebody is at it: no failure yet */
    } else if (o->on_failure) {
        pthread_mutex_lock(&w->talk);
        o->on_failure(o->user, news->path, (enum firn_state)news->state, news->text);
        pthread_mutex_unlock(&w->talk);
    }
}

/* Photographs a second over the last ticks. The mutex is held. */
static void measure_rate(struct firn_watch *w, uint64_t decided)
{
    unsigned kept = w->ticks < FIRN_RATE_TICKS ? w->ticks : FIRN_RATE_TICKS;
    if (kept) {
        uint64_t oldest = w->rate_done[(w->ticks - kept) % FIRN_RATE_TICKS];
        w->rate = (double)(decided - oldest) / (kept * (TICK_NS * 1e-9));
    }
    w->rate_done[w->ticks++ % FIRN_RATE_TICKS] = decided;
}

static int64_t on_tick(void *user)
{
    struct firn_watch *w = user;
    firn_line_report(&w->line);
    if (firn_board_halted(&w->line.board)) /* a stage has failed: its source would sleep on */
        firn_feed_stir(w->feed, true);
    const struct firn_progress *p = &w->line.progress;
    pthread_mutex_lock(&w->mutex);
    w->now = (struct firn_watch_totals){p->done,    p->reused,     p->skipped,
                                        p->corrupt, p->bytes_read, {0}};
    memcpy(w->now.busy, p->busy, sizeof w->now.busy);
    bool idle = firn_watch_under_way(w) == 0 && firn_feed_count(w->feed) == 0;
    if (!idle)
        measure_rate(w, p->done + p->skipped + p->corrupt);
    pthread_mutex_unlock(&w->mutex);
    return idle ? SLEEP_NS : TICK_NS;
}

/* The mutex is held. */
static void hold(struct firn_watch *w)
{
    firn_feed_hold(w->feed, w->paused || w->closed[0]);
}

static void on_watcher_tick(void *user)
{
    struct firn_watch *w = user;
    char why[128], news[160] = "";
    bool open = firn_gate_open(&w->gate, "", firn_gate_minute(), why);
    pthread_mutex_lock(&w->mutex);
    if (open != !w->closed[0])
        snprintf(news, sizeof news, "%s%s", open ? "going on" : "waiting ", why);
    memcpy(w->closed, why, sizeof w->closed);
    hold(w);
    pthread_mutex_unlock(&w->mutex);
    if (news[0])
        on_notice(w, news);
}

/* ---- the line ---- */

static int load(struct firn_watch *w, struct firn_error *err)
{
    if (w->recipe.trunk)
        return 0;
    int status = firn_recipe_open(&w->recipe, &w->options.extract, err);
    if (!status && memcmp(&w->recipe.fingerprint, &w->fingerprint, sizeof w->fingerprint) != 0)
        status = firn_fail(err, FIRN_CONFIG, "%s: is not what it was at the start; restart, with "
                           "another cache if it is meant to be", w->options.extract.model);
    pthread_mutex_lock(&w->mutex);
    w->loaded = !status;
    w->loads += !status;
    pthread_mutex_unlock(&w->mutex);
    return status;
}

static void unload(struct firn_watch *w)
{
    firn_recipe_close(&w->recipe);
    malloc_trim(0);
    pthread_mutex_lock(&w->mutex);
    w->loaded = false;
    pthread_mutex_unlock(&w->mutex);
}

static int64_t idle_ns(const struct firn_watch *w)
{
    return (int64_t)w->options.idle_unload_seconds * 1000000000;
}

static int open_line(struct firn_watch *w, struct firn_error *err)
{
    struct firn_line *line = &w->line;
    int status = firn_line_open(line, &w->options.extract, &w->recipe, w->writer, err);
    if (status)
        return status;
    line->read.follows = true;
    line->sink.eager = true;
    line->decode.warden = w->warden;
    w->follow = (struct firn_follow_config){
        .offer = {line->ring[FIRN_SCAN], line->ring[FIRN_READ], &line->board, w->writer, true},
        .feed = w->feed, .idle_ns = idle_ns(w), .cpu_percent = w->options.cpu_percent};
    return firn_line_begin(line, &firn_follow_stage, &w->follow, err);
}

/* From here on others may look at the line, and end it. */
static void show_line(struct firn_watch *w)
{
    pthread_mutex_lock(&w->mutex);
    w->live = true;
    w->ticks = 0;
    w->trouble[0] = '\0';
    if (w->stopping)
        firn_board_halt(&w->line.board);
    pthread_mutex_unlock(&w->mutex);
}

/* The line is gone; what it did is added up. */
static void hide_line(struct firn_watch *w)
{
    pthread_mutex_lock(&w->mutex);
    if (w->line.board.last_done)
        w->last_success = w->line.board.last_done;
    w->live = false;
    w->before.done += w->now.done;
    w->before.reused += w->now.reused;
    w->before.skipped += w->now.skipped;
    w->before.corrupt += w->now.corrupt;
    w->before.bytes_read += w->now.bytes_read;
    for (int s = 0; s < FIRN_STAGES; s++)
        w->before.busy[s] += w->now.busy[s];
    w->now = (struct firn_watch_totals){0};
    w->rate = 0;
    pthread_mutex_unlock(&w->mutex);
}

static int record_run(struct firn_watch *w, int64_t unix_start, struct firn_error *err)
{
    struct firn_run run;
    if (firn_writer_news(w->writer) == 0)
        return 0;
    firn_line_run(&w->line, unix_start, &run);
    int status = firn_writer_run(w->writer, &run, err);
    return status ? status : firn_writer_commit(w->writer, err);
}

/* One stretch of work, from the first name to the last. */
static int serve(struct firn_watch *w, struct firn_error *err)
{
    const struct firn_machine_events events = {w, on_news, on_tick};
    int64_t unix_start = time(NULL);
    int status = load(w, err);
    if (!status)
        status = open_line(w, err);
    if (!status) {
        show_line(w);
        status = firn_machine_run(w->line.machine, &events, err);
        on_tick(w);
        hide_line(w);
        firn_feed_stir(w->feed, false);
        if (!status)
            status = record_run(w, unix_start, err);
    }
    firn_line_close(&w->line);
    unload(w);
    return status;
}

/* The disk may have room again, and memory be free: nobody has to come and restart a daemon. */
static bool may_pass(int status)
{
    return status == -FIRN_IO || status == -FIRN_NOMEM || status == -FIRN_CANTCREATE ||
           status == -FIRN_NOINPUT;
}

static void end_by_itself(struct firn_watch *w, int status, const struct firn_error *err)
{
    pthread_mutex_lock(&w->mutex);
    w->status = status;
    w->err = *err;
    pthread_mutex_unlock(&w->mutex);
    (void)!write(w->ended, &(uint64_t){1}, sizeof(uint64_t));
}

static void set_trouble(struct firn_watch *w, const char *text)
{
    pthread_mutex_lock(&w->mutex);
    snprintf(w->trouble, sizeof w->trouble, "%.*s", (int)sizeof w->trouble - 1, text);
    pthread_mutex_unlock(&w->mutex);
}

/* Says so, unless it is the same as before, and waits. False: the watch ends. */
static bool wait_in_trouble(struct firn_watch *w, const struct firn_error *err)
{
    struct firn_error said;
    firn_fail(&said, err->code, "%.900s; trying again in %d seconds", err->text,
              (int)(RETRY_NS / 1000000000));
    if (strcmp(w->trouble, err->text) != 0)
        on_notice(w, said.text);
    set_trouble(w, err->text);
    return firn_feed_sleep(w->feed, firn_now_ns() + RETRY_NS);
}

/*
 * After a failure that may pass. What was dropped will be found by the next look; what could not be
 * stored will not, as the writer knows it. Positive: the watch ends.
 */
static int try_later(struct firn_watch *w, int status, struct firn_error *err)
{
    bool storing = status == -FIRN_IO;
    while (status && may_pass(status)) {
        if (!wait_in_trouble(w, err))
            return 1;
        status = firn_writer_commit(w->writer, err);
    }
    if (!status && storing)
        set_trouble(w, "");
    if (!status)
        firn_watcher_rescan(w->watcher);
    return status;
}

static void *work(void *user)
{
    struct firn_watch *w = user;
    for (;;) {
        int64_t deadline = w->recipe.trunk ? firn_now_ns() + idle_ns(w) : INT64_MAX;
        enum firn_feed_end end = firn_feed_wait(w->feed, deadline);
        struct firn_error err = {0};
        int status = 0;
        if (end == FIRN_FEED_CLOSED)
            return NULL;
        if (end == FIRN_FEED_IDLE)
            unload(w);
        else
            status = serve(w, &err);
        if (status && may_pass(status))
            status = try_later(w, status, &err);
        if (status < 0)
            end_by_itself(w, status, &err);
        if (status)
            return NULL;
    }
}

/* ---- from the start to the end ---- */

static void set_defaults(struct firn_watch_options *o)
{
    if (!o->settle_ms)
        o->settle_ms = 100;
    if (!o->rescan_seconds)
        o->rescan_seconds = 3600;
    if (!o->poll_seconds)
        o->poll_seconds = 60;
    if (!o->decode_seconds)
        o->decode_seconds = 30;
    if (!o->idle_unload_seconds)
        o->idle_unload_seconds = 60;
}

static int check_options(const struct firn_watch *w, struct firn_error *err)
{
    const struct firn_extract_options *o = &w->options.extract;
    if (!o->model || !o->cache)
        return firn_fail(err, FIRN_USAGE, "a model and a cache are needed");
    if (!o->n_paths || o->files_from)
        return firn_fail(err, FIRN_USAGE, "directories are needed, nothing else can be watched");
    if (o->bn && strncmp(o->bn, "batch:", 6) == 0)
        return firn_fail(err, FIRN_USAGE, "--bn %s: photographs that arrive one by one are in no "
                                          "canonical batch; use firn extract", o->bn);
    if (w->options.max_pressure > 100)
        return firn_fail(err, FIRN_USAGE, "--max-pressure: 1 to 100 percent");
    return firn_line_check(o, err);
}

static int start_watcher(struct firn_watch *w, struct firn_error *err)
{
    const struct firn_watch_options *o = &w->options;
    w->watcher_config = (struct firn_watcher_config){
        .roots = &w->roots, .writer = w->writer, .feed = w->feed, .exclude = o->exclude,
        .n_exclude = o->n_exclude, .settle_ns = (int64_t)o->settle_ms * 1000000,
        .rescan_ns = (int64_t)o->rescan_seconds * 1000000000,
        .poll_ns = (int64_t)o->poll_seconds * 1000000000, .watch_limit = (size_t)o->watch_limit,
        .user = w, .notice = on_notice, .tick = on_watcher_tick,
        .tick_ns = firn_gate_matters(&w->gate) ? GATE_NS : INT64_MAX / 2};
    return firn_watcher_start(&w->watcher, &w->watcher_config, err);
}

static int start_line(struct firn_watch *w, struct firn_error *err)
{
    int status = firn_thread_start(&w->thread, "firn-line", work, w);
    w->has_thread = status == 0;
    return status ? firn_fail(err, FIRN_NOMEM, "cannot start a thread: %s", strerror(-status)) : 0;
}

/* Before there are weights, which it would keep in memory, and threads. */
static int split_off_warden(struct firn_watch *w, struct firn_error *err)
{
    int most = w->options.extract.threads;
    if (!most)
        most = (int)sysconf(_SC_NPROCESSORS_CONF);
    if (!firn_cell_filtered())
        firn_notice(&w->options.extract, "this build is without libseccomp: isolated decoders may "
                                         "use all system calls");
    return firn_warden_create(&w->warden, most, FIRN_READ_LIMIT,
                              (int64_t)w->options.decode_seconds * 1000000000, err);
}

static int prepare(struct firn_watch *w, struct firn_error *err)
{
    const struct firn_extract_options *o = &w->options.extract;
    int status;
    w->gate.ac_only = w->options.ac_only;
    w->gate.max_pressure = w->options.max_pressure;
    if (w->options.only_between &&
        (status = firn_gate_parse(&w->gate, w->options.only_between, err)))
        return status;
    if ((status = check_options(w, err)) ||
        (status = firn_roots_resolve(&w->roots, o->paths, o->n_paths, err)))
        return status;
    w->roots.hold = true;
    if (w->roots.n_files)
        return firn_fail(err, FIRN_USAGE, "%s: is not a directory; firn extract takes files",
                         w->roots.file[0]);
    if (w->options.isolate && (status = split_off_warden(w, err)))
        return status;
    if ((status = firn_roots_refuse(&w->roots, o->cache, err)) ||
        (status = firn_recipe_open(&w->recipe, o, err)))
        return status;
    w->fingerprint = w->recipe.fingerprint;
    w->loaded = true;
    w->loads = 1;
    if (w->recipe.untrained)
        firn_notice(o, "%s: seeded random weights, for trying only", o->model);
    return firn_recipe_cache(&w->recipe.fingerprint, firn_trunk_dim(w->recipe.trunk), o,
                             w->options.lock, &w->roots, &w->writer, err);
}

int firn_watch_start(struct firn_watch **out, const struct firn_watch_options *options,
                     struct firn_error *err)
{
    struct firn_watch *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return firn_fail_nomem(err, "a watch");
    w->options = *options;
    set_defaults(&w->options);
    w->started = time(NULL);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_mutex_init(&w->talk, NULL);
    w->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int status = w->ended < 0 ? firn_fail_nomem(err, "a watch") : 0;
    if (!status)
        status = prepare(w, err);
    if (!status)
        status = firn_feed_create(&w->feed, err);
    if (!status)
        on_watcher_tick(w); /* closed from the beginning, if it is */
    if (!status)
        status = start_watcher(w, err);
    if (!status)
        status = start_line(w, err);
    if (status)
        firn_watch_stop(w, NULL);
    else
        *out = w;
    return status;
}

int firn_watch_hold(const struct firn_watch *w)
{
    return firn_writer_hold(w->writer);
}

int firn_watch_fd(const struct firn_watch *w)
{
    return w->ended;
}

void firn_watch_pause(struct firn_watch *w, bool paused)
{
    pthread_mutex_lock(&w->mutex);
    w->paused = paused;
    hold(w);
    pthread_mutex_unlock(&w->mutex);
}

void firn_watch_rescan(struct firn_watch *w)
{
    firn_watcher_rescan(w->watcher);
}

/* ---- the end ---- */

static void halt(struct firn_watch *w)
{
    if (w->feed)
        firn_feed_close(w->feed);
    pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    if (w->live)
        firn_board_halt(&w->line.board);
    pthread_mutex_unlock(&w->mutex);
}

int firn_watch_stop(struct firn_watch *w, struct firn_error *err)
{
    if (!w)
        return 0;
    halt(w);
    if (w->has_thread)
        pthread_join(w->thread, NULL);
    firn_watcher_stop(w->watcher);
    int status = w->status;
    if (status && err)
        *err = w->err;
    int closed = firn_writer_close(w->writer, status ? NULL : err);
    firn_recipe_close(&w->recipe);
    firn_warden_destroy(w->warden);
    firn_feed_destroy(w->feed);
    firn_roots_clear(&w->roots);
    if (w->ended >= 0)
        close(w->ended);
    pthread_mutex_destroy(&w->talk);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    return status ? status : closed;
}
