/* SPDX-License-Identifier: MIT */
/**
 * Up to FIRN_READ_DEPTH files at once on one thread. Every job has at most one operation with the
 * kernel, so nothing is linked and a short read is only a step like any other:
 *
 *     in -> [open] -> waits for room (in order) -> [read]... -> out        [ ]: the kernel's turn
 *
 * The thread sleeps in the kernel while operations are under way, in the arena when all of its
 * jobs wait for room (the decoders hold it then, and will return it), and in the ring when it has
 * no job at all.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/thread.h"
#include "pipeline/read.h"
#include "pipeline/read_job.h"

/* Kernel threads for what cannot be done without waiting: a weak disk is not helped by more. */
#define KERNEL_WORKERS 4

struct reader {
    const struct firn_read_config *config;
    struct io_uring ring;
    struct firn_job job[FIRN_READ_DEPTH];
    struct firn_job *idle[FIRN_READ_DEPTH];    /* a stack */
    struct firn_job *waiting[FIRN_READ_DEPTH]; /* for room, first come first served */
    unsigned n_idle, n_waiting;
    unsigned under_way; /* operations with the kernel */
    struct firn_job failed; /* a copy of the job that ends the run, if its `fatal` says so */
};

static int probe_opcodes(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    if (!probe)
        return -ENOSYS;
    bool all = io_uring_opcode_supported(probe, IORING_OP_OPENAT) &&
               io_uring_opcode_supported(probe, IORING_OP_READ);
    io_uring_free_probe(probe);
    return all ? 0 : -ENOSYS;
}

int firn_read_uring_probe(void)
{
    struct io_uring ring;
    int status = io_uring_queue_init(FIRN_READ_DEPTH, &ring, 0);
    if (status)
        return status;
    status = probe_opcodes(&ring);
    io_uring_queue_exit(&ring);
    return status;
}

static int start(void **worker, const void *config, struct firn_error *err)
{
    struct reader *r = calloc(1, sizeof *r);
    *worker = NULL;
    if (!r)
        return firn_fail_nomem(err, "the reader");
    int status = io_uring_queue_init(FIRN_READ_DEPTH, &r->ring, 0);
    if (status) {
        free(r);
        return firn_fail(err, FIRN_NOMEM, "io_uring: %s; try --io threads", strerror(-status));
    }
    r->config = config;
    for (size_t i = 0; i < FIRN_READ_DEPTH; i++)
        r->idle[r->n_idle++] = &r->job[i];
    *worker = r;
    return 0;
}

static void stop(void *worker)
{
    struct reader *r = worker;
    if (r)
        io_uring_queue_exit(&r->ring);
    free(r);
}

/* Hands the job's next operation over. One entry a job: the queue cannot be full. */
static void submit(struct reader *r, struct firn_job *job)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
    if (job->step == FIRN_STEP_OPEN)
        io_uring_prep_openat(sqe, AT_FDCWD, job->item->path, FIRN_READ_FLAGS, 0);
    else
        io_uring_prep_read(sqe, job->fd, job->file->bytes + job->got,
                           (unsigned)(job->item->size - job->got), job->got);
    io_uring_sqe_set_data(sqe, job);
    r->under_way++;
}

/* Whatever the job's new step is: see to it. */
static void carry_on(struct reader *r, struct firn_job *job)
{
    switch (job->step) {
    case FIRN_STEP_OPEN:
    case FIRN_STEP_READ:
        submit(r, job);
        break;
    case FIRN_STEP_ROOM:
        r->waiting[r->n_waiting++] = job;
        break;
    case FIRN_STEP_DONE:
        firn_ring_push(r->config->out, job->item);
        job->item = NULL;
        r->idle[r->n_idle++] = job;
        break;
    }
}

static void give_room(struct reader *r)
{
    while (r->n_waiting) {
        struct firn_job *job = r->waiting[0];
        struct firn_blob *file = firn_arena_try(r->config->arena, job->item->size);
        if (!file && r->under_way == 0)
            file = firn_arena_take(r->config->arena, job->item->size);
        if (!file)
            return;
        memmove(&r->waiting[0], &r->waiting[1], --r->n_waiting * sizeof(struct firn_job *));
        firn_job_room(job, file);
        carry_on(r, job);
    }
}

static void take_items(struct reader *r)
{
    while (r->n_idle) {
        bool nothing_else = r->n_idle == FIRN_READ_DEPTH;
        struct firn_item *item = nothing_else ? firn_ring_pop(r->config->in)
                                              : firn_ring_try_pop(r->config->in);
        if (!item)
            return;
        struct firn_job *job = r->idle[--r->n_idle];
        firn_job_begin(job, r->config, item);
        carry_on(r, job);
    }
}

static void reap(struct reader *r)
{
    struct io_uring_cqe *cqe;
    while (io_uring_peek_cqe(&r->ring, &cqe) == 0) {
        struct firn_job *job = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        io_uring_cqe_seen(&r->ring, cqe);
        r->under_way--;
        firn_job_advance(job, result);
        if (job->fatal)
            r->failed = *job;
        carry_on(r, job);
    }
}

/* 0, or -errno when the kernel takes nothing more. */
static int submit_and_wait(struct reader *r)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int64_t wall = firn_now_ns(), cpu = firn_thread_cpu_ns();
    int status = 0;
    for (int tries = 0; tries < 1000; tries++) {
        status = io_uring_submit_and_wait(&r->ring, 1);
        if (status >= 0 || (status != -EINTR && status != -EAGAIN && status != -EBUSY))
            break;
        if (status != -EINTR)
            nanosleep(&moment, NULL); /* the kernel is short of memory */
    }
    firn_board_add(r->config->board->waited_ns[FIRN_READ],
                   firn_now_ns() - wall - (firn_thread_cpu_ns() - cpu));
    return status < 0 ? status : 0;
}

/*
 * The kernel may still write into the blobs of operations under way: they stay with their jobs
 * and go with the arena.
 */
static void abandon(struct reader *r)
{
    for (size_t i = 0; i < FIRN_READ_DEPTH; i++) {
        if (!r->job[i].item)
            continue;
        firn_item_drop(r->job[i].item);
        firn_ring_push(r->config->out, r->job[i].item);
    }
}

static int run(void *worker, struct firn_error *err)
{
    struct reader *r = worker;
    unsigned most[2] = {KERNEL_WORKERS, KERNEL_WORKERS};
    io_uring_register_iowq_max_workers(&r->ring, most); /* old kernels cannot: no matter */
    for (;;) {
        take_items(r);
        give_room(r);
        if (r->n_idle == FIRN_READ_DEPTH && firn_ring_drained(r->config->in))
            return 0;
        if (r->under_way == 0)
            continue;
        int status = submit_and_wait(r);
        if (!status)
            reap(r);
        if (!status && !r->failed.fatal)
            continue;
        abandon(r);
        return status ? firn_fail(err, FIRN_IO, "io_uring: %s; try --io threads",
                                  strerror(-status))
                      : firn_job_fail(&r->failed, err);
    }
}

const struct firn_stage_type firn_read_uring_stage = {"firn-read", start, run, stop};
