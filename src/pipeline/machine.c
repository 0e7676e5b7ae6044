/* SPDX-License-Identifier: MIT */
/**
 * One way to end, whatever the reason:
 *
 *     end of input ----------------------------.
 *     Ctrl-C ------> board halted --> the scan returns --> its out ring closes
 *     fatal error --'                                            |
 *                        the next stage empties it, returns, its ring closes, ... the sink ends
 *
 * Halting never skips the line: it only turns the items on it into ones that need no work. A
 * worker that fails keeps its place in the line, too: what still comes to it is passed on, dropped,
 * so that nobody waits for a ring that will not close or for an item that will not come back.
 *
 * News (failures, notices) flow to the calling thread in a ring of their own, which every thread
 * closes as its last deed: when it has drained, all threads are done.
 */
#include "pipeline/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/thread.h"
#include "pipeline/item.h"

struct worker {
    struct firn_machine *machine;
    const struct firn_stage_plan *plan;
    void *state;            /* the stage's */
    pthread_t thread;
    bool running;           /* has a thread that is not joined */
    _Atomic int64_t cpu_ns; /* in all, once it has ended; -1 before */
};

struct firn_machine {
    struct firn_board *board;
    unsigned n;
    unsigned first[FIRN_STAGES + 1]; /* workers first[s] .. first[s + 1] are of stage s */
    _Atomic bool failed;             /* somebody owns the two below */
    int status;
    struct firn_error err;
    struct worker worker[];
};

unsigned firn_machine_threads(const struct firn_stage_plan *stage)
{
    unsigned n = 0;
    for (int s = 0; s < FIRN_STAGES; s++)
        n += (unsigned)stage[s].threads;
    return n;
}

static int start_workers(struct firn_machine *m, const struct firn_stage_plan *stage,
                         struct firn_error *err)
{
    for (int s = 0; s < FIRN_STAGES; s++) {
        m->first[s] = m->n;
        for (int i = 0; i < stage[s].threads; i++) {
            struct worker *w = &m->worker[m->n];
            *w = (struct worker){.machine = m, .plan = &stage[s], .cpu_ns = -1};
            int status = stage[s].type->start(&w->state, stage[s].config, err);
            if (status)
                return status;
            m->n++;
        }
    }
    m->first[FIRN_STAGES] = m->n;
    return 0;
}

int firn_machine_create(struct firn_machine **out, const struct firn_stage_plan *stage,
                        struct firn_board *board, struct firn_error *err)
{
    size_t threads = firn_machine_threads(stage);
    struct firn_machine *m = calloc(1, sizeof *m + threads * sizeof m->worker[0]);
    *out = NULL;
    if (!m)
        return firn_fail_nomem(err, "the pipeline");
    m->board = board;
    int status = start_workers(m, stage, err);
    if (status)
        firn_machine_destroy(m);
    else
        *out = m;
    return status;
}

void firn_machine_destroy(struct firn_machine *m)
{
    if (!m)
        return;
    for (unsigned i = 0; i < m->n; i++)
        m->worker[i].plan->type->stop(m->worker[i].state);
    free(m);
}

static void fail(struct firn_machine *m, int status, const struct firn_error *err)
{
    if (!atomic_exchange(&m->failed, true)) {
        m->status = status;
        m->err = *err;
    }
    firn_board_halt(m->board);
}

static void drain(const struct firn_stage_plan *plan)
{
    struct firn_item *item;
    while (plan->in && (item = firn_ring_pop(plan->in))) {
        firn_item_drop(item);
        firn_ring_push(plan->out, item);
    }
}

/* Also for a worker that never got its thread: all others count on these two. */
static void leave(struct worker *w)
{
    firn_ring_close(w->plan->out);
    firn_ring_close(w->machine->board->news);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct firn_error err = {0};
    firn_thread_patient();
    int status = w->plan->type->run(w->state, &err);
    if (status) {
        fail(w->machine, status, &err);
        drain(w->plan);
    }
    atomic_store_explicit(&w->cpu_ns, firn_thread_cpu_ns(), memory_order_relaxed);
    leave(w);
    return NULL;
}

/*
 * From the sink to the scan, so that a thread that cannot be had finds the line still empty: with
 * no source, closing the rings of those without a thread is all it takes to end the others.
 */
static void start_threads(struct firn_machine *m)
{
    struct firn_error err;
    for (unsigned i = m->n; i-- > 0;) {
        struct worker *w = &m->worker[i];
        int status = -ECANCELED;
        if (!atomic_load(&m->failed)) {
            status = firn_thread_start(&w->thread, w->plan->type->name, work, w);
            if (status) {
                firn_fail(&err, FIRN_NOMEM, "cannot start a thread: %s", strerror(-status));
                fail(m, -FIRN_NOMEM, &err);
            }
        }
        w->running = status == 0;
        if (!w->running)
            leave(w);
    }
}

static void listen(struct firn_machine *m, const struct firn_machine_events *events)
{
    int64_t next = firn_now_ns();
    while (!firn_ring_drained(m->board->news)) {
        struct firn_news *news = firn_ring_pop_until(m->board->news, next);
        if (news) {
            events->news(events->user, news);
            firn_ring_push(m->board->blank, news);
        }
        int64_t now = firn_now_ns();
        if (news || now >= next)
            next = now + events->tick(events->user);
    }
}

int firn_machine_run(struct firn_machine *m, const struct firn_machine_events *events,
                     struct firn_error *err)
{
    start_threads(m);
    listen(m, events);
    for (unsigned i = 0; i < m->n; i++)
        if (m->worker[i].running)
            pthread_join(m->worker[i].thread, NULL);
    for (unsigned i = 0; i < m->n; i++)
        m->worker[i].running = false;
    if (m->status && err)
        *err = m->err;
    return m->status;
}

static int64_t cpu_of(const struct worker *w)
{
    clockid_t clock;
    struct timespec t;
    int64_t ns = atomic_load_explicit(&w->cpu_ns, memory_order_relaxed);
    if (ns >= 0)
        return ns;
    if (!w->running)
        return 0;
    if (pthread_getcpuclockid(w->thread, &clock) == 0 && clock_gettime(clock, &t) == 0)
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    ns = atomic_load_explicit(&w->cpu_ns, memory_order_relaxed); /* it has just ended */
    return ns >= 0 ? ns : 0;
}

double firn_machine_busy(const struct firn_machine *m, enum firn_stage stage)
{
    int64_t ns = 0;
    for (unsigned i = m->first[stage]; i < m->first[stage + 1]; i++)
        ns += cpu_of(&m->worker[i]);
    return (double)ns * 1e-9;
}
