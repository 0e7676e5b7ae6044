/* SPDX-License-Identifier: MIT */
#include "trunk/arm/vector_neon.h"

#include "trunk/grouped_vector.h"

void firn_grouped_kernels_neon(struct firn_kernels *kernels)
{
    kernels->grouped = grouped;
}
