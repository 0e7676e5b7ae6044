/* SPDX-License-Identifier: MIT */
/** The main job: compute what a cache is missing. */
#ifndef FIRN_EXTRACT_H
#define FIRN_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"
#include "firn/error.h"

/** How photographs are read. */
enum firn_io { FIRN_IO_PROBE = 0, FIRN_IO_URING, FIRN_IO_THREADS };

/** How much memory a run may take: what it computes is the same. */
enum firn_memory { FIRN_MEMORY_NORMAL = 0, FIRN_MEMORY_SMALL };

/** The stages, in the order of the data; also the index into struct firn_progress. */
enum firn_stage { FIRN_SCAN, FIRN_READ, FIRN_DECODE, FIRN_INFER, FIRN_SINK, FIRN_STAGES };
extern const char *const firn_stage_names[FIRN_STAGES];

/** Where a run is, or where it ended. */
struct firn_progress {
    uint64_t found;      /**< photographs seen by the scan so far */
    bool scan_done;      /**< found is final */
    uint64_t known;      /**< of these, already in the cache and unchanged */
    uint64_t known_corrupt; /**< of these, known not to decode and unchanged */
    uint64_t done;       /**< acknowledged in this run, features on disk (reused ones included) */
    uint64_t reused;     /**< of these, contents already known under another name or time */
    uint64_t skipped, corrupt; /**< failed in this run */
    uint64_t turned;     /**< decoded in this run and not upright by their EXIF orientation */
    uint64_t bytes_read;
    uint64_t bytes_written;
    double seconds;      /**< since the start */
    double busy[FIRN_STAGES]; /**< CPU seconds of each stage, all its threads */
    int threads_of[FIRN_STAGES];
    int threads, batch;
    enum firn_io io;     /**< what the probe chose */
    const char *cpu;     /**< instruction set in use */
    const char *slowest; /**< name of the stage that bounds the run */
    size_t memory;       /**< bytes allocated before the first photograph; decoders may add */
};

/** All fields may be zero but model, cache and one of paths / files_from. */
struct firn_extract_options {
    const char *model;          /**< see firn_model_open() */
    const char *cache;          /**< directory, created if absent */
    const char *const *paths;   /**< directories and files */
    size_t n_paths;
    const char *files_from;     /**< file with one path a line, "-" for stdin, or NULL */
    bool zero;                  /**< files_from is separated by NUL bytes */
    /** "frozen" or NULL: the model's statistics; a file of firn_bn_estimate(); "batch:N[:SEED]". */
    const char *bn;
    bool allow_network_fs;      /**< write even where file locks may not lock */
    int resize, crop;           /**< 0: the model's preset */
    bool turn, fast;            /**< see struct firn_image_spec */
    const char *views;          /**< see firn_views_parse(); NULL: the centre crop */
    bool whole;                 /**< decode also what the crop does not need: same bytes, slower */
    enum firn_store store;
    int threads;                /**< 0: usable cores */
    int batch;                  /**< 0: default */
    enum firn_io io;
    bool keep_cache;            /**< leave what was read in the page cache */
    enum firn_memory memory;
    const char *cpu;            /**< cap of the instruction set, or NULL */
    /** Called by the calling thread about five times a second and once at the end. */
    void (*on_progress)(void *user, const struct firn_progress *progress);
    /** One call, by the calling thread, for each photograph that failed, in any order. */
    void (*on_failure)(void *user, const char *path, enum firn_state state, const char *reason);
    /** One line of news that is not a failure (fallback of io_uring, untrained weights). */
    void (*on_notice)(void *user, const char *text);
    void *user;
    const volatile int *stop;   /**< becomes non-zero (a signal handler may do it): drain and end */
};

/**
 * Runs to the end. 0: all photographs are in the cache; -FIRN_PARTIAL: some failed (they are in the
 * ledger); -FIRN_INTERRUPTED: stopped; everything acknowledged is kept in each case. Other failures
 * as the modules report them, in `err`. `result` (may be NULL) is filled whenever work began.
 */
int firn_extract(const struct firn_extract_options *options, struct firn_progress *result,
                 struct firn_error *err);

/**
 * The fingerprint that firn_extract() would use with these options (of which only model, bn (not
 * batches), resize, crop, turn, fast, views, store and cpu matter); loads the weights, touches no
 * cache.
 */
int firn_extract_fingerprint(const struct firn_extract_options *options,
                             struct firn_fingerprint *fingerprint, struct firn_error *err);

#endif
