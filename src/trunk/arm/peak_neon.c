/* SPDX-License-Identifier: MIT */
#include "trunk/arm/vector_neon.h"

#include "trunk/kernels.h"
#include "trunk/peak_vector.h"

void firn_peak_kernels_neon(struct firn_kernels *kernels)
{
    kernels->peak = peak;
}
