/* SPDX-License-Identifier: MIT */
#include "trunk/x86/vector_avx2.h"

#include "trunk/kernels.h"
#include "trunk/map_vector.h"

void firn_map_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->max_pool = max_pool;
    kernels->average = average;
}
