/* SPDX-License-Identifier: MIT */
/** Reading one file, step by step; who carries the steps out is the backend's business. */
#ifndef FIRN_SRC_PIPELINE_READ_JOB_H
#define FIRN_SRC_PIPELINE_READ_JOB_H

#include <fcntl.h>

#include "pipeline/item.h"
#include "pipeline/read.h"

/** Never blocks on a FIFO, never becomes a controlling terminal, never leaks into a child. */
#define FIRN_READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/** The reason of a photograph that somebody wrote meanwhile. */
extern const char firn_read_changed[];

enum firn_step {
    FIRN_STEP_OPEN, /**< open item->path with FIRN_READ_FLAGS */
    FIRN_STEP_ROOM, /**< get a blob of item->size bytes */
    FIRN_STEP_READ, /**< read from fd at `got` into file->bytes + got */
    FIRN_STEP_DONE  /**< pass the item on */
};

struct firn_job {
    const struct firn_read_config *config;
    struct firn_item *item;
    struct firn_blob *file; /**< the item's when done */
    size_t got;               /**< bytes so far */
    int fd;
    int tries;                /**< of the step going on */
    bool cold;                /**< the page cache is to forget the file */
    int fatal;                /**< errno of what is wrong with this process, not with the file */
    enum firn_step step;
};

/** An item that is not live, or comes when the run ends, is done at once. */
enum firn_step firn_job_begin(struct firn_job *job, const struct firn_read_config *config,
                              struct firn_item *item);

/** Gives the result of an open or a read: -errno, or the descriptor or the bytes read. */
enum firn_step firn_job_advance(struct firn_job *job, int result);

/** Gives the blob that FIRN_STEP_ROOM asks for. */
enum firn_step firn_job_room(struct firn_job *job, struct firn_blob *file);

/** Describes job->fatal: the run ends with it, and its item is dropped. */
int firn_job_fail(const struct firn_job *job, struct firn_error *err);

#endif
