/* SPDX-License-Identifier: MIT */
#include "trunk/arm/vector_neon.h"

#include "trunk/kernels.h"
#include "trunk/strassen_vector.h"

void firn_strassen_kernels_neon(struct firn_kernels *kernels)
{
    kernels->strassen = strassen;
}
