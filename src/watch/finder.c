/* SPDX-License-Identifier: MIT */
/**
 * The thread that walks: everything at the start and now and then, and each directory that appears.
 *
 * Each directory is watched first and then read, so that a file is met by the walk, or by an event,
 * or by both; whoever comes second finds it in the settle table, in the cache, or computes a
 * fingerprint once too often. A directory that is watched already was looked through when that
 * began, so a walk that an event has caused leaves it out: 10,000 nested directories are read once
 * each, though each of them causes a walk.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"
#include "pipeline/classes.h"
#include "pipeline/imagefolder.h"
#include "watch/ignore.h"
#include "watch/watcher_state.h"

/* A file that was touched so lately may be growing: it goes through the settle table. */
#define FRESH_NS 2000000000

/* A class that comes moves all behind it: copying a tree must not fill the log. */
#define SHIFTED_NS 600000000000

/* Full looks that nobody waits for leave at least this much of the time to others. */
#define REST_NS 1000000000
#define REST_FACTOR 4

struct look {
    struct firn_watcher *w;
    size_t root;
    bool whole;    /* also through directories that are watched already */
    bool complete; /* nothing was left out */
    uint64_t seen;
};

/* ---- asking ---- */

void firn_finder_ask_all(struct firn_watcher *w, bool hurry)
{
    w->all = true;
    w->hurry |= hurry;
    pthread_cond_signal(&w->work);
}

void firn_finder_ask(struct firn_watcher *w, size_t root, const char *path, bool moved)
{
    if (w->all)
        return;
    for (size_t i = 0; i < w->n_jobs; i++)
        if (w->job[i].root == root && strcmp(w->job[i].path, path) == 0) {
            w->job[i].moved |= moved;
            return;
        }
    char *copy = w->n_jobs < FIRN_WATCH_JOBS ? strdup(path) : NULL;
    if (copy)
        w->job[w->n_jobs++] = (struct firn_watch_job){root, copy, moved};
    else
        w->all = true;
    pthread_cond_signal(&w->work);
}

/* ---- walking ---- */

static bool stopped(const struct look *l)
{
    return atomic_load_explicit(&l->w->stop, memory_order_relaxed);
}

/* It, or a directory it is in, has a name that is left out. */
static bool is_ignored(const struct look *l, const char *path)
{
    const struct firn_watcher_config *c = l->w->config;
    const char *root = c->roots->root[l->root].path;
    return firn_ignored_path(path + strlen(root), c->exclude, c->n_exclude);
}

static bool on_enter(void *user, const char *path)
{
    struct look *l = user;
    struct firn_watcher *w = l->w;
    bool is_root = strcmp(path, w->config->roots->root[l->root].path) == 0;
    if (stopped(l))
        return false;
    if (!is_root && is_ignored(l, path))
        return l->whole; /* what extract has put into the cache is to be met, no more */
    return firn_dirs_add(w->dirs, l->root, path) != FIRN_DIRS_KNOWN || l->whole;
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Judged by the clock on the wall, like the times of files; a clock that is wrong costs a wait. */
static bool is_fresh(const struct stat *st)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t now = nanoseconds(t);
    int64_t mtime = now - nanoseconds(st->st_mtim), ctime = now - nanoseconds(st->st_ctim);
    return (mtime < FRESH_NS && mtime > -FRESH_NS) || (ctime < FRESH_NS && ctime > -FRESH_NS);
}

