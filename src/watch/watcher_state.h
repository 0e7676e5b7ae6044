/* SPDX-License-Identifier: MIT */
/** What the two threads of the watcher share. */
#ifndef FIRN_SRC_WATCH_WATCHER_STATE_H
#define FIRN_SRC_WATCH_WATCHER_STATE_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "watch/settle.h"
#include "watch/dirs.h"
#include "watch/watcher.h"

#define FIRN_WATCH_JOBS 256

/** A directory to be looked through, below the root; "" is all of it. */
struct firn_watch_job {
    size_t root;
    char *path;
    bool moved; /**< away: what the ledger has below it is gone if it is not met */
};

/** What is known of a root besides its classes. */
struct firn_watch_root {
    dev_t dev; /**< of the directory that was looked through last */
    ino_t ino;
    bool seen;    /**< the two above mean something */
    bool missing; /**< not there now: wait */
    bool flat;    /**< photographs without classes */
    bool held;    /**< ... although there are sub-directories; see firn_classes_hold() */
    int64_t shifted; /**< when it was last said that classes get other numbers */
    bool remote;  /**< others may write where the kernel does not see it */
};

struct firn_watcher {
    const struct firn_watcher_config *config;
    struct firn_dirs *dirs;
    pthread_t events, finder;
    bool has_events, has_finder;
    int64_t commit_due; /**< of deletions; the thread of events only */
    int wake; /**< eventfd: something has changed for the thread of events */

    pthread_mutex_t mutex;
    /* under it */
    pthread_cond_t work; /**< for the finder */
    struct firn_settle *settle;
    struct firn_watch_root *root; /**< [config->roots->n]; so are the classes of those */
    struct firn_watch_job job[FIRN_WATCH_JOBS];
    size_t n_jobs;
    bool all;              /**< a full look is wanted */
    bool hurry;            /**< ... by somebody who waits for it */
    struct firn_watcher_status status;
    bool said_limit;

    _Atomic bool stop;
};

/** The body of the thread that walks. */
void *firn_finder_run(void *watcher);

/** Wants a directory looked through; when too much is wanted, everything. The mutex is held. */
void firn_finder_ask(struct firn_watcher *watcher, size_t root, const char *path, bool moved);
void firn_finder_ask_all(struct firn_watcher *watcher, bool hurry);

/** True when this name is none of ours. */
bool firn_watcher_ignores(const struct firn_watcher *watcher, const char *name);

/** Remembers a file that may be growing; no room: everything will be looked at. Mutex held. */
void firn_watcher_note(struct firn_watcher *watcher, size_t root, const char *path, size_t name);

/** Something has changed for the thread of events: it looks what is due. */
void firn_watcher_wake(struct firn_watcher *watcher);

void firn_watcher_say(struct firn_watcher *watcher, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
