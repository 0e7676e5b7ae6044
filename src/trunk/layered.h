/* SPDX-License-Identifier: MIT */
/**
 * The trunk one layer after the other over many photographs, its BatchNorm layers apart: for
 * statistics of what comes out of the convolutions, and for networks that normalise with them.
 *
 *     pass p:  slot --> normalise, add the shortcut, ReLU --> convolution p --> slot
 *                        (statistics of pass p - 1)               '--> mean, variance of each
 *
 * A photograph has one slot of memory, which every pass reads and overwrites: [side][main], where
 * `main` is the raw output of the pass's convolution and `side` what the end of the block adds: its
 * input, or the raw output of its downsample, which the first pass of the block computes as well.
 * Nothing else has to be kept between two passes, so that every convolution runs once for each
 * photograph, whatever the statistics depend on. The convolutions are those of the frozen trunk,
 * packed without folding; a photograph gives the same bits whatever it is worked on with.
 *
 * The first map (112 x 112 x 64 at 224 pixels) is the largest by far, and is never kept: behind it
 * comes a max-pool. Normalising and ReLU are rising functions where the scale is positive, rounding
 * is one, too, so pooling first gives the same bits; where gamma is negative the kernels' sign is
 * turned, and with it the mean and the scale.
 */
#ifndef FIRN_SRC_TRUNK_LAYERED_H
#define FIRN_SRC_TRUNK_LAYERED_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "firn/error.h"
#include "model/model.h"

struct firn_layered;
struct firn_layered_worker;

/** One pass. */
struct firn_pass {
    int conv;          /**< index of its convolution */
    int down;          /**< of the downsample that it computes too, or -1 */
    int channels;      /**< of both: first those of `conv`, then those of `down` */
    size_t pixels;     /**< of the output map of `conv`, on which its statistics are taken */
    size_t down_pixels; /**< the same of `down`: fewer where a later convolution has the stride */
    size_t side, main; /**< floats that it leaves in a slot */
    int images;        /**< worked on at once, at most */
};

/** Scale and shift of every BatchNorm layer, as far as they have been set. */
struct firn_norms;

/** Packs the convolutions of `model`, which outlives it. As firn_trunk_create(). */
int firn_layered_create(struct firn_layered **out, const struct firn_model *model, int crop,
                        enum firn_cpu cpu, struct firn_error *err);
/** The same from the network itself. */
int firn_layered_create_net(struct firn_layered **out, const struct firn_net *net, int crop,
                            enum firn_cpu cpu, struct firn_error *err);
void firn_layered_destroy(struct firn_layered *layered);

int firn_layered_passes(const struct firn_layered *layered);
const struct firn_pass *firn_layered_pass(const struct firn_layered *layered, int pass);

/** Floats of the largest slot. */
size_t firn_layered_slot(const struct firn_layered *layered);

/** Length of a feature. */
int firn_layered_dim(const struct firn_layered *layered);

/** Bytes of packed weights. */
size_t firn_layered_bytes(const struct firn_layered *layered);

int firn_norms_create(struct firn_norms **out, const struct firn_layered *layered,
                      struct firn_error *err);
void firn_norms_destroy(struct firn_norms *norms);

/**
 * BatchNorm layer `conv` normalises with these from now on: gain = gamma / sqrt(var + eps), shift =
 * beta - mean * gain, in float64, rounded once. Not while a pass runs.
 */
void firn_norms_set(struct firn_norms *norms, int conv, const double *mean, const double *var);

/** One thread's memory. */
int firn_layered_worker_create(struct firn_layered_worker **out,
                               const struct firn_layered *layered, const struct firn_norms *norms,
                               struct firn_error *err);
void firn_layered_worker_destroy(struct firn_layered_worker *worker);
size_t firn_layered_worker_bytes(const struct firn_layered_worker *worker);

/**
 * Pass `p` on `n` <= images photographs. slot[i] holds what pass p - 1 left, with the norms of its
 * layers set; for pass 0, crops[i] (R G B bytes) is the input. moments[i] (or moments NULL) has
 * room for 2 * channels: the means, then the biased variances of the photograph's maps.
 */
void firn_layered_run(struct firn_layered_worker *worker, int p, int n,
                      const uint8_t *const *crops, float *const *slot, double *const *moments);

/** Features behind the last pass, whose norms are set. */
void firn_layered_finish(struct firn_layered_worker *worker, int n, float *const *slot,
                         float *const *features);

#endif
