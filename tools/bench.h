/* SPDX-License-Identifier: MIT */
/** The parts of `firn bench`. */
#ifndef FIRN_TOOLS_BENCH_H
#define FIRN_TOOLS_BENCH_H

#include "cli.h"

/** What a part may need; each adds keys to the JSON, or prints text when there is none. */
struct firn_bench {
    struct firn_json *json;
    const char *model; /**< network */
    const char *cpu;   /**< cap of the instruction set, or NULL */
    const char *path;  /**< a cache or a photograph to measure, or NULL: draws its own */
    int threads;       /**< 0: usable cores */
    double seconds;    /**< how long to measure each thing */
    const volatile int *stop; /**< not 0 after a signal */
};

int firn_bench_show_trunk(const struct firn_bench *b, struct firn_error *err);
int firn_bench_pixels(const struct firn_bench *b, struct firn_error *err);
int firn_bench_cache(const struct firn_bench *b, struct firn_error *err);

/** 0, or FIRN_INTERRUPTED with `err` filled, after a signal: scratch files are to be removed. */
int firn_bench_go_on(const struct firn_bench *b, struct firn_error *err);

/** CLOCK_MONOTONIC, seconds. */
double firn_bench_now(void);

#endif
