/* SPDX-License-Identifier: MIT */
#include "trunk/x86/vector_sse4.h"

#include "trunk/kernels.h"
#include "trunk/wino_vector.h"
#include "trunk/wino_weights_vector.h"

static const struct firn_wino_kernels sse4 = {
    .input = input, .output = output, .weights = weights};

void firn_wino_kernels_sse4(struct firn_kernels *kernels)
{
    kernels->wino = &sse4;
}
