/* SPDX-License-Identifier: MIT */
/** Runs stages on threads from the first item to the last, and tells the caller how it goes. */
#ifndef FIRN_SRC_PIPELINE_MACHINE_H
#define FIRN_SRC_PIPELINE_MACHINE_H

#include "base/ring.h"
#include "firn/extract.h"
#include "pipeline/board.h"
#include "pipeline/stage.h"

struct firn_machine;

/** One stage, as the machine needs to know it. Everything outlives the machine. */
struct firn_stage_plan {
    const struct firn_stage_type *type;
    const void *config;
    int threads;
    struct firn_ring *in;  /**< NULL for the source, which nobody can drain */
    struct firn_ring *out; /**< made for `threads` producers */
};

/** Called by the thread that runs the machine. */
struct firn_machine_events {
    void *user;
    void (*news)(void *user, const struct firn_news *news);
    /** After each news and when it wanted to be called again: in so many ns. May halt the board. */
    int64_t (*tick)(void *user);
};

/**
 * Starts all workers of `stage[FIRN_STAGES]` (their memory, not yet their threads). `board` was
 * made for firn_machine_threads() of them.
 */
int firn_machine_create(struct firn_machine **out, const struct firn_stage_plan *stage,
                        struct firn_board *board, struct firn_error *err);
void firn_machine_destroy(struct firn_machine *machine);

/** The sum over all stages. */
unsigned firn_machine_threads(const struct firn_stage_plan *stage);

/**
 * Runs until everything has drained: at the end of the input, or when the board is halted, or
 * after a fatal failure in a worker, which halts the board; the first such failure is returned.
 */
int firn_machine_run(struct firn_machine *machine, const struct firn_machine_events *events,
                     struct firn_error *err);

/** CPU seconds that the threads of a stage have used so far. The running thread may ask. */
double firn_machine_busy(const struct firn_machine *machine, enum firn_stage stage);

#endif
