/* SPDX-License-Identifier: MIT */
#include "trunk/x86/vector_sse4.h"

#include "trunk/grouped_vector.h"

void firn_grouped_kernels_sse4(struct firn_kernels *kernels)
{
    kernels->grouped = grouped;
}
