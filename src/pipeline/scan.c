/* SPDX-License-Identifier: MIT */
#include "pipeline/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "pipeline/item.h"
#include "pipeline/imagefolder.h"

struct scan {
    const struct firn_scan_config *config;
    uint32_t root;         /* of the walk going on */
    size_t below;          /* where names in it begin */
    uint64_t met;          /* photographs that it has met */
    bool complete;         /* it has seen all there is */
    int fd;                /* of the list, -1 without one */
    size_t length;         /* of the name being collected */
    char name[PATH_MAX];
    char chunk[64 * 1024]; /* of the list */
};

static bool on_file(void *user, const char *path, size_t name)
{
    struct scan *s = user;
    s->met++;
    return firn_offer(&s->config->offer, s->root, path, name);
}

/* In the ledger it stands for its photographs: nobody knows which ones are behind it. */
static void on_unreadable(void *user, const char *path, int error)
{
    struct scan *s = user;
    s->complete = false;
    if (strlen(path) > s->below) {
        firn_offer_unreadable(&s->config->offer, s->root, path, s->below, error);
        return;
    }
    firn_board_add(s->config->offer.board->skipped, 1); /* the root itself, which has no name */
    firn_board_tell(s->config->offer.board, FIRN_SKIPPED, path, "this directory cannot be read: %s",
                    strerror(error));
}

static void on_loop(void *user, const char *path)
{
    struct scan *s = user;
    firn_board_tell(s->config->offer.board, 0, NULL,
                    "%.400s: this link leads back to a directory it lies in; not followed", path);
}

/*
 * What the ledger knows of a root and a complete walk did not meet is gone. A root that holds
 * nothing at all is more likely a disk that is not mounted: there, all stays as it is.
 */
static int sweep(struct scan *s, const struct firn_scan_root *root, struct firn_error *err)
{
    size_t gone = 0;
    if (!s->complete || s->met == 0 || firn_board_halted(s->config->offer.board))
        return 0;
    int status = firn_writer_sweep(s->config->offer.writer, root->id, "", &gone, err);
    if (gone)
        firn_board_tell(s->config->offer.board, 0, NULL,
                        "%.400s: %zu of what earlier runs found %s gone; features are kept until "
                        "the cache is compacted", root->path, gone, gone == 1 ? "is" : "are");
    return status;
}

/* Class by class, or what is directly in it; until there is enough (NULL: never). */
static int walk_root(const struct firn_scan_root *root,
                     const struct firn_imagefolder_events *events, const bool *enough,
                     struct firn_error *err)
{
    int status = 0;
    if (root->n_classes == 0)
        status = firn_imagefolder_walk(root->path, NULL, events, err);
    for (size_t i = 0; i < root->n_classes && !status && !(enough && *enough); i++)
        status = firn_imagefolder_walk(root->path, root->classes[i], events, err);
    return status;
}

/* ---- is there anything? ---- */

static bool on_any(void *user, const char *path, size_t name)
{
    (void)path, (void)name;
    *(bool *)user = true;
    return false;
}

static void on_any_unreadable(void *user, const char *path, int error)
{
    (void)path, (void)error;
    *(bool *)user = true; /* the run will say */
}

static void on_any_loop(void *user, const char *path)
{
    (void)user, (void)path;
}

int firn_scan_any(const struct firn_roots *roots, bool *any, struct firn_error *err)
{
    const struct firn_imagefolder_events events = {
        .user = any, .file = on_any, .unreadable = on_any_unreadable, .loop = on_any_loop};
    int status = 0;
    *any = false;
    for (size_t i = 0; i < roots->n && !*any && !status; i++)
        status = walk_root(&roots->root[i], &events, any, err);
    return status;
}

/* ---- the walk ---- */

static int scan_root(struct scan *s, const struct firn_scan_root *root, struct firn_error *err)
{
    const struct firn_imagefolder_events events = {
        .user = s, .file = on_file, .unreadable = on_unreadable, .loop = on_loop};
    if (root->ignored)
        firn_board_tell(s->config->offer.board, 0, NULL,
                        "%.400s: %zu photograph%s beside the classes ignored, as ImageFolder does",
                        root->path, root->ignored, root->ignored == 1 ? "" : "s");
    s->root = root->id;
    s->below = strlen(root->path) + (strcmp(root->path, "/") != 0);
    s->met = 0;
    s->complete = true;
    int status = walk_root(root, &events, NULL, err);
    return status ? status : sweep(s, root, err);
}

