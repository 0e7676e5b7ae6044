/* SPDX-License-Identifier: MIT */
/** A bounded queue of names between those who notice photographs and the line that takes them. */
#ifndef FIRN_SRC_PIPELINE_FEED_H
#define FIRN_SRC_PIPELINE_FEED_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"

struct firn_feed;

struct firn_feed_name {
    uint32_t root;       /**< from firn_writer_root() */
    size_t name;         /**< where in `path` the name below the root begins */
    char path[PATH_MAX];
};

/** How waiting has ended. */
enum firn_feed_end {
    FIRN_FEED_NAME,  /**< there is a name */
    FIRN_FEED_IDLE,  /**< nothing to take until the deadline, or stirred */
    FIRN_FEED_CLOSED
};

int firn_feed_create(struct firn_feed **out, struct firn_error *err);
void firn_feed_destroy(struct firn_feed *feed);

/** Puts a name in; false when it is full or closed. */
bool firn_feed_try(struct firn_feed *feed, uint32_t root, const char *path, size_t name);

/** As firn_feed_try(), but waits while it is full. False when it is closed. */
bool firn_feed_put(struct firn_feed *feed, uint32_t root, const char *path, size_t name);

/** Waits for a name that may be taken (deadline INT64_MAX: for ever), and leaves it there. */
enum firn_feed_end firn_feed_wait(struct firn_feed *feed, int64_t deadline_ns);

/** As firn_feed_wait(), then takes it. */
enum firn_feed_end firn_feed_take(struct firn_feed *feed, struct firn_feed_name *name,
                                  int64_t deadline_ns);

/** Sleeps until the deadline; false at once when it is closed. */
bool firn_feed_sleep(struct firn_feed *feed, int64_t deadline_ns);

/** While it is held, nothing is taken. */
void firn_feed_hold(struct firn_feed *feed, bool held);

/** From now on nobody waits for a name, or (false) as before. */
void firn_feed_stir(struct firn_feed *feed, bool stirred);

/** What is in it is of no more interest; everybody who waits wakes up. */
void firn_feed_close(struct firn_feed *feed);

/** Names in it, and the one that was taken last until its taker comes again. */
size_t firn_feed_count(struct firn_feed *feed);

#endif
