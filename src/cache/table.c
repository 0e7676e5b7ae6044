/* SPDX-License-Identifier: MIT */
#include "cache/table.h"

#include "base/hash.h"
#include "cache/block.h"
#include "cache/segment.h"

int firn_table_init(struct firn_table *t, int fd, uint64_t cache, uint64_t id, uint32_t first,
                    uint32_t width, size_t n)
{
    *t = (struct firn_table){fd, cache, id, first, width, n, NULL, 0};
    t->page = calloc(firn_table_pages(n, width) + 1, sizeof *t->page);
    return t->page ? 0 : -1;
}

void firn_table_forget(struct firn_table *t)
{
    size_t pages = t->page ? firn_table_pages(t->n, t->width) : 0;
    for (size_t i = 0; i < pages; i++)
        free(atomic_exchange_explicit(t->page + i, NULL, memory_order_relaxed));
    atomic_fetch_and(&t->trouble, ~FIRN_OUT_OF_MEMORY);
}

void firn_table_fini(struct firn_table *t)
{
    firn_table_forget(t);
    free(t->page);
    t->page = NULL;
}

void firn_table_seal(uint8_t page[FIRN_PAGE], uint64_t cache, uint64_t id, uint32_t number)
{
    struct firn_block b = {
        .type = FIRN_BLOCK_TABLE, .cache = cache, .segment = id, .sequence = number,
        .stored = FIRN_TABLE_PAYLOAD, .raw = FIRN_TABLE_PAYLOAD,
        .payload_sum = firn_checksum(page + FIRN_HEADER, FIRN_TABLE_PAYLOAD)};
    firn_header_encode(&b, page);
}

/* Reads page k and checks that it is that one, and whole. */
static bool read_page(const struct firn_table *t, size_t k, uint8_t page[FIRN_PAGE])
{
    struct firn_block b;
    uint32_t number = t->first + (uint32_t)k;
    return firn_read_at(t->fd, page, FIRN_PAGE, (uint64_t)number * FIRN_PAGE) == 0 &&
           firn_header_decode(page, &b) == FIRN_HEADER_GOOD && b.type == FIRN_BLOCK_TABLE &&
           b.cache == t->cache && b.segment == t->id && b.sequence == number &&
           b.stored == FIRN_TABLE_PAYLOAD &&
           firn_checksum(page + FIRN_HEADER, FIRN_TABLE_PAYLOAD) == b.payload_sum;
}

/* Two threads may read the same page; one of the copies is kept. */
static const uint8_t *fetch(const struct firn_table *t, size_t k)
{
    uint8_t page[FIRN_PAGE], *none = NULL;
    bool good = read_page(t, k, page);
    uint8_t *payload = good ? malloc(FIRN_TABLE_PAYLOAD) : NULL;
    if (!payload) {
        atomic_fetch_or(&((struct firn_table *)t)->trouble, good ? FIRN_OUT_OF_MEMORY
                                                                 : FIRN_DAMAGED);
        return NULL;
    }
    memcpy(payload, page + FIRN_HEADER, FIRN_TABLE_PAYLOAD);
    if (atomic_compare_exchange_strong(t->page + k, &none, payload))
        return payload;
    free(payload);
    return none;
}

const uint8_t *firn_table_at(const struct firn_table *t, size_t i)
{
    size_t per_page = firn_table_per_page(t->width), k = i / per_page;
    const uint8_t *page = atomic_load_explicit(t->page + k, memory_order_acquire);
    if (!page)
        page = fetch(t, k);
    return page ? page + i % per_page * t->width : NULL;
}

int firn_table_check(const struct firn_table *t)
{
    uint8_t page[FIRN_PAGE];
    for (size_t k = 0; k < firn_table_pages(t->n, t->width); k++)
        if (!read_page(t, k, page))
            return -1;
    return 0;
}
