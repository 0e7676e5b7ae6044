/* SPDX-License-Identifier: MIT */
#include "image/row_kernels.h"

/* Best first; the last one fits every processor. */
static const struct firn_row_kernels *const table[] = {
#if defined(__x86_64__)
    &firn_row_kernels_avx2,
    &firn_row_kernels_sse4,
#elif defined(__aarch64__)
    &firn_row_kernels_neon,
#endif
    &firn_row_kernels_c,
};

const struct firn_row_kernels *firn_row_kernels_choose(enum firn_cpu level)
{
    const struct firn_row_kernels *const *k = table;
    while ((*k)->level > level)
        k++;
    return *k;
}
