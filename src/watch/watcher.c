/* SPDX-License-Identifier: MIT */
/**
 * The thread of events: from the kernel to the settle table, from there to the feed.
 *
 *     inotify --> settle table --(looks the same twice)--> feed --> the line
 *        |            ^ fresh files                          ^
 *        '--> jobs --> the finder (finder.c) ----------------'
 *
 * It never waits for the feed: what has no room stays in the table, and when the table is full the
 * finder is asked to look at everything later, which does wait.
 */
#include "watch/watcher.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread.h"
#include "pipeline/imagefolder.h"
#include "watch/ignore.h"
#include "watch/watcher_state.h"

/* Files that may be growing at a time; more than a camera's card, less than a megabyte. */
#define SETTLING 4096

/* How soon deletions are on disk: they come in crowds. */
#define COMMIT_NS 1000000000

/* How soon a missing, replaced or newly mounted root is noticed. */
#define ROOTS_NS 5000000000

void firn_watcher_say(struct firn_watcher *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    firn_tell(w->config->notice, w->config->user, fmt, ap);
    va_end(ap);
}

void firn_watcher_wake(struct firn_watcher *w)
{
    (void)!write(w->wake, &(uint64_t){1}, sizeof(uint64_t));
}

bool firn_watcher_ignores(const struct firn_watcher *w, const char *name)
{
    return firn_ignored(name, w->config->exclude, w->config->n_exclude);
}

void firn_watcher_note(struct firn_watcher *w, size_t root, const char *path, size_t name)
{
    if (!firn_settle_note(w->settle, root, path, name, firn_now_ns()))
        firn_finder_ask_all(w, false);
}

/* ---- events ---- */

/* The root itself: nothing of it may be taken for deleted. */
static bool is_about_root(const struct firn_watcher *w, size_t root, const char *path)
{
    return strcmp(w->config->roots->root[root].path, path) == 0;
}

static void on_directory(struct firn_watcher *w, size_t root, const char *path, size_t name,
                         uint32_t mask)
{
    bool top = strchr(path + name, '/') == NULL;
    if (mask & (IN_DELETE | IN_MOVED_FROM))
        firn_dirs_remove(w->dirs, path);
    /* What is deleted was told of file by file; what is moved is not. */
    if (top || mask & (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM))
        firn_finder_ask(w, root, path + name, mask & IN_MOVED_FROM);
}

/*
 * A file that is being written is closed some day, and has two equal times until then. One whose
 * first name is gone already, as with programs that link and unlink to overwrite nothing, has not.
 */
static bool is_linked(const struct stat *st)
{
    return st->st_nlink > 1 || st->st_mtim.tv_sec != st->st_ctim.tv_sec ||
           st->st_mtim.tv_nsec != st->st_ctim.tv_nsec;
}

static void on_link(struct firn_watcher *w, size_t root, const char *path, size_t name)
{
    struct stat st;
    bool photograph = firn_is_photograph(path);
    if (lstat(path, &st) != 0)
        return;
    if (S_ISREG(st.st_mode) && is_linked(&st) && photograph)
        firn_watcher_note(w, root, path, name);
    if (!S_ISLNK(st.st_mode) || stat(path, &st) != 0)
        return;
    if (S_ISDIR(st.st_mode))
        firn_finder_ask(w, root, path + name, false);
    else if (photograph)
        firn_watcher_note(w, root, path, name);
}

/* It may have come back since: then another event tells of that. */
static void on_file_gone(struct firn_watcher *w, size_t root, const char *path, size_t name)
{
    struct firn_error err;
    struct stat st;
    if (lstat(path, &st) == 0 || errno != ENOENT)
        return;
    if (firn_writer_gone(w->config->writer, w->config->roots->root[root].id, path + name,
                         &err) != 0)
        firn_watcher_say(w, "%s", err.text);
    if (w->commit_due == INT64_MAX)
        w->commit_due = firn_now_ns() + COMMIT_NS;
}

