/* SPDX-License-Identifier: MIT */
/** Walks one directory tree as torchvision's ImageFolder does. */
#ifndef FIRN_SRC_PIPELINE_IMAGEFOLDER_H
#define FIRN_SRC_PIPELINE_IMAGEFOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "firn/error.h"

/** What a walk meets. `path` is absolute, valid during the call; below the root from `name` on. */
struct firn_imagefolder_events {
    void *user;
    /** Something that is no directory and has the ending of a photograph. False ends the walk. */
    bool (*file)(void *user, const char *path, size_t name);
    /** A directory that cannot be read, or not to its end; the walk goes on behind it. */
    void (*unreadable)(void *user, const char *path, int error);
    /** A symbolic link to one of its own ancestors; not followed. */
    void (*loop)(void *user, const char *path);
    /** A directory, open and about to be read; false: leave it out. May be NULL. */
    bool (*enter)(void *user, const char *path);
};

/** True for ImageFolder's nine endings in any case. */
bool firn_is_photograph(const char *name);

/**
 * Walks `root` (absolute), beginning at its sub-directory `class_name` (or one below it,
 * "class/more"), through all levels and symbolic links; with class_name NULL the files directly in
 * `root` only. The order is that of placement.h in windows of each directory. FIRN_NOMEM: memory or
 * descriptors are out, and not all was met.
 */
int firn_imagefolder_walk(const char *root, const char *class_name,
                          const struct firn_imagefolder_events *events, struct firn_error *err);

#endif
