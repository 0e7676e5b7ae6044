/* SPDX-License-Identifier: MIT */
/** What a trunk is made of, for the files of this folder and their tests. */
#ifndef FIRN_SRC_TRUNK_STATE_H
#define FIRN_SRC_TRUNK_STATE_H

#include "trunk/plan.h"
#include "trunk/trunk.h"

struct firn_trunk {
    struct firn_kernels kernels;
    struct firn_plan plan;
    float table[3][256]; /* byte to normalised float, per channel */
    struct firn_conv_op *op[FIRN_MAX_CONVS];
    size_t bytes;
};

/** firn_trunk_create() from the network itself, which may be freed afterwards. */
int firn_trunk_create_net(struct firn_trunk **out, const struct firn_net *net, int crop,
                          enum firn_cpu cpu, bool small, struct firn_error *err);

/** Where the time of a worker goes. */
struct firn_trunk_profile {
    int64_t images;
    int64_t normalise_ns, pool_ns, average_ns;
    int64_t conv_ns[FIRN_MAX_CONVS];
    struct firn_conv_parts parts[FIRN_MAX_CONVS];
};

/** From now on `worker` measures itself; the sums live as long as it. */
const struct firn_trunk_profile *firn_trunk_worker_profile(struct firn_trunk_worker *worker);

/** Sets flush-to-zero and denormals-are-zero; returns what firn_fpu_restore() puts back. */
unsigned long firn_fpu_flush(void);
void firn_fpu_restore(unsigned long old);

#endif
