/* SPDX-License-Identifier: MIT */
/** What the caller wants extracted: directories with their classes, and files by name. */
#ifndef FIRN_SRC_PIPELINE_ROOTS_H
#define FIRN_SRC_PIPELINE_ROOTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"

/** A directory to walk. */
struct firn_scan_root {
    char *path;       /**< absolute, real */
    char **classes;   /**< its sub-directories in byte order; none: its photographs have no class */
    size_t n_classes;
    size_t ignored;   /**< photographs beside the classes; ImageFolder does not see them */
    bool empty;       /**< neither: more likely a disk that is not mounted than an empty set */
    uint32_t id;      /**< of the cache's writer; for whoever declares it there */
};

struct firn_roots {
    struct firn_scan_root *root; /**< [n], each directory once */
    size_t n;
    char **file;            /**< [n_files] absolute names of the files given by name */
    size_t n_files;
    uint32_t files_id;      /**< the root "" of these and of a list */
    bool hold;              /**< for whoever opens the cache: see firn_classes_hold() */
};

/**
 * Sorts `paths` into directories and files, each once, and lists the classes. FIRN_NOINPUT names
 * the first path that does not exist or cannot be read, FIRN_USAGE a directory inside another one.
 * To be cleared in any case.
 */
int firn_roots_resolve(struct firn_roots *roots, const char *const *paths, size_t n,
                       struct firn_error *err);
void firn_roots_clear(struct firn_roots *roots);

/**
 * Lists the classes of root->path anew into *fresh, whose path and id are the same. FIRN_NOINPUT
 * when it cannot be read. Free *fresh with firn_root_clear() in any case.
 */
int firn_root_list(struct firn_scan_root *fresh, const struct firn_scan_root *root,
                   struct firn_error *err);
void firn_root_clear(struct firn_scan_root *root);

/**
 * Refuses a cache inside a walked directory, FIRN_USAGE: it would be a class of its own there from
 * the second run on.
 */
int firn_roots_refuse(const struct firn_roots *roots, const char *cache, struct firn_error *err);

/**
 * The absolute name of a file: its directory made real, its own name kept, so that a link is
 * known by the name it has. False when it is too long.
 */
bool firn_absolute(const char *path, char out[PATH_MAX]);

/** Nothing is there to extract. `path`: the first that was given, or NULL for a list alone. */
int firn_fail_empty(const char *path, const char *list, struct firn_error *err);

#endif
