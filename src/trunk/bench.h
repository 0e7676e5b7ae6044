/* SPDX-License-Identifier: MIT */
/** Parts of firn_bench_trunk(). */
#ifndef FIRN_SRC_TRUNK_BENCH_H
#define FIRN_SRC_TRUNK_BENCH_H

#include "firn/bench.h"
#include "trunk/state.h"

/** Best of several short loops of multiply-adds on registers, by this core's best instructions. */
double firn_bench_peak_gflops(void);

/** Best of several sums over a buffer far larger than any cache; 0 when memory is out. */
double firn_bench_read_gbytes(void);

/** Sums the profile of `images` images up by the shapes of the layers into out->layer. */
void firn_bench_layers(struct firn_bench_trunk *out, const struct firn_trunk *trunk,
                       const struct firn_trunk_profile *profile, int64_t images);

#endif
