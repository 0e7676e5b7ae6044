/* SPDX-License-Identifier: MIT */
#include "trunk/x86/vector_avx2.h"

#include "trunk/kernels.h"
#include "trunk/strassen_vector.h"

void firn_strassen_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->strassen = strassen;
}
