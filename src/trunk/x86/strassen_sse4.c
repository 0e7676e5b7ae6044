/* SPDX-License-Identifier: MIT */
#include "trunk/x86/vector_sse4.h"

#include "trunk/kernels.h"
#include "trunk/strassen_vector.h"

void firn_strassen_kernels_sse4(struct firn_kernels *kernels)
{
    kernels->strassen = strassen;
}
