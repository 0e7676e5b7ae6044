/* SPDX-License-Identifier: MIT */
#include "trunk/x86/vector_sse4.h"

#include "trunk/kernels.h"
#include "trunk/map_vector.h"

void firn_map_kernels_sse4(struct firn_kernels *kernels)
{
    kernels->max_pool = max_pool;
    kernels->average = average;
}
