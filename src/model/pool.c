/* SPDX-License-Identifier: MIT */
#include "model/pool.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)64 << 10)
#define ALIGN 16

struct firn_pool_chunk {
    struct firn_pool_chunk *before;
    size_t size;
    _Alignas(ALIGN) char bytes[];
};

static int add_chunk(struct firn_pool *pool, size_t size)
{
    size_t left = pool->limit - pool->total; /* total never exceeds limit */
    size_t usual = left < CHUNK ? left : CHUNK;
    if (size > left)
        return -1;
    size = size > usual ? size : usual;
    struct firn_pool_chunk *chunk = calloc(1, sizeof *chunk + size);
    if (!chunk) {
        pool->out_of_memory = true;
        return -1;
    }
    chunk->before = pool->chunk;
    chunk->size = size;
    pool->chunk = chunk;
    pool->fill = 0;
    pool->total += size;
    return 0;
}

void *firn_pool_alloc(struct firn_pool *pool, size_t size)
{
    if (size > pool->limit)
        return NULL;
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (!pool->chunk || size > pool->chunk->size - pool->fill)
        if (add_chunk(pool, size))
            return NULL;
    void *p = pool->chunk->bytes + pool->fill;
    pool->fill += size;
    return p;
}

char *firn_pool_text(struct firn_pool *pool, const void *bytes, size_t n)
{
    char *text = firn_pool_alloc(pool, n + 1);
    if (text)
        memcpy(text, bytes, n);
    return text;
}

void firn_pool_free(struct firn_pool *pool)
{
    while (pool->chunk) {
        struct firn_pool_chunk *before = pool->chunk->before;
        free(pool->chunk);
        pool->chunk = before;
    }
    pool->fill = pool->total = 0;
}
