/* SPDX-License-Identifier: MIT */
/** How fast the trunk is on this machine, and how close to what the machine can do. */
#ifndef FIRN_BENCH_H
#define FIRN_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "firn/error.h"

#define FIRN_BENCH_RUNS 16
#define FIRN_BENCH_LAYERS 64

/** What to measure. Zeros and NULLs ask for the defaults. */
struct firn_bench_trunk_spec {
    const char *model;          /**< as firn_model_open() [untrained:resnet18] */
    const char *cpu;            /**< highest instruction set to use [the best] */
    bool small;                 /**< as FIRN_MEMORY_SMALL */
    int crop;                   /**< pixels [the model's] */
    int batch[FIRN_BENCH_RUNS]; /**< batch sizes, ended by 0 [1, 4, 8, 16] */
    int threads;                /**< of the second half of the runs [usable cores]; 1 for none */
    double seconds;             /**< how long each run measures [1] */
};

/** What a time per image means. */
struct firn_bench_rates {
    double direct_gflops;        /**< operations of the plain convolutions per second */
    double executed_gflops;      /**< operations really done per second */
    double percent_of_peak;      /**< executed, of threads * peak */
    double ratio_to_direct_roof; /**< time of the plain convolutions at peak / own time */
};

/** One batch size with one number of threads, each thread with a batch of its own. */
struct firn_bench_run {
    int batch, threads;
    double ms_per_image;         /**< median batch time / batch / threads */
    double best_ms_per_image;    /**< of the fastest batch */
    double cpu_ms_per_image;     /**< median of the processor's time, other programs' left out */
    struct firn_bench_rates rates;
};

/** All layers of one shape, in the 1-thread run of the largest batch. */
struct firn_bench_layer {
    char name[96];      /**< "3x3 64>64 @56", "1x1/2 64>128 @28", "max-pool", ... */
    char algorithm[32]; /**< "gemm", "wino 6+5", ...; empty where there is no choice */
    int count;          /**< layers of this shape */
    double ms_per_image;    /**< of the processor's time, all of them together */
    double input_ms, products_ms, output_ms; /**< parts of it; 0 where there are none */
    double direct_gflop;    /**< per image, all of them together; 0 for passes over maps */
    double executed_gflop;  /**< per image */
    struct firn_bench_rates rates;
};

struct firn_bench_trunk {
    char model[64];           /**< what was run: the family's name */
    char cpu[16];             /**< instruction set used */
    int cores;                /**< that this process may use */
    double fma_peak_gflops;   /**< multiply-adds of one core on registers, its best instructions */
    double read_gbytes;       /**< memory read by one core, gigabytes per second */
    double direct_gflop;      /**< of one image, by the definition of the convolutions */
    double executed_gflop;    /**< of one image, as run */
    double load_ms;           /**< the weight file, with its checksums and hashes */
    double pack_ms;           /**< fold, transform and pack the weights, on all cores */
    double start_ms;          /**< all until the first feature: load, pack, a worker, one crop */
    size_t weight_bytes;      /**< packed weights, shared by all threads */
    size_t worker_bytes;      /**< activations of one thread at the largest batch */
    int n_runs, n_layers;
    struct firn_bench_run run[FIRN_BENCH_RUNS];
    struct firn_bench_layer layer[FIRN_BENCH_LAYERS];
};

/** Measures; takes about (runs + 1) * seconds. Failures as firn_model_open(), and FIRN_USAGE. */
int firn_bench_trunk(struct firn_bench_trunk *out, const struct firn_bench_trunk_spec *spec,
                     struct firn_error *err);

#endif
