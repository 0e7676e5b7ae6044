/* SPDX-License-Identifier: MIT */
/** What all threads of a run see: counters, the flag that ends it, and the way for news. */
#ifndef FIRN_SRC_PIPELINE_BOARD_H
#define FIRN_SRC_PIPELINE_BOARD_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ring.h"
#include "firn/extract.h"

/** Something that the user of the run shall hear of, in the calling thread. */
struct firn_news {
    int state;           /**< of the photograph (enum firn_state), 0: a notice without one, or */
#define FIRN_NEWS_WORK (-1) /**< nothing to say: there is work again */
    char path[PATH_MAX]; /**< the photograph or directory; "" in a notice */
    char text[512];      /**< reason or notice, one line */
};

/** Counters are for reports: relaxed order is enough, nothing is decided by them. */
struct firn_board {
    /* scan */
    _Atomic uint64_t found, known, known_corrupt;
    _Atomic bool scan_done;
    /* read */
    _Atomic uint64_t bytes_read;
    /* decode */
    _Atomic uint64_t turned;
    /* sink (and scan, for directories) */
    _Atomic uint64_t done, reused, skipped, corrupt;
    _Atomic uint64_t dropped; /* photographs that will not be recorded */
    /** Given to the writer, and not yet counted above; falls behind them. */
    _Atomic uint64_t uncounted;
    /** When photographs were acknowledged last, unix time; 0: never. */
    _Atomic int64_t last_done;
    /** Bytes that start functions have allocated. */
    _Atomic size_t memory;
    /** Nanoseconds that the threads of a stage waited for a disk, not for each other. */
    _Atomic int64_t waited_ns[FIRN_STAGES];

    /** Set once, never cleared: no stage begins new work, what is in the rings is dropped. */
    _Atomic bool halt;

    struct firn_ring *news;  /**< of struct firn_news, for the calling thread */
    struct firn_ring *blank; /**< news that may be written */
    struct firn_news *slab;
};

/** `threads`: how many will close `news` when they end. */
int firn_board_create(struct firn_board *board, unsigned threads, struct firn_error *err);
void firn_board_destroy(struct firn_board *board);

/**
 * Says something; waits while nobody listens (the slab of news is bounded). `state` and `path`
 * may be 0 and NULL. Not from start functions: there nobody listens yet.
 */
void firn_board_tell(struct firn_board *board, int state, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static inline bool firn_board_halted(struct firn_board *board)
{
    return atomic_load_explicit(&board->halt, memory_order_relaxed);
}

static inline void firn_board_halt(struct firn_board *board)
{
    atomic_store_explicit(&board->halt, true, memory_order_relaxed);
}

/** Counts; for any of the counters above. */
#define firn_board_add(counter, n) atomic_fetch_add_explicit(&(counter), (n), memory_order_relaxed)

#endif
