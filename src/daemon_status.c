/* SPDX-License-Identifier: MIT */
#include "daemon.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"

static void add_totals(const struct firn_watch *w, struct firn_watch_status *s)
{
    struct firn_watch_totals now = w->now;
    if (w->live) { /* newer than the last tick */
        now.done = w->line.board.done;
        now.reused = w->line.board.reused;
        now.skipped = w->line.board.skipped;
        now.corrupt = w->line.board.corrupt;
        now.bytes_read = w->line.board.bytes_read;
    }
    s->done = w->before.done + now.done;
    s->reused = w->before.reused + now.reused;
    s->skipped = w->before.skipped + now.skipped;
    s->corrupt = w->before.corrupt + now.corrupt;
    s->bytes_read = w->before.bytes_read + now.bytes_read;
    for (int i = 0; i < FIRN_STAGES; i++)
        s->busy[i] = w->before.busy[i] + now.busy[i];
}

static void name_state(const struct firn_watch *w, const struct firn_watcher_status *watcher,
                       struct firn_watch_status *s)
{
    s->state = FIRN_WATCH_IDLE;
    if (s->queued || watcher->looking)
        s->state = FIRN_WATCH_BUSY;
    if (watcher->waiting && s->state == FIRN_WATCH_IDLE) {
        s->state = FIRN_WATCH_WAITING;
        strcpy(s->why, "a directory is not there");
    }
    if (w->trouble[0]) {
        s->state = FIRN_WATCH_WAITING;
        memcpy(s->why, w->trouble, sizeof s->why);
    }
    if (w->closed[0]) {
        s->state = FIRN_WATCH_WAITING;
        snprintf(s->why, sizeof s->why, "%s", w->closed);
    }
    if (w->paused)
        s->state = FIRN_WATCH_PAUSED;
}

void firn_watch_status(struct firn_watch *w, struct firn_watch_status *s)
{
    struct firn_watcher_status watcher;
    firn_watcher_status(w->watcher, &watcher);
    *s = (struct firn_watch_status){
        .settling = watcher.settling, .seen = watcher.seen, .rescans = watcher.rescans,
        .overflows = watcher.overflows, .watched = watcher.watched,
        .unwatched = watcher.unwatched};
    if (watcher.next_ns < INT64_MAX)
        s->next_rescan = time(NULL) + (watcher.next_ns - firn_now_ns()) / 1000000000;
    /* In the order of the data: what moves on meanwhile is counted twice, never missed. */
    s->queued = watcher.settling + firn_feed_count(w->feed);
    uint64_t uncounted = 0;
    pthread_mutex_lock(&w->mutex);
    if (w->live) {
        s->queued += firn_watch_under_way(w);
        uncounted = w->line.board.uncounted;
        for (int i = FIRN_READ; i < FIRN_STAGES; i++)
            s->waiting[i] = firn_ring_count(w->line.ring[i]);
    }
    uint64_t pending = firn_writer_pending(w->writer); /* they outlive a line that failed */
    s->queued += pending > uncounted ? pending : uncounted;
    s->waiting[FIRN_SCAN] = firn_feed_count(w->feed);
    add_totals(w, s);
    s->started = w->started;
    s->last_success = w->live && w->line.board.last_done ? w->line.board.last_done
                                                         : w->last_success;
    s->loaded = w->loaded;
    s->loads = w->loads;
    s->images_per_second = w->rate;
    name_state(w, &watcher, s);
    pthread_mutex_unlock(&w->mutex);
}
