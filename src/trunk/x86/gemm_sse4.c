/* SPDX-License-Identifier: MIT */
#include "trunk/x86/vector_sse4.h"

#include "trunk/gemm_vector.h"

void firn_gemm_kernels_sse4(struct firn_kernels *kernels)
{
    kernels->gemm = gemm;
}
