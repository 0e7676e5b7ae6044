/* SPDX-License-Identifier: MIT */
#include <immintrin.h>

#include "trunk/kernels.h"

typedef __m256 vec;
#define LANES 8
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define SET(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define MAX(a, b) _mm256_max_ps(a, b)

#include "trunk/wino_vector.h"
#include "trunk/wino_weights_vector.h"

static const struct firn_wino_kernels avx2 = {
    .input = input, .output = output, .weights = weights};

void firn_wino_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->wino = &avx2;
}
