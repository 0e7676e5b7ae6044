/* SPDX-License-Identifier: MIT */
/** What the files of the daemon share. */
#ifndef FIRN_SRC_DAEMON_H
#define FIRN_SRC_DAEMON_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "firn/watch.h"
#include "line.h"
#include "pipeline/follow.h"
#include "recipe.h"
#include "watch/gate.h"
#include "watch/watcher.h"

/** How many ticks the speed is an average of. */
#define FIRN_RATE_TICKS 30

struct firn_watch_totals {
    uint64_t done, reused, skipped, corrupt, bytes_read;
    double busy[FIRN_STAGES];
};

struct firn_watch {
    struct firn_watch_options options;
    struct firn_roots roots;
    struct firn_recipe recipe; /* of the line's thread, once that runs */
    struct firn_fingerprint fingerprint;
    struct firn_writer *writer;
    struct firn_warden *warden; /* of isolated decoders, or NULL */
    struct firn_feed *feed;
    struct firn_watcher_config watcher_config;
    struct firn_watcher *watcher;
    struct firn_follow_config follow;
    struct firn_gate gate;
    struct firn_line line;
    pthread_t thread;
    bool has_thread;
    int ended; /* eventfd */

    pthread_mutex_t mutex;
    /* under it */
    bool live;      /* the line's board and rings may be looked at */
    bool stopping, paused;
    char closed[128]; /* what the gate waits for; "": it is open */
    bool loaded;
    char trouble[512]; /* why the line waits after a failure */
    struct firn_watch_totals before, now; /* of lines that are gone; of the one that stands */
    uint64_t rate_done[FIRN_RATE_TICKS]; /* photographs decided, at the last ticks */
    unsigned ticks;
    double rate;
    uint64_t loads;
    int64_t started, last_success;
    int status;     /* why it has ended by itself */
    struct firn_error err;

    pthread_mutex_t talk; /* one callback at a time */
};

/** Photographs in the line. The mutex is held, and the line live. */
static inline uint64_t firn_watch_under_way(const struct firn_watch *w)
{
    return w->line.slab.count - firn_ring_count(w->line.ring[FIRN_SCAN]);
}

#endif
