/* SPDX-License-Identifier: MIT */
#include "trunk/arm/vector_neon.h"

#include "trunk/kernels.h"
#include "trunk/wino_vector.h"
#include "trunk/wino_weights_vector.h"

static const struct firn_wino_kernels neon = {
    .input = input, .output = output, .weights = weights};

void firn_wino_kernels_neon(struct firn_kernels *kernels)
{
    kernels->wino = &neon;
}
