/* SPDX-License-Identifier: MIT */
#include "trunk/arm/vector_neon.h"

#include "trunk/kernels.h"
#include "trunk/wino_vector.h"

static const struct firn_wino_kernels neon = {.input = input, .output = output};

void firn_wino_kernels_neon(struct firn_kernels *kernels)
{
    kernels->wino = &neon;
}
