/* SPDX-License-Identifier: MIT */
/** The contract of a stage. */
#ifndef FIRN_SRC_PIPELINE_STAGE_H
#define FIRN_SRC_PIPELINE_STAGE_H

#include "firn/error.h"

/**
 * A stage is a function from ring to ring with private state, one worker a thread:
 *
 *     in ring --> run --> out ring      (both named in the stage's own config)
 *
 * - An item belongs to whoever took it out of a ring. Every item that is taken is passed on,
 *   whatever becomes of it; the error of a photograph is data inside its item.
 * - Every ring has a slot for every item, so a push never waits.
 * - A worker does not close its out ring: who runs it does that when `run` has returned.
 * - Nothing here needs a thread: fill and close the in ring, call start, run, stop.
 */
struct firn_stage_type {
    const char *name; /**< of its threads */
    /** Allocates what a worker will need. On failure *worker is NULL. `config` outlives it. */
    int (*start)(void **worker, const void *config, struct firn_error *err);
    /**
     * Works until its in ring is closed and empty. Allocates nothing. May end early only with a
     * fatal failure of the whole run, holding no item; what then still comes is drained for it.
     */
    int (*run)(void *worker, struct firn_error *err);
    /** Frees; NULL is fine. */
    void (*stop)(void *worker);
};

#endif
