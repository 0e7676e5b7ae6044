/* SPDX-License-Identifier: MIT */
/** Names that are no photographs yet, or never: temporary files, and what the user excludes. */
#ifndef FIRN_SRC_WATCH_IGNORE_H
#define FIRN_SRC_WATCH_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * True for hidden names (rsync's .name.XXXXXX, partial directories, locks), backups and those of
 * unfinished downloads, thumbnails of network storage, and names that match one of the patterns of
 * glob(7). `name` is one component of a path.
 */
bool firn_ignored(const char *name, const char *const *patterns, size_t n);

/** The same for every component of a path below a root; "" is not ignored. */
bool firn_ignored_path(const char *path, const char *const *patterns, size_t n);

#endif
