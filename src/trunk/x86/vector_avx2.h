/* SPDX-License-Identifier: MIT */
/** What the kernel templates (*_vector.h) need to know of AVX2. */
#ifndef FIRN_SRC_TRUNK_X86_VECTOR_AVX2_H
#define FIRN_SRC_TRUNK_X86_VECTOR_AVX2_H

#include <immintrin.h>

typedef __m256 vec;
#define LANES 8
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define SET(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define MAX(a, b) _mm256_max_ps(a, b)
#define SPREAD(v, j) _mm256_permute_ps(v, 0x55 * (j)) /* element j of each four, four times */

#endif
