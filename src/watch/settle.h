/* SPDX-License-Identifier: MIT */
/** Photographs that have been noticed and may still be growing. No threads in here. */
#ifndef FIRN_SRC_WATCH_SETTLE_H
#define FIRN_SRC_WATCH_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"

struct firn_settle;

/** `wait_ns`: how long a file must look the same. At most `limit` files wait at a time. */
int firn_settle_create(struct firn_settle **out, size_t limit, int64_t wait_ns,
                       struct firn_error *err);
void firn_settle_destroy(struct firn_settle *settle);

/**
 * Somebody has written `path` (of root number `root`, below it from `name` on): look at it now and
 * again later. False when too many wait already, or memory is out: the file is not remembered.
 */
bool firn_settle_note(struct firn_settle *settle, size_t root, const char *path, size_t name,
                      int64_t now_ns);

/** It waits here. */
bool firn_settle_has(const struct firn_settle *settle, const char *path);

/** When firn_settle_step() is next due; INT64_MAX: nothing waits. */
int64_t firn_settle_due(const struct firn_settle *settle);

/** Takes a settled file; false: not now, ask again. */
typedef bool firn_settled_fn(void *user, size_t root, const char *path, size_t name);

/**
 * Looks at those that are due. What has changed since the last look waits on, twice as long each
 * time up to 2 s; what has not is handed over; what is gone, empty or no file is forgotten.
 */
void firn_settle_step(struct firn_settle *settle, int64_t now_ns, firn_settled_fn *ready,
                      void *user);

size_t firn_settle_count(const struct firn_settle *settle);

#endif
