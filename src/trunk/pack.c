/* SPDX-License-Identifier: MIT */
/** Folding and packing of all layers on all cores: most of the time between start and work. */
#include "trunk/plan.h"

#include <stdatomic.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "trunk/state.h"

#define MAX_THREADS 16

struct packing {
    const struct firn_plan *plan;
    const struct firn_net *net;
    const struct firn_kernels *kernels;
    struct firn_conv_op **op;
    bool small;
    size_t weights;    /* of the largest layer */
    atomic_int next;   /* layers are taken from the last down: the large ones first */
    atomic_int status; /* the first failure */
};

static int pack_layer(struct packing *p, int i, float *weight, float *bias)
{
    firn_conv_fold(&p->net->conv[i], weight, bias);
    unsigned long fpu = firn_fpu_flush(); /* as when a worker makes Winograd's points anew */
    int status = firn_plan_conv(&p->op[i], &p->plan->conv[i], weight, bias, p->kernels, p->small);
    firn_fpu_restore(fpu);
    return status;
}

static void *pack_layers(void *arg)
{
    struct packing *p = arg;
    float *weight = firn_alloc_raw(p->weights, sizeof(float));
    float *bias = firn_alloc(p->plan->dim, sizeof(float));
    int i, status = weight && bias ? 0 : -FIRN_NOMEM;
    while (!status && (i = atomic_fetch_sub(&p->next, 1)) >= 0)
        status = pack_layer(p, i, weight, bias);
    if (status) {
        atomic_store(&p->status, status);
        atomic_store(&p->next, -1);
    }
    firn_free(weight);
    firn_free(bias);
    return NULL;
}

int firn_plan_pack(struct firn_conv_op **op, const struct firn_plan *plan,
                   const struct firn_net *net, const struct firn_kernels *kernels, bool small,
                   struct firn_error *err)
{
    struct packing p = {.plan = plan, .net = net, .kernels = kernels, .small = small,
                        .op = op, .next = plan->n_conv - 1};
    for (int i = 0; i < plan->n_conv; i++)
        if (firn_conv_weights(&plan->conv[i]) > p.weights)
            p.weights = firn_conv_weights(&plan->conv[i]);

    pthread_t thread[MAX_THREADS];
    int cores = firn_cpu_usable_cores(), started = 0;
    while (started < cores - 1 && started < MAX_THREADS &&
           !firn_thread_start(&thread[started], "firn-pack", pack_layers, &p))
        started++; /* a thread that cannot start only makes it slower */
    pack_layers(&p);
    while (started)
        pthread_join(thread[--started], NULL);

    if (!p.status)
        return 0;
    for (int i = 0; i < plan->n_conv; i++) {
        firn_conv_destroy(op[i]);
        op[i] = NULL;
    }
    return firn_fail_nomem(err, "the packed weights");
}
