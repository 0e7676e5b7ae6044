/* SPDX-License-Identifier: MIT */
/** The second stage: whole files into memory, through io_uring or with a few blocking threads. */
#ifndef FIRN_SRC_PIPELINE_READ_H
#define FIRN_SRC_PIPELINE_READ_H

#include <stddef.h>

#include "base/ring.h"
#include "firn/extract.h"
#include "pipeline/arena.h"
#include "pipeline/board.h"
#include "pipeline/stage.h"

/** Files that io_uring works on at once: enough to keep a disk busy, little memory. */
#define FIRN_READ_DEPTH 16

/** Blocking readers: while two wait for the disk, others copy from the page cache. */
#define FIRN_READ_THREADS 4

/** Above this a file is refused as too big, not as corrupt. */
#define FIRN_READ_LIMIT ((size_t)256 << 20)

/** File bytes between read and decode, together; one bigger file goes alone. */
static inline size_t firn_read_budget(enum firn_memory memory)
{
    return (size_t)(memory == FIRN_MEMORY_SMALL ? 16 : 64) << 20;
}

/** The system calls whose results tests may replace. */
enum firn_read_op { FIRN_READ_OPEN, FIRN_READ_BYTES };
typedef int firn_read_fault_fn(void *user, enum firn_read_op op, const char *path, int result);

struct firn_read_config {
    struct firn_ring *in, *out;
    struct firn_board *board;
    struct firn_arena *arena;
    bool keep_cache; /**< leave the files' pages to the kernel */
    bool follows;    /**< what is gone at its turn is no failure */
    firn_read_fault_fn *fault; /**< gets each result (-errno or value), gives the one to go by */
    void *fault_user;
};

/** The two give the same items. io_uring: one worker; threads: as many as wanted. */
extern const struct firn_stage_type firn_read_uring_stage, firn_read_threads_stage;

/** 0 when this process may use io_uring with all that the stage needs, else -errno. */
int firn_read_uring_probe(void);

/**
 * Which of the two to use. When io_uring was wanted or would be best and is refused, `*error` is
 * the reason (-errno), else 0.
 */
enum firn_io firn_read_choose(enum firn_io wanted, int *error);

#endif
