/* SPDX-License-Identifier: MIT */
#include "pipeline/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/item.h"
#include "pipeline/imagefolder.h"

struct scan {
    const struct firn_scan_config *config;
    uint32_t root;         /* of the walk going on */
    size_t below;          /* where names in it begin */
    uint64_t met;          /* photographs that it has met */
    bool complete;         /* it has seen all there is */
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

static bool is_halted(void *board)
{
    return firn_board_halted(board);
}

static int scan_names(struct scan *s, struct firn_error *err)
{
    struct firn_board *board = s->config->offer.board;
    char path[PATH_MAX];
    int next;
    while ((next = firn_names_next(s->config->names, is_halted, board, path, err)) > 0) {
        if (next == FIRN_NAMES_LONG) {
            firn_board_add(board->found, 1);
            firn_board_add(board->skipped, 1);
            firn_board_tell(board, FIRN_SKIPPED, path, "%s", strerror(ENAMETOOLONG));
        } else if (!firn_offer(&s->config->offer, s->config->roots->files_id, path, 0)) {
            return 0;
        }
    }
    return next;
}

static void scan_stop(void *worker)
{
    free(worker);
}

static int scan_start(void **worker, const void *config, struct firn_error *err)
{
    struct scan *s = calloc(1, sizeof *s);
    *worker = s;
    if (!s)
        return firn_fail_nomem(err, "the scan");
    s->config = config;
    return 0;
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
    if (s->config->names && !status)
        status = scan_names(s, err);
    if (!status && !firn_board_halted(board))
        atomic_store_explicit(&board->scan_done, true, memory_order_relaxed);
    return status;
}

const struct firn_stage_type firn_scan_stage = {"firn-scan", scan_start, scan_run, scan_stop};
