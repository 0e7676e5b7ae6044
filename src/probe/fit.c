/* SPDX-License-Identifier: MIT */
#include "probe/fit.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "probe/minimise.h"

static size_t parameters(const struct firn_fit *fit)
{
    return (size_t)fit->classes * ((size_t)fit->dim + 1);
}

int firn_fit_init(struct firn_fit *fit, int dim, int classes, struct firn_error *err)
{
    *fit = (struct firn_fit){.dim = dim, .classes = classes};
    fit->w = firn_alloc(parameters(fit), sizeof *fit->w); /* zeros up to 64 bytes */
    fit->head = firn_alloc(parameters(fit), sizeof *fit->head);
    return fit->w && fit->head ? 0 : firn_fail_nomem(err, "a head");
}

void firn_fit_fini(struct firn_fit *fit)
{
    firn_free(fit->w);
    firn_free(fit->head);
    *fit = (struct firn_fit){0};
}

static double evaluate(void *user, const double *x, double *g)
{
    return firn_logistic_evaluate(user, x, g);
}

int firn_fit_run(struct firn_fit *fit, struct firn_logistic *p, double c, bool loosely,
                 const volatile int *stop, struct firn_error *err)
{
    struct firn_minimise m = {.evaluate = evaluate, .user = p, .stop = stop};
    m.gradient = loosely ? 1e-5 : 1e-6;
    m.decrease = loosely ? 1e-3 : 1e-6;
    m.max_steps = loosely ? 100 : 500;
    firn_logistic_set_c(p, c);
    int status = firn_minimise(&m, fit->w, parameters(fit), err);
    for (size_t i = 0; i < parameters(fit); i++)
        fit->head[i] = (float)fit->w[i];
    fit->steps = m.steps;
    fit->converged = m.converged;
    return status;
}

struct firn_head firn_fit_head(const struct firn_fit *fit)
{
    const float *bias = fit->head + (size_t)fit->classes * (size_t)fit->dim;
    return (struct firn_head){fit->head, bias, fit->dim, fit->classes};
}
