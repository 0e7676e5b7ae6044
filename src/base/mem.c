/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *firn_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > (size_t)-1 / 2)
        return NULL;
    size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : FIRN_ALIGN;
    bytes = (bytes + FIRN_ALIGN - 1) / FIRN_ALIGN * FIRN_ALIGN;
    void *p;
    if (posix_memalign(&p, align, bytes ? bytes : FIRN_ALIGN))
        return NULL;
    if (bytes >= HUGE_PAGE)
        madvise(p, bytes, MADV_HUGEPAGE); /* advice: its failure changes nothing but speed */
    memset(p, 0, bytes);
    return p;
}

void firn_free(void *p)
{
    free(p);
}
