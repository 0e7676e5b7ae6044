/* SPDX-License-Identifier: MIT */
/**
 * First fit at the lowest address, over a handful of blobs, in one reserved mapping:
 *
 *     0                          budget                                    limit
 *     |aaaa|bb|....|cccccc|......|- - - - - only one larger file, alone - - |
 *
 * Low addresses are used again and again, so that their pages stay mapped and cached; what lies
 * above KEEP is given back to the system as soon as it is free. The readers own the list of
 * blobs (behind a mutex: there may be several); the decoders only push what they are done with
 * onto a ring, which has a slot for every blob and so never makes them wait.
 */
#include "pipeline/arena.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/ring.h"

/* Resident memory that is kept between files: a dozen usual photographs. */
#define KEEP ((size_t)16 << 20)

struct slot {
    struct firn_blob blob; /* first, so that a blob is its slot */
    size_t at, room;           /* whole pages of the mapping */
};

struct firn_arena {
    uint8_t *base;
    size_t page, budget, limit, mapped;
    size_t slots;
    struct slot *slab;         /* [slots] */
    struct firn_ring *returned;
    pthread_mutex_t lock;      /* of all below; only readers take it */
    struct slot **live;        /* [slots], by rising address */
    struct slot **unused;      /* [slots], a stack */
    size_t n_live, n_unused;
};

static size_t whole_pages(const struct firn_arena *a, size_t bytes)
{
    return (bytes + a->page - 1) / a->page * a->page;
}

int firn_arena_create(struct firn_arena **out, size_t blobs, size_t budget, size_t limit,
                      struct firn_error *err)
{
    struct firn_arena *a = calloc(1, sizeof *a);
    *out = NULL;
    if (!a)
        return firn_fail_nomem(err, "file buffers");
    pthread_mutex_init(&a->lock, NULL);
    a->page = (size_t)sysconf(_SC_PAGESIZE);
    a->budget = whole_pages(a, budget);
    a->limit = limit;
    a->mapped = whole_pages(a, limit > budget ? limit : budget);
    a->slots = blobs;
    a->slab = calloc(blobs, sizeof *a->slab);
    a->live = calloc(blobs, sizeof *a->live);
    a->unused = calloc(blobs, sizeof *a->unused);
    a->returned = firn_ring_create(blobs, 1);
    a->base = mmap(NULL, a->mapped, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (a->base == MAP_FAILED)
        a->base = NULL;
    if (!a->slab || !a->live || !a->unused || !a->returned || !a->base) {
        firn_arena_destroy(a);
        return firn_fail_nomem(err, "file buffers");
    }
    for (size_t i = 0; i < blobs; i++)
        a->unused[a->n_unused++] = &a->slab[i];
    *out = a;
    return 0;
}

void firn_arena_destroy(struct firn_arena *a)
{
    if (!a)
        return;
    if (a->base)
        munmap(a->base, a->mapped);
    firn_ring_destroy(a->returned);
    free(a->unused);
    free(a->live);
    free(a->slab);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

size_t firn_arena_limit(const struct firn_arena *a)
{
    return a->limit;
}

static void give_back_pages(struct firn_arena *a, size_t from, size_t to)
{
    if (from < KEEP)
        from = whole_pages(a, KEEP);
    if (from < to)
        madvise(a->base + from, to - from, MADV_DONTNEED); /* advice: failing costs only memory */
}

static void remove_slot(struct firn_arena *a, struct slot *s)
{
    size_t i = 0;
    while (a->live[i] != s)
        i++;
    a->n_live--;
    memmove(&a->live[i], &a->live[i + 1], (a->n_live - i) * sizeof(struct slot *));
    a->unused[a->n_unused++] = s;
    give_back_pages(a, s->at, s->at + s->room);
}

static struct firn_blob *place(struct firn_arena *a, size_t size)
{
    size_t room = whole_pages(a, size ? size : 1);
    size_t end = room > a->budget && a->n_live == 0 ? a->mapped : a->budget;
    size_t at = 0, i = 0;
    if (!a->n_unused)
        return NULL;
    while (i < a->n_live && a->live[i]->at - at < room) {
        at = a->live[i]->at + a->live[i]->room;
        i++;
    }
    if (at > end || end - at < room)
        return NULL;
    struct slot *s = a->unused[--a->n_unused];
    memmove(&a->live[i + 1], &a->live[i], (a->n_live - i) * sizeof(struct slot *));
    a->live[i] = s;
    a->n_live++;
    s->at = at;
    s->room = room;
    s->blob = (struct firn_blob){.bytes = a->base + at, .size = size, .arena = a};
    return &s->blob;
}

static struct firn_blob *reclaim_and_place(struct firn_arena *a, size_t size)
{
    struct slot *s;
    while ((s = firn_ring_try_pop(a->returned)))
        remove_slot(a, s);
    return place(a, size);
}

struct firn_blob *firn_arena_try(struct firn_arena *a, size_t size)
{
    pthread_mutex_lock(&a->lock);
    struct firn_blob *blob = reclaim_and_place(a, size);
    pthread_mutex_unlock(&a->lock);
    return blob;
}

struct firn_blob *firn_arena_take(struct firn_arena *a, size_t size)
{
    struct firn_blob *blob;
    pthread_mutex_lock(&a->lock);
    while (!(blob = reclaim_and_place(a, size)))
        remove_slot(a, firn_ring_pop(a->returned)); /* never closed, so never NULL */
    pthread_mutex_unlock(&a->lock);
    return blob;
}

void firn_blob_return(struct firn_blob *blob)
{
    if (blob)
        firn_ring_push(blob->arena->returned, blob);
}
