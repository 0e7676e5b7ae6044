/* SPDX-License-Identifier: MIT */
/** For the tests of stages: a temporary tree, and a stage run without threads. */
#ifndef FIRN_TESTS_TEST_PIPELINE_H
#define FIRN_TESTS_TEST_PIPELINE_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "pipeline/board.h"
#include "pipeline/item.h"
#include "pipeline/stage.h"

static char tree[64]; /* the temporary directory, real path */

static inline void tree_create(void)
{
    const char *base = getenv("TMPDIR");
    char path[64], real[PATH_MAX];
    snprintf(path, sizeof path, "%.40s/firn-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path) || !realpath(path, real) || strlen(real) >= sizeof tree)
        abort();
    strcpy(tree, real);
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void tree_remove(void)
{
    nftw(tree, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/** The absolute path of something in the tree; a static buffer, one of four. */
static inline const char *in_tree(const char *fmt, ...)
{
    static char buffer[4][PATH_MAX];
    static int turn;
    char *path = buffer[turn++ % 4];
    int n = snprintf(path, PATH_MAX, "%s/", tree);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path + n, PATH_MAX - (size_t)n, fmt, ap);
    va_end(ap);
    return path;
}

static inline void make_dir(const char *name)
{
    if (mkdir(in_tree("%s", name), 0777) != 0)
        abort();
}

static inline void make_file(const char *name, const void *bytes, size_t n)
{
    int fd = open(in_tree("%s", name), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        abort();
    close(fd);
}

/** Rings, board and items for one stage. */
struct bench {
    struct firn_ring *in, *out;
    struct firn_board board;
    struct firn_slab slab;
};

#define BENCH_ITEMS 64

static inline void bench_create(struct bench *b, int crop, int dim)
{
    struct firn_error err;
    b->in = firn_ring_create(BENCH_ITEMS, 1);
    b->out = firn_ring_create(BENCH_ITEMS, 1);
    if (!b->in || !b->out || firn_board_create(&b->board, 1, &err) ||
        firn_slab_create(&b->slab, BENCH_ITEMS, 1, crop, dim, &err))
        abort();
}

static inline void bench_destroy(struct bench *b)
{
    firn_ring_destroy(b->in);
    firn_ring_destroy(b->out);
    firn_board_destroy(&b->board);
    firn_slab_destroy(&b->slab);
}

/** Runs one worker to its end, in this thread; its out ring is closed behind it. */
static inline int run_stage(const struct firn_stage_type *type, const void *config,
                            struct firn_ring *out, struct firn_error *err)
{
    void *worker;
    int status = type->start(&worker, config, err);
    if (status)
        return status;
    status = type->run(worker, err);
    firn_ring_close(out);
    type->stop(worker);
    return status;
}

/** An item for a file by absolute path, live, as scan would send it. */
static inline struct firn_item *make_item(struct bench *b, size_t i, const char *path)
{
    struct firn_item *item = &b->slab.item[i];
    firn_item_reset(item);
    snprintf(item->path, sizeof item->path, "%s", path);
    return item;
}

#endif
