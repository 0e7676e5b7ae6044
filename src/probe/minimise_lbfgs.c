/* SPDX-License-Identifier: MIT */
#include "probe/minimise.h"

#include <lbfgs.h>
#include <limits.h>

#include "base/error.h"

const bool firn_can_minimise = true;

/* liblbfgs rounds n up to a multiple of 8 for SSE; the numbers behind the end stay zero. */
static lbfgsfloatval_t evaluate(void *instance, const lbfgsfloatval_t *x, lbfgsfloatval_t *g,
                                const int n, const lbfgsfloatval_t step)
{
    struct firn_minimise *m = instance;
    (void)n;
    (void)step;
    return m->evaluate(m->user, x, g);
}

static int progress(void *instance, const lbfgsfloatval_t *x, const lbfgsfloatval_t *g,
                    const lbfgsfloatval_t fx, const lbfgsfloatval_t xnorm,
                    const lbfgsfloatval_t gnorm, const lbfgsfloatval_t step, int n, int k, int ls)
{
    struct firn_minimise *m = instance;
    (void)x, (void)g, (void)xnorm, (void)gnorm, (void)step, (void)n, (void)ls;
    m->steps = k;
    m->value = fx;
    return m->stop && *m->stop ? LBFGSERR_CANCELED : 0;
}

/* Products are float32: near the minimum the line search may see rounding where it looks for a
 * decrease. It then goes back to the best point, and that is as good as this arithmetic gets. */
static bool is_rounding(int status)
{
    return status == LBFGSERR_ROUNDING_ERROR || status == LBFGSERR_MINIMUMSTEP ||
           status == LBFGSERR_MAXIMUMLINESEARCH || status == LBFGSERR_WIDTHTOOSMALL ||
           status == LBFGSERR_INCREASEGRADIENT || status == LBFGSERR_INCORRECT_TMINMAX ||
           status == LBFGSERR_OUTOFINTERVAL || status == LBFGSERR_MAXIMUMSTEP;
}

int firn_minimise(struct firn_minimise *m, double *x, size_t n, struct firn_error *err)
{
    lbfgs_parameter_t how;
    lbfgsfloatval_t value = 0;
    if (n > INT_MAX - 16)
        return firn_fail(err, FIRN_NOMEM, "%zu parameters are more than L-BFGS can take", n);
    lbfgs_parameter_init(&how);
    how.m = 10; /* as scikit-learn's */
    how.epsilon = m->gradient;
    how.past = 10;
    how.delta = m->decrease;
    how.max_iterations = m->max_steps;
    how.max_linesearch = 20;
    m->steps = 0;
    int status = lbfgs((int)n, x, &value, evaluate, progress, m, &how);
    m->value = value;
    m->converged = status != LBFGSERR_MAXIMUMITERATION;
    if (status >= 0 || !m->converged || is_rounding(status))
        return 0;
    if (status == LBFGSERR_CANCELED)
        return firn_fail(err, FIRN_INTERRUPTED, "stopped");
    if (status == LBFGSERR_OUTOFMEMORY)
        return firn_fail_nomem(err, "L-BFGS");
    return firn_fail(err, FIRN_INTERNAL, "L-BFGS ended with status %d", status);
}
