/* SPDX-License-Identifier: MIT */
#include "pipeline/item.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/mem.h"

/* Neighbours are written by different threads: each crop and feature begins on its own line. */
static size_t padded(size_t bytes)
{
    return (bytes + FIRN_ALIGN - 1) / FIRN_ALIGN * FIRN_ALIGN;
}

int firn_slab_create(struct firn_slab *slab, size_t count, int views, int crop, int dim,
                     struct firn_error *err)
{
    size_t crop_bytes = padded((size_t)views * (size_t)crop * (size_t)crop * 3);
    size_t feature_bytes = padded((size_t)views * (size_t)dim * sizeof(float));
    *slab = (struct firn_slab){
        .item = firn_alloc(count, sizeof *slab->item),
        .count = count,
        .bytes = count * (sizeof *slab->item + crop_bytes + feature_bytes),
        .crops = firn_alloc(count, crop_bytes),
        .features = firn_alloc(count, feature_bytes),
    };
    if (!slab->item || !slab->crops || !slab->features) {
        firn_slab_destroy(slab);
        return firn_fail_nomem(err, "the photographs in work");
    }
    for (size_t i = 0; i < count; i++) {
        slab->item[i].crop = slab->crops + i * crop_bytes;
        slab->item[i].feature = slab->features + i * (feature_bytes / sizeof(float));
    }
    return 0;
}

void firn_slab_destroy(struct firn_slab *slab)
{
    firn_free(slab->item);
    firn_free(slab->crops);
    firn_free(slab->features);
    *slab = (struct firn_slab){0};
}

void firn_slab_fill(struct firn_slab *slab, struct firn_ring *ring)
{
    for (size_t i = 0; i < slab->count; i++)
        firn_ring_push(ring, &slab->item[i]);
}

void firn_item_reset(struct firn_item *item)
{
    item->root = 0;
    item->name = 0;
    item->path[0] = '\0';
    item->size = 0;
    item->mtime_ns = item->ctime_ns = 0;
    item->file = NULL;
    memset(item->content, 0, sizeof item->content);
    item->kin = FIRN_KIN_NONE;
    item->reused = false;
    item->fate = FIRN_LIVE;
    item->reason[0] = '\0';
}

void firn_item_fail(struct firn_item *item, enum firn_state state, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(item->reason, sizeof item->reason, fmt, ap);
    va_end(ap);
    item->fate = (int)state;
}

void firn_item_unreadable(struct firn_item *item, int error, bool follows)
{
    struct stat st; /* a link to nothing is still there */
    bool gone = (error == ENOENT || error == ENOTDIR) && lstat(item->path, &st) != 0;
    if (gone && follows)
        firn_item_drop(item);
    else
        firn_item_fail(item, FIRN_SKIPPED, "%s", strerror(error));
}

void firn_item_drop(struct firn_item *item)
{
    firn_blob_return(item->file);
    item->file = NULL;
    if (item->fate == FIRN_LIVE)
        item->fate = FIRN_DROPPED;
}
