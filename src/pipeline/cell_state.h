/* SPDX-License-Identifier: MIT */
/** What a cell and its decoder, and the warden, agree on. */
#ifndef FIRN_SRC_PIPELINE_CELL_STATE_H
#define FIRN_SRC_PIPELINE_CELL_STATE_H

#include <stdatomic.h>

#include "pipeline/cell.h"

/** Whose turn it is; a futex that both processes wait on. */
enum firn_turn {
    FIRN_TURN_CELL,    /**< nothing to do, or the answer is there */
    FIRN_TURN_DECODER, /**< there is a photograph */
    FIRN_TURN_DEAD     /**< the decoder has ended */
};

/** The first page of a cell's memory; bytes of the photograph and the crop follow. */
struct firn_cell_head {
    _Atomic uint32_t turn;
    int death; /**< as of waitpid(), when dead */
    struct firn_image_spec spec;
    enum firn_cpu cpu;
    bool partial; /**< see firn_decoder_tune() */
    size_t size; /**< of the photograph */
    int status;
    struct firn_image_info info;
    struct firn_error err;
};

#define FIRN_CELL_HEAD 4096
#define FIRN_CELL_CROP ((size_t)64 << 20) /**< sparse: only what is used is there */
_Static_assert(sizeof(struct firn_cell_head) <= FIRN_CELL_HEAD, "one page");

/** From the creator to the warden. */
struct firn_warden_order {
    enum { FIRN_ORDER_START, FIRN_ORDER_KILL } what;
    int cell;
};

/** The warden's process; never returns. `memory` is a memfd of `cells` times `span` bytes. */
_Noreturn void firn_warden_run(int orders, int memory, int cells, size_t span, size_t limit);

/** Lets this process do nothing any more but compute. -errno. */
int firn_cell_filter(void);

/** Waits until *turn is no longer `turn`, or until the deadline: false then. */
bool firn_turn_wait(_Atomic uint32_t *turn, uint32_t value, int64_t deadline_ns);
void firn_turn_set(_Atomic uint32_t *turn, uint32_t value);
void firn_turn_wake(_Atomic uint32_t *turn);

#endif
