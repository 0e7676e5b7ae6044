/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "probe/minimise.h"

const bool firn_can_minimise = false;

int firn_minimise(struct firn_minimise *m, double *x, size_t n, struct firn_error *err)
{
    (void)m, (void)x, (void)n;
    return firn_fail(err, FIRN_CONFIG, "this firn was built without liblbfgs, which trains the "
                     "last layer; install Debian's liblbfgs-dev and build again");
}
