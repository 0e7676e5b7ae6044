/* SPDX-License-Identifier: MIT */
/** The directories that the kernel watches for us: one inotify watch each. */
#ifndef FIRN_SRC_WATCH_TREE_H
#define FIRN_SRC_WATCH_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>

#include "firn/error.h"

struct firn_tree;

/**
 * `limit`: how many watches to use at most; 0: half of what the system allows a user, so that
 * others can go on. FIRN_NOMEM when inotify is not to be had.
 */
int firn_tree_create(struct firn_tree **out, size_t limit, struct firn_error *err);
void firn_tree_destroy(struct firn_tree *tree);

/** To be polled and read; gives struct inotify_event. */
int firn_tree_fd(const struct firn_tree *tree);

enum firn_tree_add {
    FIRN_TREE_NEW,      /**< watched from now on (by this name): what is in it must be looked at */
    FIRN_TREE_KNOWN,    /**< was watched already by this name */
    FIRN_TREE_UNWATCHED /**< cannot be: counted; whoever asks must come back and look */
};

/** Watches the directory `path`, which lies in root number `root`. Any thread may ask. */
enum firn_tree_add firn_tree_add(struct firn_tree *tree, size_t root, const char *path);

/**
 * Which directory an event is about: its name number `i`, as there are several when symbolic links
 * lead to it. False: there is no such name (any more).
 */
bool firn_tree_find(struct firn_tree *tree, int wd, size_t i, size_t *root, char path[PATH_MAX]);

/** The kernel has ended this watch: all its names. */
void firn_tree_forget(struct firn_tree *tree, int wd);

/** Ends the watches of `path` and all below it; those with other names go on by these. */
void firn_tree_remove(struct firn_tree *tree, const char *path);

/** Starts counting anew what cannot be watched. */
void firn_tree_recount(struct firn_tree *tree);

struct firn_tree_counts {
    size_t watched, unwatched, limit;
};
void firn_tree_count(struct firn_tree *tree, struct firn_tree_counts *counts);

#endif
