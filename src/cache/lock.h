/* SPDX-License-Identifier: MIT */
/** One writer at a time, and how far it has got. */
#ifndef FIRN_SRC_CACHE_LOCK_H
#define FIRN_SRC_CACHE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "firn/error.h"

/**
 * What the LOCK file says. The lock itself is the kernel's; the text is for people, for readers
 * that must not show what a power cut could still take away, and for the next writer.
 */
struct firn_published {
    int pid;           /* of the writer that holds or held the lock */
    char host[65];
    char boot[37];     /* the kernel's boot id when offset was published */
    uint64_t segment;  /* random name of the growing segment; 0: nothing published yet */
    uint64_t offset;   /* its acknowledged bytes */
    uint32_t number;   /* its number */
};

/** Reads the LOCK file of `dir`. False when there is none or it is torn. */
bool firn_published_read(const char *dir, struct firn_published *published);

/** True when `published` was written since this machine started: what it calls acknowledged may
 * be the only part of the segment that is on disk. */
bool firn_published_is_live(const struct firn_published *published);

/**
 * Takes the lock of `dir`: *fd holds it until it is closed. `held`: from firn_lock_hold(), or 0.
 * *published is what the last writer left (zeros when nothing). FIRN_LOCKED names the holder;
 * FIRN_CANTCREATE.
 */
int firn_lock(const char *dir, int held, int *fd, struct firn_published *published,
              struct firn_error *err);

/** A descriptor, never 0, that keeps the lock until it is closed, too. 0: none is to be had. */
int firn_lock_hold(int fd);

/** Says how far the writer has got. Failure is harmless: readers then see less, never more. */
void firn_publish(int fd, uint32_t number, uint64_t segment, uint64_t offset);

/** Puts what was published on disk, where it tells later whether something is missing. Failure is
 * harmless. */
void firn_lock_settle(int fd);

#endif
