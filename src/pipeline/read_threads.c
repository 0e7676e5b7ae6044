/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread.h"
#include "pipeline/read.h"
#include "pipeline/read_job.h"

/* One call never moves more than 2 GiB; far less keeps a stop from waiting for a slow disk. */
#define CHUNK ((size_t)8 << 20)

struct reader {
    const struct firn_read_config *config;
};

static int start(void **worker, const void *config, struct firn_error *err)
{
    struct reader *r = malloc(sizeof *r);
    *worker = r;
    if (!r)
        return firn_fail_nomem(err, "a reader");
    r->config = config;
    return 0;
}

static int call(const struct firn_job *job)
{
    if (job->step == FIRN_STEP_OPEN) {
        int fd = open(job->item->path, FIRN_READ_FLAGS);
        return fd < 0 ? -errno : fd;
    }
    size_t left = job->item->size - job->got;
    ssize_t n = pread(job->fd, job->file->bytes + job->got, left < CHUNK ? left : CHUNK,
                      (off_t)job->got);
    return n < 0 ? -errno : (int)n;
}

/* The time of a call that is not spent computing is spent waiting for the disk. */
static int call_timed(const struct firn_job *job, int64_t *waited)
{
    int64_t wall = firn_now_ns(), cpu = firn_thread_cpu_ns();
    int result = call(job);
    *waited += firn_now_ns() - wall - (firn_thread_cpu_ns() - cpu);
    return result;
}

static int run(void *worker, struct firn_error *err)
{
    const struct firn_read_config *config = ((struct reader *)worker)->config;
    struct firn_item *item;
    struct firn_job job;
    while ((item = firn_ring_pop(config->in))) {
        int64_t waited = 0;
        enum firn_step step = firn_job_begin(&job, config, item);
        while (step != FIRN_STEP_DONE)
            step = step == FIRN_STEP_ROOM
                       ? firn_job_room(&job, firn_arena_take(config->arena, item->size))
                       : firn_job_advance(&job, call_timed(&job, &waited));
        firn_board_add(config->board->waited_ns[FIRN_READ], waited);
        firn_ring_push(config->out, item);
        if (job.fatal)
            return firn_job_fail(&job, err);
    }
    return 0;
}

static void stop(void *worker)
{
    free(worker);
}

const struct firn_stage_type firn_read_threads_stage = {"firn-read", start, run, stop};
