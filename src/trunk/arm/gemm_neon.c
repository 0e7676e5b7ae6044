/* SPDX-License-Identifier: MIT */
#include "trunk/arm/vector_neon.h"

#include "trunk/gemm_vector.h"

void firn_gemm_kernels_neon(struct firn_kernels *kernels)
{
    kernels->gemm = gemm;
}
