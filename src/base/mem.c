/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

/* The bytes of `count` objects, in whole lines; 0 when that is too many. */
static size_t bytes_of(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > (size_t)-1 / 2)
        return 0;
    return bytes ? (bytes + FIRN_ALIGN - 1) / FIRN_ALIGN * FIRN_ALIGN : FIRN_ALIGN;
}

void *firn_alloc_raw(size_t count, size_t size)
{
    size_t bytes = bytes_of(count, size);
    void *p;
    if (bytes == 0 || posix_memalign(&p, bytes >= HUGE_PAGE ? HUGE_PAGE : FIRN_ALIGN, bytes))
        return NULL;
    if (bytes >= HUGE_PAGE)
        madvise(p, bytes, MADV_HUGEPAGE); /* advice: its failure changes nothing but speed */
    return p;
}

void *firn_alloc(size_t count, size_t size)
{
    void *p = firn_alloc_raw(count, size);
    return p ? memset(p, 0, bytes_of(count, size)) : NULL;
}

void firn_free(void *p)
{
    free(p);
}
