/* SPDX-License-Identifier: MIT */
#include "trunk/x86/vector_avx2.h"

#include "trunk/grouped_vector.h"

void firn_grouped_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->grouped = grouped;
}
