/* SPDX-License-Identifier: MIT */
#include "pipeline/feed.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/mem.h"

/* More than a line has in work at once, so that it never starves; half a megabyte. */
#define NAMES 128

struct firn_feed {
    pthread_mutex_t mutex;
    pthread_cond_t filled; /* or closed, or no longer held */
    pthread_cond_t emptied;
    size_t first, n;
    bool held, closed;
    bool stirred; /* who waits for a name shall come back without one */
    bool in_hand; /* who took the last name has not come back yet */
    struct firn_feed_name name[NAMES];
};

int firn_feed_create(struct firn_feed **out, struct firn_error *err)
{
    struct firn_feed *f = firn_alloc(1, sizeof *f);
    pthread_condattr_t monotonic;
    *out = f;
    if (!f)
        return firn_fail_nomem(err, "the queue of names");
    pthread_mutex_init(&f->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->filled, &monotonic);
    pthread_cond_init(&f->emptied, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return 0;
}

void firn_feed_destroy(struct firn_feed *f)
{
    if (!f)
        return;
    pthread_cond_destroy(&f->emptied);
    pthread_cond_destroy(&f->filled);
    pthread_mutex_destroy(&f->mutex);
    firn_free(f);
}

static bool put(struct firn_feed *f, uint32_t root, const char *path, size_t name, bool patient)
{
    pthread_mutex_lock(&f->mutex);
    while (patient && f->n == NAMES && !f->closed)
        pthread_cond_wait(&f->emptied, &f->mutex);
    bool room = !f->closed && f->n < NAMES;
    if (room) {
        struct firn_feed_name *slot = &f->name[(f->first + f->n++) % NAMES];
        slot->root = root;
        slot->name = name;
        snprintf(slot->path, sizeof slot->path, "%s", path);
        pthread_cond_broadcast(&f->filled);
    }
    pthread_mutex_unlock(&f->mutex);
    return room;
}

bool firn_feed_try(struct firn_feed *f, uint32_t root, const char *path, size_t name)
{
    return put(f, root, path, name, false);
}

bool firn_feed_put(struct firn_feed *f, uint32_t root, const char *path, size_t name)
{
    return put(f, root, path, name, true);
}

/* False when the deadline has passed. The mutex is held. */
static bool wait_until(struct firn_feed *f, int64_t deadline_ns)
{
    struct timespec t = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
    if (deadline_ns == INT64_MAX)
        return pthread_cond_wait(&f->filled, &f->mutex) == 0;
    return pthread_cond_timedwait(&f->filled, &f->mutex, &t) == 0;
}

static enum firn_feed_end wait_for_name(struct firn_feed *f, int64_t deadline_ns)
{
    while (!f->closed && !f->stirred && (f->held || f->n == 0))
        if (!wait_until(f, deadline_ns))
            break;
    return f->closed ? FIRN_FEED_CLOSED : !f->held && f->n ? FIRN_FEED_NAME : FIRN_FEED_IDLE;
}

enum firn_feed_end firn_feed_wait(struct firn_feed *f, int64_t deadline_ns)
{
    pthread_mutex_lock(&f->mutex);
    enum firn_feed_end end = wait_for_name(f, deadline_ns);
    pthread_mutex_unlock(&f->mutex);
    return end;
}

enum firn_feed_end firn_feed_take(struct firn_feed *f, struct firn_feed_name *name,
                                  int64_t deadline_ns)
{
    pthread_mutex_lock(&f->mutex);
    f->in_hand = false;
    enum firn_feed_end end = wait_for_name(f, deadline_ns);
    if (end == FIRN_FEED_NAME) {
        f->in_hand = true;
        const struct firn_feed_name *slot = &f->name[f->first];
        name->root = slot->root;
        name->name = slot->name;
        snprintf(name->path, sizeof name->path, "%s", slot->path);
        f->first = (f->first + 1) % NAMES;
        f->n--;
        pthread_cond_broadcast(&f->emptied);
    }
    pthread_mutex_unlock(&f->mutex);
    return end;
}

bool firn_feed_sleep(struct firn_feed *f, int64_t deadline_ns)
{
    pthread_mutex_lock(&f->mutex);
    while (!f->closed && wait_until(f, deadline_ns))
        continue;
    bool open = !f->closed;
    pthread_mutex_unlock(&f->mutex);
    return open;
}

void firn_feed_hold(struct firn_feed *f, bool held)
{
    pthread_mutex_lock(&f->mutex);
    f->held = held;
    pthread_cond_broadcast(&f->filled);
    pthread_mutex_unlock(&f->mutex);
}

void firn_feed_stir(struct firn_feed *f, bool stirred)
{
    pthread_mutex_lock(&f->mutex);
    f->stirred = stirred;
    pthread_cond_broadcast(&f->filled);
    pthread_mutex_unlock(&f->mutex);
}

void firn_feed_close(struct firn_feed *f)
{
    pthread_mutex_lock(&f->mutex);
    f->closed = true;
    pthread_cond_broadcast(&f->filled);
    pthread_cond_broadcast(&f->emptied);
    pthread_mutex_unlock(&f->mutex);
}

size_t firn_feed_count(struct firn_feed *f)
{
    pthread_mutex_lock(&f->mutex);
    size_t n = f->n + f->in_hand;
    pthread_mutex_unlock(&f->mutex);
    return n;
}
