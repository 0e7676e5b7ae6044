/* SPDX-License-Identifier: MIT */
#include "pipeline/follow.h"

#include <time.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"

/* What may be saved up while there is nothing to do, so that a lone photograph never waits. */
#define CREDIT_NS 500000000

/* Longer than taking a name that is there. */
#define WAITED_NS 1000000

struct worker {
    const struct firn_follow_config *config;
    int64_t wall, cpu; /* when the account was settled last */
    int64_t debt;      /* CPU time used beyond what was allowed; below 0: saved up */
    struct firn_feed_name name;
};

static int64_t process_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int start(void **worker, const void *config, struct firn_error *err)
{
    struct worker *w = firn_alloc(1, sizeof *w);
    *worker = w;
    if (!w)
        return firn_fail_nomem(err, "the source of names");
    w->config = config;
    w->wall = firn_now_ns();
    w->cpu = process_cpu_ns();
    return 0;
}

static void stop(void *worker)
{
    firn_free(worker);
}

static void settle_account(struct worker *w)
{
    int64_t wall = firn_now_ns(), cpu = process_cpu_ns();
    w->debt += cpu - w->cpu - (wall - w->wall) / 100 * w->config->cpu_percent;
    if (w->debt < -CREDIT_NS)
        w->debt = -CREDIT_NS;
    w->wall = wall;
    w->cpu = cpu;
}

/* Waits until the process has not used more than its share. */
static void pace(struct worker *w)
{
    if (!w->config->cpu_percent)
        return;
    settle_account(w);
    while (w->debt > 0) {
        int64_t rest = w->debt / w->config->cpu_percent * 100;
        if (!firn_feed_sleep(w->config->feed, firn_now_ns() + rest))
            return;
        settle_account(w);
    }
}

static int run(void *worker, struct firn_error *err)
{
    struct worker *w = worker;
    const struct firn_follow_config *c = w->config;
    (void)err;
    for (;;) {
        int64_t now = firn_now_ns();
        int64_t deadline = c->idle_ns < INT64_MAX - now ? now + c->idle_ns : INT64_MAX;
        pace(w);
        if (firn_feed_take(c->feed, &w->name, deadline) != FIRN_FEED_NAME)
            return 0;
        if (firn_now_ns() - now > WAITED_NS) /* who runs the line may have stopped looking at it */
            firn_board_tell(c->offer.board, FIRN_NEWS_WORK, NULL, "%s", "");
        if (!firn_offer(&c->offer, w->name.root, w->name.path, w->name.name))
            return 0;
    }
}

const struct firn_stage_type firn_follow_stage = {"firn-follow", start, run, stop};
