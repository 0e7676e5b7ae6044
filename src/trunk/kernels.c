/* SPDX-License-Identifier: MIT */
#include "trunk/kernels.h"

#include <string.h>

void firn_kernels_choose(struct firn_kernels *kernels, enum firn_cpu cpu)
{
    memset(kernels, 0, sizeof *kernels);
    kernels->cpu = cpu;
    firn_gemm_kernels_generic(kernels);
    firn_map_kernels_generic(kernels);
}