/* One whole name of the list has been collected. */
static bool offer_name(struct scan *s)
{
    char path[PATH_MAX];
    size_t length = s->length;
    s->length = 0;
    if (length == 0)
        return true;
    if (length < sizeof s->name) {
        s->name[length] = '\0';
        if (firn_absolute(s->name, path))
            return firn_offer(&s->config->offer, s->config->roots->files_id, path, 0);
    }
    s->name[length < sizeof s->name ? length : sizeof s->name - 1] = '\0';
    firn_board_add(s->config->offer.board->found, 1);
    firn_board_add(s->config->offer.board->skipped, 1);
    firn_board_tell(s->config->offer.board, FIRN_SKIPPED, s->name, "%s", strerror(ENAMETOOLONG));
    return true;
}

static bool collect(struct scan *s, const char *bytes, size_t n)
{
    char end = s->config->zero ? '\0' : '\n';
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == end) {
            if (!offer_name(s))
                return false;
        } else if (s->length < sizeof s->name) {
            s->name[s->length++] = bytes[i]; /* full: too long, the rest is of no interest */
        }
    }
    return true;
}

/* Waits for the list (it may be a terminal or a slow pipe) without missing the end of the run. */
static ssize_t read_list(struct scan *s)
{
    struct pollfd wait = {.fd = s->fd, .events = POLLIN};
    while (!firn_board_halted(s->config->offer.board)) {
        int ready = poll(&wait, 1, 100);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        ssize_t n = read(s->fd, s->chunk, sizeof s->chunk);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN))
            return n;
    }
    return 0;
}

static int scan_list(struct scan *s, struct firn_error *err)
{
    ssize_t n;
    while ((n = read_list(s)) > 0) {
        if (!s->config->zero && memchr(s->chunk, '\0', (size_t)n))
            return firn_fail_nul(err, s->config->list);
        if (!collect(s, s->chunk, (size_t)n))
            return 0;
    }
    if (n < 0)
        return firn_fail(err, FIRN_IO, "%s: %s", s->config->list, strerror(errno));
    offer_name(s);
    return 0;
}

static int open_list(struct scan *s, struct firn_error *err)
{
    struct stat st;
    const char *list = s->config->list;
    s->fd = -1;
    if (!list)
        return 0;
    bool standard = strcmp(list, "-") == 0;
    s->fd = standard ? STDIN_FILENO : open(list, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return firn_fail_errno(err, FIRN_NOINPUT, list);
    if (S_ISDIR(st.st_mode))
        return firn_fail(err, FIRN_NOINPUT, "%s: is a directory, not a list of files", list);
    return 0;
}

static void scan_stop(void *worker)
{
    struct scan *s = worker;
    if (s && s->fd > STDIN_FILENO)
        close(s->fd);
    firn_free(s);
}

static int scan_start(void **worker, const void *config, struct firn_error *err)
{
    struct scan *s = firn_alloc(1, sizeof *s);
    *worker = NULL;
    if (!s)
        return firn_fail_nomem(err, "the scan");
    s->config = config;
    int status = open_list(s, err);
    if (status)
        scan_stop(s);
    else
        *worker = s;
    return status;
}

static int scan_run(void *worker, struct firn_error *err)
{
    struct scan *s = worker;
    const struct firn_roots *roots = s->config->roots;
    struct firn_board *board = s->config->offer.board;
    int status = 0;
    for (size_t i = 0; i < roots->n && !status; i++)
        status = firn_board_halted(board) ? 0 : scan_root(s, &roots->root[i], err);
    for (size_t i = 0; i < roots->n_files && !status; i++)
        if (!firn_offer(&s->config->offer, roots->files_id, roots->file[i], 0))
            break;
    if (s->fd >= 0 && !status)
        status = scan_list(s, err);
    if (!status && !firn_board_halted(board))
        atomic_store_explicit(&board->scan_done, true, memory_order_relaxed);
    return status;
}

const struct firn_stage_type firn_scan_stage = {"firn-scan", scan_start, scan_run, scan_stop};
