/* SPDX-License-Identifier: MIT */
#include "trunk/x86/vector_avx2.h"

#include "trunk/kernels.h"
#include "trunk/wino_vector.h"
#include "trunk/wino_weights_vector.h"

static const struct firn_wino_kernels avx2 = {
    .input = input, .output = output, .weights = weights, .few = firn_wino_few_avx2};

void firn_wino_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->wino = &avx2;
}
