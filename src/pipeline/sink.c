/* SPDX-License-Identifier: MIT */
#include "pipeline/sink.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/thread.h"
#include "pipeline/item.h"

/*
 * A group is acknowledged together: large enough that a sync, which may take 10 ms and more, is
 * nothing beside computing it (256 features are seconds of work), and never older than a second,
 * so that little is lost when the power goes.
 */
#define GROUP 256
#define GROUP_NS 1000000000

struct worker {
    const struct firn_sink_config *config;
    int64_t deadline;         /* of the group, once it has a record */
    uint64_t records;         /* in the group */
    uint64_t done, reused;    /* of these */
    size_t n_held;
    struct firn_item *held[]; /* twins whose first is still under way */
};

static int start(void **worker, const void *config, struct firn_error *err)
{
    const struct firn_sink_config *c = config;
    struct worker *w = calloc(1, sizeof *w + c->items * sizeof *w->held);
    *worker = w;
    if (!w)
        return firn_fail_nomem(err, "the sink");
    w->config = c;
    return 0;
}

static void stop(void *worker)
{
    free(worker);
}

static int commit(struct worker *w, struct firn_error *err)
{
    struct firn_board *board = w->config->board;
    if (w->records == 0)
        return 0;
    int64_t wall = firn_now_ns(), cpu = firn_thread_cpu_ns();
    int status = firn_writer_commit(w->config->writer, err);
    firn_board_add(board->waited_ns[FIRN_SINK],
                   firn_now_ns() - wall - (firn_thread_cpu_ns() - cpu));
    if (status)
        return status;
    if (w->done)
        atomic_store_explicit(&board->last_done, time(NULL), memory_order_relaxed);
    firn_board_add(board->done, w->done);
    firn_board_add(board->reused, w->reused);
    atomic_fetch_sub_explicit(&board->uncounted, w->records, memory_order_release);
    w->records = w->done = w->reused = 0;
    return 0;
}

static void tell_failure(struct worker *w, const struct firn_item *item)
{
    struct firn_board *board = w->config->board;
    if (item->fate == FIRN_CORRUPT)
        firn_board_add(board->corrupt, 1);
    else
        firn_board_add(board->skipped, 1);
    firn_board_tell(board, item->fate, item->path, "%s", item->reason);
}

static int add(struct worker *w, const struct firn_item *item, struct firn_error *err)
{
    struct firn_record record = {
        .root = item->root,
        .name = firn_item_name(item),
        .size = item->size,
        .mtime_ns = item->mtime_ns,
        .ctime_ns = item->ctime_ns,
        .state = (enum firn_state)item->fate,
        .reason = item->reason,
        .feature = item->fate == FIRN_DONE && !item->reused ? item->feature : NULL,
    };
    memcpy(record.content, item->content, sizeof record.content);
    int status = firn_writer_add(w->config->writer, &record, err);
    if (status)
        return status;
    if (w->records++ == 0)
        w->deadline = firn_now_ns() + GROUP_NS;
    firn_board_add(w->config->board->uncounted, 1);
    w->done += item->fate == FIRN_DONE;
    w->reused += item->fate == FIRN_DONE && item->reused;
    return 0;
}

/* The item is free again whether or not the cache took it. */
static int settle(struct worker *w, struct firn_item *item, struct firn_error *err)
{
    int status = item->fate == FIRN_DROPPED ? 0 : add(w, item, err);
    if (item->fate == FIRN_DROPPED)
        firn_board_add(w->config->board->dropped, 1);
    if (!status && (item->fate == FIRN_SKIPPED || item->fate == FIRN_CORRUPT))
        tell_failure(w, item);
    if (item->kin == FIRN_KIN_FIRST)
        firn_twins_settle(w->config->twins, item);
    firn_ring_push(w->config->out, item);
    return status;
}

/* Those whose first has come meanwhile; the others stay. */
static int settle_held(struct worker *w, struct firn_error *err)
{
    size_t n = w->n_held;
    int status = 0;
    w->n_held = 0;
    for (size_t i = 0; i < n; i++) {
        struct firn_item *twin = w->held[i];
        if (!status && firn_twins_ask(w->config->twins, twin))
            status = settle(w, twin, err);
        else
            w->held[w->n_held++] = twin;
    }
    return status;
}

static int put(struct worker *w, struct firn_item *item, struct firn_error *err)
{
    bool first = item->kin == FIRN_KIN_FIRST;
    if (item->kin == FIRN_KIN_TWIN && !firn_twins_ask(w->config->twins, item)) {
        w->held[w->n_held++] = item;
        return 0;
    }
    int status = settle(w, item, err);
    return status || !first ? status : settle_held(w, err);
}

/* Only a failure leaves any: their firsts will be drained, not settled. */
static void let_go(struct worker *w)
{
    while (w->n_held)
        firn_ring_push(w->config->out, w->held[--w->n_held]);
}

/*
 * Nothing will join the group for a while: all other items are free. A source that holds one at
 * this moment is about to send it, and it will come by here.
 */
static bool is_last(const struct worker *w)
{
    const struct firn_sink_config *c = w->config;
    return c->eager && firn_ring_count(c->out) + w->n_held == c->items;
}

static int run(void *worker, struct firn_error *err)
{
    struct worker *w = worker;
    struct firn_ring *in = w->config->in;
    int status = 0;
    while (!status) {
        struct firn_item *item = w->records ? firn_ring_pop_until(in, w->deadline)
                                            : firn_ring_pop(in);
        if (item)
            status = put(w, item, err);
        else if (firn_ring_drained(in))
            return commit(w, err);
        if (!status && w->records &&
            (w->records >= GROUP || firn_now_ns() >= w->deadline || is_last(w)))
            status = commit(w, err);
    }
    let_go(w);
    return status;
}

const struct firn_stage_type firn_sink_stage = {"firn-sink", start, run, stop};
