/* SPDX-License-Identifier: MIT */
/**
 * Records of one size in a file, in pages that each have a block header and a checksum. A page is
 * read when it is first asked for, and kept; so opening costs nothing, and memory grows with what
 * is looked at.
 */
#ifndef FIRN_SRC_CACHE_TABLE_H
#define FIRN_SRC_CACHE_TABLE_H

#include <stdatomic.h>

#include "cache/bytes.h"
#include "cache/format.h"

enum { FIRN_TABLE_PAYLOAD = FIRN_PAGE - FIRN_HEADER };

/** What asking met that kept it from an answer; bits. */
enum { FIRN_OUT_OF_MEMORY = 1, FIRN_DAMAGED = 2 };

struct firn_table {
    int fd;
    uint64_t cache, id;  /* names that its pages carry */
    uint32_t first;      /* page of the file that it begins at */
    uint32_t width;      /* bytes of a record */
    size_t n;            /* records */
    _Atomic(uint8_t *) *page; /* payloads that have been read; NULL entries have not */
    atomic_int trouble;  /* with pages that were asked for */
};

static inline size_t firn_table_per_page(uint32_t width)
{
    return FIRN_TABLE_PAYLOAD / width;
}

static inline size_t firn_table_pages(size_t n, uint32_t width)
{
    return (n + firn_table_per_page(width) - 1) / firn_table_per_page(width);
}

/** 0, or -1 when memory is out. */
int firn_table_init(struct firn_table *table, int fd, uint64_t cache, uint64_t id, uint32_t first,
                    uint32_t width, size_t n);
void firn_table_fini(struct firn_table *table);

/** Frees what pages were read. No other thread may be at it. */
void firn_table_forget(struct firn_table *table);

/** Record i (below n), or NULL: trouble with its page. Any thread may ask. */
const uint8_t *firn_table_at(const struct firn_table *table, size_t i);

/** Reads all pages and keeps none. 0, or -1: one is damaged. */
int firn_table_check(const struct firn_table *table);

/** The page `number` of a file: header and checksum around what is in `page` behind the header. */
void firn_table_seal(uint8_t page[FIRN_PAGE], uint64_t cache, uint64_t id, uint32_t number);

#endif
