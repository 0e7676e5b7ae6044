/* SPDX-License-Identifier: MIT */
/** The stages behind the source, wired: what extract runs once and watch whenever there is work. */
#ifndef FIRN_SRC_LINE_H
#define FIRN_SRC_LINE_H

#include "cache/writer.h"
#include "firn/extract.h"
#include "pipeline/arena.h"
#include "pipeline/decode.h"
#include "pipeline/infer.h"
#include "pipeline/item.h"
#include "pipeline/machine.h"
#include "pipeline/read.h"
#include "pipeline/sink.h"
#include "recipe.h"

struct firn_line {
    struct firn_progress progress; /**< sizes once it is open; the rest with firn_line_report() */
    struct firn_board board;
    struct firn_ring *ring[FIRN_STAGES]; /**< into each stage; into the source: free items */
    struct firn_slab slab;
    struct firn_arena *arena;
    struct firn_twins *twins;
    struct firn_read_config read;
    struct firn_decode_config decode;
    struct firn_infer_config infer;
    struct firn_sink_config sink;
    struct firn_stage_plan plan[FIRN_STAGES];
    struct firn_machine *machine;
    int64_t began;
};

/**
 * Allocates rings and photographs for `options` and configures all stages but the source, whose
 * config can name line->ring and line->board from here on. `line` is zeroed and stays where it is;
 * firn_line_close() in any case. A notice says when io_uring was refused.
 */
int firn_line_open(struct firn_line *line, const struct firn_extract_options *options,
                   const struct firn_recipe *recipe, struct firn_writer *writer,
                   struct firn_error *err);

/** Gives it its source and starts all workers; firn_machine_run(line->machine) is next. */
int firn_line_begin(struct firn_line *line, const struct firn_stage_type *source,
                    const void *config, struct firn_error *err);

/** Brings line->progress up to date; the thread that runs the machine may ask. */
void firn_line_report(struct firn_line *line);

/** What a run has come to, for the cache's list of runs. */
void firn_line_run(const struct firn_line *line, int64_t unix_start, struct firn_run *run);

void firn_line_close(struct firn_line *line);

/** One line of news to options->on_notice. */
void firn_notice(const struct firn_extract_options *options, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** The limits of numbers in `options`: FIRN_USAGE names the one that is broken. */
int firn_line_check(const struct firn_extract_options *options, struct firn_error *err);

#endif
