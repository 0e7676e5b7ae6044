/* SPDX-License-Identifier: MIT */
#include "pipeline/offer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/item.h"

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* True when the cache has it already: nothing to do but to count. */
static bool is_known(const struct firn_offer *o, uint32_t root, const char *path, size_t name,
                     const struct stat *st)
{
    struct firn_board *board = o->board;
    switch (firn_writer_known(o->writer, root, path + name, (uint64_t)st->st_size,
                              nanoseconds(st->st_mtim), nanoseconds(st->st_ctim))) {
    case FIRN_KNOWN_DONE:
        firn_board_add(board->known, 1);
        return true;
    case FIRN_KNOWN_CORRUPT:
        firn_board_add(board->known_corrupt, 1);
        firn_board_tell(board, FIRN_CORRUPT, path, "%s; not changed since",
                        firn_writer_reason(o->writer, root, path + name));
        return true;
    case FIRN_UNKNOWN:
        break;
    }
    return false;
}

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a directory; give it as an argument, not in a list";
    case S_IFIFO:
        return "a FIFO, not a regular file";
    case S_IFSOCK:
        return "a socket, not a regular file";
    default:
        return "a device, not a regular file";
    }
}

/* A free item for it; NULL: the run ends. */
static struct firn_item *take(const struct firn_offer *o, uint32_t root, const char *path,
                              size_t name)
{
    firn_writer_meet(o->writer, root, path + name);
    struct firn_item *item = firn_ring_pop(o->in);
    if (!item)
        return NULL;
    firn_item_reset(item);
    item->root = root;
    item->name = name;
    snprintf(item->path, sizeof item->path, "%s", path);
    return item;
}

void firn_offer_unreadable(const struct firn_offer *o, uint32_t root, const char *path,
                           size_t name, int error)
{
    firn_board_add(o->board->found, 1);
    struct firn_item *item = take(o, root, path, name);
    if (!item)
        return;
    firn_item_fail(item, FIRN_SKIPPED, "this directory cannot be read: %s; its photographs are "
                   "missing", strerror(error));
    firn_ring_push(o->out, item);
}

bool firn_offer(const struct firn_offer *o, uint32_t root, const char *path, size_t name)
{
    struct firn_board *board = o->board;
    struct stat st = {0};
    if (firn_board_halted(board))
        return false;
    firn_board_add(board->found, 1);
    int error = stat(path, &st) ? errno : 0;
    if (!error && S_ISREG(st.st_mode) && is_known(o, root, path, name, &st))
        return true;
    struct firn_item *item = take(o, root, path, name);
    if (!item)
        return false;
    item->size = error ? 0 : (uint64_t)st.st_size;
    item->mtime_ns = nanoseconds(st.st_mtim);
    item->ctime_ns = nanoseconds(st.st_ctim);
    if (error)
        firn_item_unreadable(item, error, o->follows);
    else if (!S_ISREG(st.st_mode))
        firn_item_fail(item, FIRN_SKIPPED, "%s", kind_of(st.st_mode));
    firn_ring_push(o->out, item);
    return true;
}