static bool on_file(void *user, const char *path, size_t name)
{
    struct look *l = user;
    struct firn_watcher *w = l->w;
    struct stat st;
    uint32_t id = w->config->roots->root[l->root].id;
    if (stopped(l))
        return false;
    firn_writer_meet(w->config->writer, id, path + name);
    if (is_ignored(l, path) || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return true;
    l->seen++;
    if (firn_writer_known(w->config->writer, id, path + name, (uint64_t)st.st_size,
                          nanoseconds(st.st_mtim), nanoseconds(st.st_ctim)) != FIRN_UNKNOWN)
        return true;
    pthread_mutex_lock(&w->mutex);
    bool waits = firn_settle_has(w->settle, path);
    bool sleeps = firn_settle_count(w->settle) == 0;
    if (!waits && is_fresh(&st)) {
        firn_watcher_note(w, l->root, path, name);
        waits = true;
        if (sleeps)
            firn_watcher_wake(w); /* else it comes soon to look at the others */
    }
    pthread_mutex_unlock(&w->mutex);
    return waits || firn_feed_put(w->config->feed, id, path, name);
}

static void on_unreadable(void *user, const char *path, int error)
{
    struct look *l = user;
    l->complete = false;
    if (error != ENOENT && error != ENOTDIR) /* else: gone since */
        firn_watcher_say(l->w, "%.700s: this directory cannot be read: %s", path, strerror(error));
}

static void on_loop(void *user, const char *path)
{
    struct look *l = user;
    if (l->w->status.rescans == 0)
        firn_watcher_say(l->w, "%.700s: this link leads back to a directory it lies in; not "
                               "followed", path);
}

static void walk(struct look *l, const char *below)
{
    const struct firn_imagefolder_events events = {
        .user = l, .file = on_file, .enter = on_enter, .unreadable = on_unreadable,
        .loop = on_loop};
    struct firn_error err;
    const char *root = l->w->config->roots->root[l->root].path;
    if (firn_imagefolder_walk(root, below, &events, &err) != 0) {
        l->complete = false;
        firn_watcher_say(l->w, "%s", err.text);
    }
}

/* ---- roots ---- */

static bool is_remote(const char *path)
{
    static const long magic[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC,
                                 SMB2_SUPER_MAGIC, FUSE_SUPER_MAGIC, V9FS_MAGIC, AFS_SUPER_MAGIC,
                                 CODA_SUPER_MAGIC, CEPH_SUPER_MAGIC};
    struct statfs fs;
    if (statfs(path, &fs) != 0)
        return false;
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if ((unsigned)fs.f_type == (unsigned)magic[i])
            return true;
    return false;
}

static bool same_classes(const struct firn_scan_root *a, const struct firn_scan_root *b)
{
    if (a->n_classes != b->n_classes)
        return false;
    for (size_t i = 0; i < a->n_classes; i++)
        if (strcmp(a->classes[i], b->classes[i]) != 0)
            return false;
    return true;
}

/* Says once that a root is missing, and once that it is back. The mutex is held. */
static void set_missing(struct firn_watcher *w, size_t i, bool missing)
{
    const char *path = w->config->roots->root[i].path;
    if (missing == w->root[i].missing)
        return;
    w->root[i].missing = missing;
    w->status.waiting = false;
    for (size_t k = 0; k < w->config->roots->n; k++)
        w->status.waiting |= w->root[k].missing;
    if (missing) {
        firn_dirs_remove(w->dirs, path);
        firn_watcher_say(w, "%.700s: is not there; waiting for it, nothing is forgotten", path);
    } else {
        firn_watcher_say(w, "%.700s: is there again", path);
    }
}

/* An empty directory in the place of one that had something: what was mounted there is not now. */
static bool is_bare_mount_point(const struct firn_watch_root *known, const struct stat *st,
                                const struct firn_scan_root *before,
                                const struct firn_scan_root *now)
{
    return known->seen && (known->dev != st->st_dev || known->ino != st->st_ino) &&
           before->n_classes > 0 && now->n_classes == 0;
}

/* Says what is unusual about a root's classes, and declares them when they are others. */
static void declare(struct firn_watcher *w, size_t i, struct firn_scan_root *fresh)
{
    struct firn_writer *writer = w->config->writer;
    struct firn_error err;
    char news[1024];
    if (same_classes(&w->config->roots->root[i], fresh))
        return;
    if (firn_classes_shift(fresh, writer, news) &&
        (!w->root[i].shifted || firn_now_ns() - w->root[i].shifted > SHIFTED_NS)) {
        firn_watcher_say(w, "%s", news);
        w->root[i].shifted = firn_now_ns();
    }
    if (firn_writer_root(writer, fresh->path, (const char *const *)fresh->classes,
                         fresh->n_classes, &fresh->id, &err) != 0)
        firn_watcher_say(w, "%s", err.text);
}

static bool hold(struct firn_watcher *w, size_t i, struct firn_scan_root *fresh)
{
    char sub[NAME_MAX + 1];
    bool held = firn_classes_hold(fresh, w->config->writer, sub);
    if (held && !w->root[i].held)
        firn_watcher_say(w, "%.500s: has photographs, and now also the sub-directory %.100s: what "
                            "is in sub-directories is left out. To make them classes, move the "
                            "photographs into them, or stop this and run firn extract once",
                         fresh->path, sub);
    return held;
}

/* Brings a root's classes up to date. True when it is there; *whole: all of it must be walked. */
static bool refresh(struct firn_watcher *w, size_t i, bool *whole)
{
    struct firn_scan_root *root = &w->config->roots->root[i], fresh = {0};
    struct firn_watch_root *known = &w->root[i];
    struct firn_error err;
    struct stat st;
    bool there = stat(root->path, &st) == 0 && S_ISDIR(st.st_mode);
    if (there && known->seen && (known->dev != st.st_dev || known->ino != st.st_ino)) {
        firn_dirs_remove(w->dirs, root->path); /* of a directory that is no longer here */
        *whole = true;
    }
    if (there)
        firn_dirs_add(w->dirs, i, root->path);
    there = there && firn_root_list(&fresh, root, &err) == 0 &&
            !is_bare_mount_point(known, &st, root, &fresh);
    bool held = there && hold(w, i, &fresh);
    if (there)
        declare(w, i, &fresh);
    pthread_mutex_lock(&w->mutex);
    set_missing(w, i, !there);
    if (there) {
        struct firn_scan_root old = *root;
        *root = fresh;
        fresh = old;
        bool flat = root->n_classes == 0;
        *whole |= !known->seen || known->flat != flat;
        *known = (struct firn_watch_root){.dev = st.st_dev, .ino = st.st_ino, .seen = true,
                                          .flat = flat, .held = held, .shifted = known->shifted,
                                          .remote = is_remote(root->path)};
    }
    pthread_mutex_unlock(&w->mutex);
    firn_root_clear(&fresh);
    return there;
}

/* What the ledger knows below a directory and a complete walk of that has not met is gone. */
static void sweep(const struct look *l, const char *below)
{
    struct firn_writer *writer = l->w->config->writer;
    const struct firn_scan_root *root = &l->w->config->roots->root[l->root];
    struct firn_error err;
    size_t gone = 0;
    if (!l->complete || stopped(l))
        return;
    int status = firn_writer_sweep(writer, root->id, below, &gone, &err);
    if (gone && !status)
        status = firn_writer_commit(writer, &err);
    if (gone)
        firn_watcher_say(l->w, "%.500s%s%.400s: %zu photograph%s gone", root->path,
                         *below ? "/" : "", below, gone, gone == 1 ? " is" : "s are");
    if (status)
        firn_watcher_say(l->w, "%s", err.text);
}

static bool is_absent(const struct look *l, const char *below)
{
    char path[PATH_MAX];
    struct stat st;
    const char *root = l->w->config->roots->root[l->root].path;
    return snprintf(path, sizeof path, "%s/%s", root, below) < (int)sizeof path &&
           lstat(path, &st) != 0 && errno == ENOENT;
}

/* A directory was moved away; the root it was in is there. Another may be in its place. */
static void look_for_moved(struct look *l, const char *below)
{
    firn_writer_walk(l->w->config->writer, l->w->config->roots->root[l->root].id, below);
    l->whole = l->complete = true;
    if (!is_absent(l, below))
        walk(l, below);
    sweep(l, below);
}

static void look_at(struct look *l, const char *below, bool moved)
{
    struct firn_watcher *w = l->w;
    bool whole = !*below;
    uint64_t seen_before = l->seen;
    if (!refresh(w, l->root, &whole))
        return;
    const struct firn_scan_root *root = &w->config->roots->root[l->root];
    l->whole = l->complete = whole;
    if (whole)
        firn_writer_walk(w->config->writer, root->id, "");
    if (w->root[l->root].flat) {
        if (whole)
            walk(l, NULL);
    } else if (whole) {
        for (size_t i = 0; i < root->n_classes && !stopped(l); i++)
            walk(l, root->classes[i]);
    } else if (moved) {
        look_for_moved(l, below);
    } else {
        walk(l, below);
    }
    /* A root that holds nothing at all is more likely a disk that is not mounted. */
    if (whole && l->seen > seen_before)
        sweep(l, "");
}

/* ---- the thread ---- */

static void look_at_all(struct firn_watcher *w)
{
    struct look look = {.w = w};
    struct firn_dirs_counts counts;
    int64_t began = firn_now_ns();
    firn_dirs_recount(w->dirs);
    for (look.root = 0; look.root < w->config->roots->n && !stopped(&look); look.root++)
        look_at(&look, "", false);
    firn_dirs_count(w->dirs, &counts);
    pthread_mutex_lock(&w->mutex);
    int64_t now = firn_now_ns(), period = w->config->rescan_ns;
    for (size_t i = 0; i < w->config->roots->n; i++)
        if (w->root[i].remote || counts.unwatched)
            period = w->config->poll_ns;
    if (counts.unwatched && !w->said_limit) {
        w->said_limit = true;
        firn_watcher_say(w, "%zu directories are watched, which is all that this program allows "
                            "itself; %zu more are looked through every %lld seconds (sysctl "
                            "fs.inotify.max_user_watches, or --watch-limit)", counts.watched,
                         counts.unwatched, (long long)(period / 1000000000));
    }
    w->status.rescans++;
    w->status.seen = look.seen;
    w->status.next_ns = now + (period > REST_FACTOR * (now - began) ? period
                                                                   : REST_FACTOR * (now - began));
    pthread_mutex_unlock(&w->mutex);
    firn_watcher_wake(w); /* it waits for next_ns */
}

/* Waits for something to do: true for everything, or a job, whose path is the caller's. */
static bool next_job(struct firn_watcher *w, int64_t rest_until, struct firn_watch_job *job)
{
    *job = (struct firn_watch_job){0};
    pthread_mutex_lock(&w->mutex);
    w->status.looking = false;
    while (!atomic_load(&w->stop) && w->n_jobs == 0) {
        struct timespec t = {rest_until / 1000000000, rest_until % 1000000000};
        if (!w->all)
            pthread_cond_wait(&w->work, &w->mutex);
        else if (w->hurry || firn_now_ns() >= rest_until)
            break;
        else
            pthread_cond_timedwait(&w->work, &w->mutex, &t);
    }
    bool all = w->all && (w->hurry || firn_now_ns() >= rest_until);
    w->status.looking = true;
    if (all) {
        w->all = w->hurry = false;
        while (w->n_jobs)
            free(w->job[--w->n_jobs].path);
    } else if (w->n_jobs) {
        *job = w->job[0];
        memmove(&w->job[0], &w->job[1], --w->n_jobs * sizeof w->job[0]);
    }
    pthread_mutex_unlock(&w->mutex);
    return all;
}

void *firn_finder_run(void *user)
{
    struct firn_watcher *w = user;
    int64_t rest_until = 0;
    while (!atomic_load(&w->stop)) {
        struct firn_watch_job job;
        bool all = next_job(w, rest_until, &job);
        if (all) {
            int64_t began = firn_now_ns(); /* the wait for it is no work to rest from */
            look_at_all(w);
            int64_t now = firn_now_ns(), rest = REST_FACTOR * (now - began);
            rest_until = now + (rest > REST_NS ? rest : REST_NS);
        } else if (job.path) {
            struct look look = {.w = w, .root = job.root};
            look_at(&look, job.path, job.moved);
            free(job.path);
        }
    }
    return NULL;
}
