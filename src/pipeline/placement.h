/* SPDX-License-Identifier: MIT */
/** In which order the files of a directory lie well for the disk. */
#ifndef FIRN_SRC_PIPELINE_PLACEMENT_H
#define FIRN_SRC_PIPELINE_PLACEMENT_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>

/** Entries that are looked at together: bounded memory, and a disk's arm moves little within. */
#define FIRN_PLACEMENT_WINDOW 1024

/** Entries of one directory, and the order to visit them in. */
struct firn_placement {
    struct dirent entry[FIRN_PLACEMENT_WINDOW];
    struct {
        uint64_t at, inode;
        size_t i; /**< of entry */
    } order[FIRN_PLACEMENT_WINDOW];
    size_t n;
};

/**
 * Orders the `n` entries of the directory `fd`: by the physical place of their first byte where a
 * spinning disk tells it (FIEMAP), else by inode, which file systems hand out near their data.
 * Those of which the disk does not tell come first.
 */
void firn_placement_order(struct firn_placement *p, int fd);

#endif
