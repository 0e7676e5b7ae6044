/* SPDX-License-Identifier: MIT */
/** Aligned memory. */
#ifndef FIRN_SRC_BASE_MEM_H
#define FIRN_SRC_BASE_MEM_H

#include <stddef.h>

/** Alignment of everything that SIMD code touches: one cache line, two AVX2 registers. */
#define FIRN_ALIGN 64

/**
 * `count` objects of `size` bytes, 64-byte aligned, zeroed; blocks of 2 MiB and more ask for huge
 * pages (the weights are read from end to end for every batch: TLB misses cost). NULL when memory
 * is out or count * size overflows. Free with firn_free().
 */
void *firn_alloc(size_t count, size_t size);

/** As firn_alloc(), but what it holds is arbitrary: for large blocks that are filled at once. */
void *firn_alloc_raw(size_t count, size_t size);

/** Frees what firn_alloc() gave; NULL is fine. */
void firn_free(void *p);

#endif
