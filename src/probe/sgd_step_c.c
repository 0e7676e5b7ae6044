/* SPDX-License-Identifier: MIT */
#include "probe/sgd_step.h"

void firn_sgd_step_c(const struct firn_sgd_step *s)
{
    sgd_step(s);
}

firn_sgd_step_fn *firn_sgd_choose(enum firn_cpu level)
{
#if defined(__x86_64__)
    if (level == FIRN_CPU_AVX2)
        return firn_sgd_step_avx2;
#endif
    (void)level;
    return firn_sgd_step_c;
}