/* Something called event->name in the directory `path` of `root`. */
static void on_entry(struct firn_watcher *w, size_t root, char *path,
                     const struct inotify_event *event)
{
    size_t length = strlen(path), below = strlen(w->config->roots->root[root].path);
    bool in_root = is_about_root(w, root, path);
    int n = snprintf(path + length, PATH_MAX - length, "%s%s", length > 1 ? "/" : "", event->name);
    if (n < 0 || (size_t)n >= PATH_MAX - length || firn_watcher_ignores(w, event->name))
        return;
    size_t name = below > 1 ? below + 1 : 1;
    if (event->mask & IN_ISDIR)
        on_directory(w, root, path, name, event->mask);
    else if (event->mask & (IN_DELETE | IN_MOVED_FROM) && firn_is_photograph(event->name))
        on_file_gone(w, root, path, name);
    else if (event->mask & IN_CREATE)
        on_link(w, root, path, name);
    else if (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO) && firn_is_photograph(event->name) &&
             (!in_root || w->root[root].flat))
        firn_watcher_note(w, root, path, name);
}

static void on_event(struct firn_watcher *w, const struct inotify_event *event)
{
    char path[PATH_MAX];
    size_t root;
    if (event->mask & IN_Q_OVERFLOW) {
        w->status.overflows++;
        firn_finder_ask_all(w, false);
        return;
    }
    for (size_t i = 0; firn_dirs_find(w->dirs, event->wd, i, &root, path); i++) {
        if (event->len && event->name[0])
            on_entry(w, root, path, event);
        else if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED) &&
                 is_about_root(w, root, path))
            firn_finder_ask(w, root, "", false);
    }
    if (event->mask & IN_IGNORED)
        firn_dirs_forget(w->dirs, event->wd);
}

static void read_events(struct firn_watcher *w)
{
    _Alignas(struct inotify_event) char bytes[65536];
    ssize_t n;
    while ((n = read(firn_dirs_fd(w->dirs), bytes, sizeof bytes)) > 0) {
        pthread_mutex_lock(&w->mutex);
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const struct inotify_event *)(bytes + at);
            on_event(w, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
        pthread_mutex_unlock(&w->mutex);
    }
}

/* ---- the clock ---- */

static bool on_settled(void *user, size_t root, const char *path, size_t name)
{
    struct firn_watcher *w = user;
    return firn_feed_try(w->config->feed, w->config->roots->root[root].id, path, name);
}

/* A mount over a root causes no event, nor does a root that comes back. The mutex is held. */
static void check_roots(struct firn_watcher *w)
{
    for (size_t i = 0; i < w->config->roots->n; i++) {
        struct stat st;
        const struct firn_watch_root *known = &w->root[i];
        bool there = stat(w->config->roots->root[i].path, &st) == 0;
        if (!known->seen || w->status.looking)
            continue;
        if (there ? known->missing || st.st_dev != known->dev || st.st_ino != known->ino
                  : !known->missing)
            firn_finder_ask(w, i, "", false);
    }
}

/* Outside of the mutex: this waits for the disk. */
static void commit(struct firn_watcher *w)
{
    struct firn_error err;
    w->commit_due = INT64_MAX;
    if (firn_writer_commit(w->config->writer, &err) != 0)
        firn_watcher_say(w, "%s", err.text);
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < w->config->roots->n; i++)
        if (w->root[i].held &&
            !firn_writer_is_flat(w->config->writer, w->config->roots->root[i].id))
            firn_finder_ask(w, i, "", false); /* its photographs are in the classes now */
    pthread_mutex_unlock(&w->mutex);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Does what is due; returns when something is next. */
static int64_t on_time(struct firn_watcher *w, int64_t *roots_due, int64_t *tick_due)
{
    int64_t now = firn_now_ns();
    if (now >= *tick_due) {
        w->config->tick(w->config->user);
        *tick_due = now + w->config->tick_ns;
    }
    if (now >= w->commit_due)
        commit(w);
    pthread_mutex_lock(&w->mutex);
    if (now >= firn_settle_due(w->settle))
        firn_settle_step(w->settle, now, on_settled, w);
    if (now >= *roots_due) {
        check_roots(w);
        *roots_due = now + ROOTS_NS;
    }
    if (now >= w->status.next_ns) {
        w->status.next_ns = INT64_MAX; /* until that look has ended */
        firn_finder_ask_all(w, false);
    }
    int64_t due = least(least(firn_settle_due(w->settle), w->status.next_ns),
                        least(w->commit_due, least(*roots_due, *tick_due)));
    pthread_mutex_unlock(&w->mutex);
    return due;
}

