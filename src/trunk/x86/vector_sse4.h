/* SPDX-License-Identifier: MIT */
/** What the kernel templates (*_vector.h) need to know of SSE. */
#ifndef FIRN_SRC_TRUNK_X86_VECTOR_SSE4_H
#define FIRN_SRC_TRUNK_X86_VECTOR_SSE4_H

#include <smmintrin.h>

typedef __m128 vec;
#define LANES 4
#define LOAD(p) _mm_loadu_ps(p)
#define STORE(p, v) _mm_storeu_ps(p, v)
#define SET(x) _mm_set1_ps(x)
#define FMA(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
#define MAX(a, b) _mm_max_ps(a, b)
#define SPREAD(v, j) _mm_shuffle_ps(v, v, 0x55 * (j)) /* element j, four times */
#define GEMM_ROWS 3 /* twelve sums of the sixteen registers */
#define CHAIN(g) ((g)->chain / FIRN_UNFUSED)

#endif
