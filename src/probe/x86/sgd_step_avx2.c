/* SPDX-License-Identifier: MIT */
#include "probe/sgd_step.h"

void firn_sgd_step_avx2(const struct firn_sgd_step *s)
{
    sgd_step(s);
}
