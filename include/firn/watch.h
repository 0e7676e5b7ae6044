/* SPDX-License-Identifier: MIT */
/** The daemon's job: the same as firn/extract.h, and go on as photographs arrive. */
#ifndef FIRN_WATCH_H
#define FIRN_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"
#include "firn/extract.h"

struct firn_watch;

/** Zeros are the defaults that are named. */
struct firn_watch_options {
    /**
     * What extract takes; paths are directories. on_failure and on_notice are called by threads of
     * the watch, one at a time, and must not call back into it; on_progress is not used, and stop
     * while the cache is opened only.
     */
    struct firn_extract_options extract;
    int lock; /**< from firn_watch_hold(), or 0 */
    const char *const *exclude; /**< patterns (glob) of names to leave out */
    size_t n_exclude;
    int settle_ms;              /**< how long a file must look the same before it is read; 100 */
    int rescan_seconds;         /**< a full look in any case; 3600 */
    int poll_seconds;           /**< the same where the kernel cannot tell what changes; 60 */
    int watch_limit;            /**< directories to watch at most; half of the system's limit */
    int idle_unload_seconds;    /**< without work: give the model's memory back; 60 */
    bool isolate;               /**< decode in processes of their own; see firn_watch_start() */
    int decode_seconds;         /**< isolated: how long one photograph may take; 30 */
    int cpu_percent;            /**< of one core, at most; no limit */
    const char *only_between;   /**< compute at these times only: "22:00-06:00", local time */
    bool ac_only;               /**< ... not on battery */
    int max_pressure;           /**< ... not while others wait for memory or disks: percent */
};

/**
 * Takes the cache, loads the model and begins to watch: ready when it returns 0. Failures as of
 * firn_extract(). The options' pointers outlive the watch. With `isolate` this forks: call it while
 * the process has one thread.
 */
int firn_watch_start(struct firn_watch **out, const struct firn_watch_options *options,
                     struct firn_error *err);

/** A descriptor that becomes readable when the watch has ended by itself, for good. */
int firn_watch_fd(const struct firn_watch *watch);

/**
 * A descriptor that keeps the cache of this watch locked when that has been stopped, so that
 * another watch of the same cache can begin and nobody comes in between. It is the caller's, to be
 * closed then. 0: there is none to be had.
 */
int firn_watch_hold(const struct firn_watch *watch);

/** Computes nothing more until it is resumed; new photographs are still noticed. */
void firn_watch_pause(struct firn_watch *watch, bool paused);

/** Asks for a full look at all directories. */
void firn_watch_rescan(struct firn_watch *watch);

enum firn_watch_state {
    FIRN_WATCH_IDLE,   /**< nothing to do */
    FIRN_WATCH_BUSY,   /**< looks, or computes */
    FIRN_WATCH_PAUSED, /**< by firn_watch_pause() */
    FIRN_WATCH_WAITING /**< for what `why` says */
};

struct firn_watch_status {
    enum firn_watch_state state;
    char why[512];        /**< it waits; else "" */
    uint64_t queued;      /**< noticed, and not yet decided */
    uint64_t settling;    /**< of these, may still be growing */
    uint64_t done, reused, skipped, corrupt; /**< since the start; reused are done, too */
    uint64_t bytes_read;
    uint64_t seen;        /**< photographs that the last full look met */
    uint64_t rescans, overflows;
    uint64_t loads;       /**< how often the model was loaded */
    uint64_t watched, unwatched; /**< directories */
    int64_t started;      /**< unix time */
    int64_t last_success; /**< unix time of the last photograph that became durable, 0: none */
    int64_t next_rescan;  /**< unix time; 0: one is going on */
    bool loaded;          /**< the model is in memory */
    double busy[FIRN_STAGES]; /**< CPU seconds of each stage since the start */
    uint64_t waiting[FIRN_STAGES]; /**< photographs in front of each stage now */
    double images_per_second; /**< over the last half minute with work */
};
void firn_watch_status(struct firn_watch *watch, struct firn_watch_status *status);

/**
 * Ends in good order and frees; everything acknowledged is kept. Returns why the watch had ended by
 * itself, or 0, or the failure to close the cache. NULL is fine.
 */
int firn_watch_stop(struct firn_watch *watch, struct firn_error *err);

#endif
