/* SPDX-License-Identifier: MIT */
#include "pipeline/read_job.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"

/* A device that says "again" this often says no. */
#define TRIES 100

const char firn_read_changed[] = "changed while it was read; run again";

static enum firn_step finish(struct firn_job *job)
{
    struct firn_item *item = job->item;
    if (job->fd >= 0) {
        if (job->cold)
            posix_fadvise(job->fd, 0, 0, POSIX_FADV_DONTNEED); /* advice: may fail */
        close(job->fd);
    }
    job->fd = -1;
    if (item->fate == FIRN_LIVE) {
        item->file = job->file;
        firn_board_add(job->config->board->bytes_read, item->size);
    } else {
        firn_blob_return(job->file);
    }
    job->file = NULL;
    return job->step = FIRN_STEP_DONE;
}

static enum firn_step give_up(struct firn_job *job, const char *reason)
{
    firn_item_fail(job->item, FIRN_SKIPPED, "%s", reason);
    return finish(job);
}

/* Whoever follows what happens looks again, and only then takes it down. */
static enum firn_step give_up_changed(struct firn_job *job)
{
    if (!job->config->follows)
        return give_up(job, firn_read_changed);
    firn_board_tell(job->config->board, FIRN_SKIPPED, job->item->path, "%s", firn_read_changed);
    firn_item_drop(job->item);
    return finish(job);
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/*
 * Whether the page cache lacks the file's beginning: what this run brings in is of no use to it
 * afterwards, what others brought in is theirs. Where the kernel cannot say, it counts as theirs.
 */
static bool is_cold(int fd)
{
    char byte;
    const struct iovec one = {&byte, 1};
    return preadv2(fd, &one, 1, 0, RWF_NOWAIT) < 0 && errno == EAGAIN;
}

/* The file is open: is it one to read, and how big? */
static enum firn_step examine(struct firn_job *job)
{
    struct firn_item *item = job->item;
    struct stat st;
    if (fstat(job->fd, &st) != 0)
        return give_up(job, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return give_up(job, "not a regular file");
    item->size = (uint64_t)st.st_size;
    item->mtime_ns = nanoseconds(st.st_mtim);
    item->ctime_ns = nanoseconds(st.st_ctim);
    if (item->size > firn_arena_limit(job->config->arena)) {
        firn_item_fail(item, FIRN_SKIPPED, "%llu bytes are more than the limit of %zu",
                       (unsigned long long)item->size, firn_arena_limit(job->config->arena));
        return finish(job);
    }
    /* The flag was for the open; with it some file systems make io_uring say EAGAIN for ever. */
    fcntl(job->fd, F_SETFL, 0);
    job->cold = !job->config->keep_cache && is_cold(job->fd);
    return job->step = FIRN_STEP_ROOM;
}

/* All is read: is it what was there at the beginning? */
static enum firn_step compare(struct firn_job *job)
{
    const struct firn_item *item = job->item;
    struct stat st;
    if (fstat(job->fd, &st) != 0)
        return give_up(job, strerror(errno));
    if ((uint64_t)st.st_size != item->size || nanoseconds(st.st_mtim) != item->mtime_ns ||
        nanoseconds(st.st_ctim) != item->ctime_ns)
        return give_up_changed(job);
    return finish(job);
}

enum firn_step firn_job_begin(struct firn_job *job, const struct firn_read_config *config,
                              struct firn_item *item)
{
    *job = (struct firn_job){.config = config, .item = item, .fd = -1};
    if (firn_board_halted(config->board))
        firn_item_drop(item);
    return job->step = item->fate == FIRN_LIVE ? FIRN_STEP_OPEN : FIRN_STEP_DONE;
}

static bool try_again(struct firn_job *job, int error)
{
    return (error == EINTR || error == EAGAIN || error == ECANCELED) && ++job->tries < TRIES;
}

enum firn_step firn_job_advance(struct firn_job *job, int result)
{
    const struct firn_read_config *config = job->config;
    enum firn_read_op op = job->step == FIRN_STEP_OPEN ? FIRN_READ_OPEN : FIRN_READ_BYTES;
    if (config->fault)
        result = config->fault(config->fault_user, op, job->item->path, result);
    if (result < 0 && try_again(job, -result))
        return job->step;
    if (result < 0 && firn_is_shortage(-result)) { /* the next one would meet the same */
        job->fatal = -result;
        firn_item_drop(job->item);
        return finish(job);
    }
    if (result < 0) {
        firn_item_unreadable(job->item, -result, config->follows);
        return finish(job);
    }
    job->tries = 0;
    if (op == FIRN_READ_OPEN) {
        job->fd = result;
        return examine(job);
    }
    if (result == 0) /* the end, before the size it had */
        return give_up_changed(job);
    job->got += (size_t)result;
    return job->got < job->item->size ? job->step : compare(job);
}

enum firn_step firn_job_room(struct firn_job *job, struct firn_blob *file)
{
    job->file = file;
    return job->item->size ? (job->step = FIRN_STEP_READ) : compare(job);
}

int firn_job_fail(const struct firn_job *job, struct firn_error *err)
{
    errno = job->fatal;
    return firn_fail_errno(err, FIRN_NOMEM, "photographs cannot be read");
}
