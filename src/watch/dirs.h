/* SPDX-License-Identifier: MIT */
/** The directories that the kernel watches for us: one inotify watch each. */
#ifndef FIRN_SRC_WATCH_DIRS_H
#define FIRN_SRC_WATCH_DIRS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>

#include "firn/error.h"

struct firn_dirs;

/**
 * `limit`: how many watches to use at most; 0: half of what the system allows a user, so that
 * others can go on. FIRN_NOMEM when inotify is not to be had.
 */
int firn_dirs_create(struct firn_dirs **out, size_t limit, struct firn_error *err);
void firn_dirs_destroy(struct firn_dirs *dirs);

/** To be polled and read; gives struct inotify_event. */
int firn_dirs_fd(const struct firn_dirs *dirs);

enum firn_dirs_add {
    FIRN_DIRS_NEW,      /**< watched from now on (by this name): what is in it must be looked at */
    FIRN_DIRS_KNOWN,    /**< was watched already by this name */
    FIRN_DIRS_UNWATCHED /**< cannot be: counted; whoever asks must come back and look */
};

/** Watches the directory `path`, which lies in root number `root`. Any thread may ask. */
enum firn_dirs_add firn_dirs_add(struct firn_dirs *dirs, size_t root, const char *path);

/**
 * Which directory an event is about: its name number `i`, as there are several when symbolic links
 * lead to it. False: there is no such name (any more).
 */
bool firn_dirs_find(struct firn_dirs *dirs, int wd, size_t i, size_t *root, char path[PATH_MAX]);

/** The kernel has ended this watch: all its names. */
void firn_dirs_forget(struct firn_dirs *dirs, int wd);

/** Ends the watches of `path` and all below it; those with other names go on by these. */
void firn_dirs_remove(struct firn_dirs *dirs, const char *path);

/** Starts counting anew what cannot be watched. */
void firn_dirs_recount(struct firn_dirs *dirs);

struct firn_dirs_counts {
    size_t watched, unwatched, limit;
};
void firn_dirs_count(struct firn_dirs *dirs, struct firn_dirs_counts *counts);

#endif