static void *run_events(void *user)
{
    struct firn_watcher *w = user;
    struct pollfd fds[2] = {{.fd = firn_dirs_fd(w->dirs), .events = POLLIN},
                            {.fd = w->wake, .events = POLLIN}};
    int64_t roots_due = firn_now_ns() + ROOTS_NS, tick_due = 0;
    while (!atomic_load(&w->stop)) {
        int64_t due = on_time(w, &roots_due, &tick_due), rest = due - firn_now_ns();
        struct timespec wait = {.tv_sec = rest / 1000000000, .tv_nsec = rest % 1000000000};
        if (rest <= 0)
            wait = (struct timespec){0};
        uint64_t count;
        if (ppoll(fds, 2, &wait, NULL) > 0 && fds[1].revents)
            (void)!read(w->wake, &count, sizeof count);
        read_events(w);
    }
    return NULL;
}

/* ---- from outside ---- */

static void discard(struct firn_watcher *w)
{
    firn_settle_destroy(w->settle);
    firn_dirs_destroy(w->dirs);
    while (w->n_jobs)
        free(w->job[--w->n_jobs].path);
    if (w->wake >= 0)
        close(w->wake);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->mutex);
    free(w->root);
    free(w);
}

static int start_threads(struct firn_watcher *w, struct firn_error *err)
{
    int status = firn_thread_start(&w->events, "firn-watch", run_events, w);
    w->has_events = status == 0;
    if (!status) {
        status = firn_thread_start(&w->finder, "firn-find", firn_finder_run, w);
        w->has_finder = status == 0;
    }
    return status ? firn_fail(err, FIRN_NOMEM, "cannot start a thread: %s", strerror(-status)) : 0;
}

int firn_watcher_start(struct firn_watcher **out, const struct firn_watcher_config *config,
                       struct firn_error *err)
{
    struct firn_watcher *w = calloc(1, sizeof *w);
    pthread_condattr_t monotonic;
    *out = NULL;
    if (!w)
        return firn_fail_nomem(err, "the watcher");
    w->config = config;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->status.next_ns = w->commit_due = INT64_MAX;
    w->status.looking = w->all = w->hurry = true;
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->root = calloc(config->roots->n, sizeof *w->root);
    int status = w->wake < 0 || !w->root ? firn_fail_nomem(err, "the watcher") : 0;
    if (!status)
        status = firn_settle_create(&w->settle, SETTLING, config->settle_ns, err);
    if (!status)
        status = firn_dirs_create(&w->dirs, config->watch_limit, err);
    if (!status)
        status = start_threads(w, err);
    if (status)
        firn_watcher_stop(w);
    else
        *out = w;
    return status;
}

void firn_watcher_stop(struct firn_watcher *w)
{
    if (!w)
        return;
    atomic_store(&w->stop, true);
    pthread_mutex_lock(&w->mutex);
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->mutex);
    firn_watcher_wake(w);
    if (w->has_events)
        pthread_join(w->events, NULL);
    if (w->has_finder)
        pthread_join(w->finder, NULL);
    discard(w);
}

void firn_watcher_rescan(struct firn_watcher *w)
{
    pthread_mutex_lock(&w->mutex);
    firn_finder_ask_all(w, true);
    pthread_mutex_unlock(&w->mutex);
}

void firn_watcher_again(struct firn_watcher *w, const char *path)
{
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < w->config->roots->n; i++) {
        const char *root = w->config->roots->root[i].path;
        size_t n = strlen(root);
        if (strncmp(path, root, n) == 0 && (path[n] == '/' || n == 1))
            firn_watcher_note(w, i, path, n > 1 ? n + 1 : 1);
    }
    pthread_mutex_unlock(&w->mutex);
    firn_watcher_wake(w);
}

void firn_watcher_status(struct firn_watcher *w, struct firn_watcher_status *status)
{
    struct firn_dirs_counts counts;
    firn_dirs_count(w->dirs, &counts);
    pthread_mutex_lock(&w->mutex);
    *status = w->status;
    status->settling = firn_settle_count(w->settle);
    status->looking |= w->n_jobs > 0 || w->all;
    status->watched = counts.watched;
    status->unwatched = counts.unwatched;
    pthread_mutex_unlock(&w->mutex);
}
