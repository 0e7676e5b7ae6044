/* SPDX-License-Identifier: MIT */
#include "trunk/arm/vector_neon.h"

#include "trunk/kernels.h"
#include "trunk/map_vector.h"

void firn_map_kernels_neon(struct firn_kernels *kernels)
{
    kernels->max_pool = max_pool;
    kernels->average = average;
}
