/* SPDX-License-Identifier: MIT */
/** Notices photographs in directories that never rest, and feeds them to whoever computes. */
#ifndef FIRN_SRC_WATCH_WATCHER_H
#define FIRN_SRC_WATCH_WATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/writer.h"
#include "pipeline/feed.h"
#include "pipeline/roots.h"

struct firn_watcher_config {
    struct firn_roots *roots; /**< declared in the writer; the watcher's while it lives */
    struct firn_writer *writer;
    struct firn_feed *feed;
    const char *const *exclude; /**< patterns of names */
    size_t n_exclude;
    int64_t settle_ns; /**< how long a file must look the same */
    int64_t rescan_ns; /**< a full look in any case */
    int64_t poll_ns;   /**< the same where watching does not tell everything */
    size_t watch_limit; /**< 0: half of the system's */
    void *user;
    /** News; from any thread of the watcher. */
    void (*notice)(void *user, const char *text);
    /** About every `tick_ns`, from one thread. */
    void (*tick)(void *user);
    int64_t tick_ns;
};

struct firn_watcher;

/** Starts two threads and the first full look. The config's pointers outlive it. */
int firn_watcher_start(struct firn_watcher **out, const struct firn_watcher_config *config,
                       struct firn_error *err);

/** Ends them; the feed is closed before. NULL is fine. */
void firn_watcher_stop(struct firn_watcher *watcher);

/** Asks for a full look; many requests are one. */
void firn_watcher_rescan(struct firn_watcher *watcher);

/** Looks again at one file that was not steady when it was read. */
void firn_watcher_again(struct firn_watcher *watcher, const char *path);

struct firn_watcher_status {
    size_t settling;               /**< files that may still be growing */
    size_t watched, unwatched;     /**< directories */
    uint64_t rescans, overflows;   /**< full looks; events that the kernel had to drop */
    uint64_t seen;                 /**< photographs that the last full look met */
    bool looking;                  /**< a look is going on */
    bool waiting;                  /**< a root is missing */
    int64_t next_ns;               /**< of the next full look, CLOCK_MONOTONIC */
};
void firn_watcher_status(struct firn_watcher *watcher, struct firn_watcher_status *status);

#endif
