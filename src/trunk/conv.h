/* SPDX-License-Identifier: MIT */
/**
 * One convolution of the trunk with its weights packed for one algorithm.
 *
 * Activations are float32 NHWC, dense (channels contiguous, then columns, rows, images), 64-byte
 * aligned at the first image, with FIRN_CONV_SLACK readable bytes behind the last.
 */
#ifndef FIRN_SRC_TRUNK_CONV_H
#define FIRN_SRC_TRUNK_CONV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"
#include "trunk/kernels.h"

/** A kernel may read this far behind an activation buffer, so that it needs no narrow loads. */
#define FIRN_CONV_SLACK 64

/** What a convolution computes. Square kernels, the same stride and zero padding on both axes. */
struct firn_conv_shape {
    int h, w;      /**< the input map */
    int cin, cout; /**< channels in and out */
    int kernel, stride, pad, groups;
    bool relu;    /**< ReLU behind the bias (and the residual) */
    bool careful; /**< smaller tiles, none for 7x7: slower, less rounding error */
};

/** Rows and columns of the output map. */
static inline int firn_conv_out_h(const struct firn_conv_shape *s)
{
    return (s->h + 2 * s->pad - s->kernel) / s->stride + 1;
}
static inline int firn_conv_out_w(const struct firn_conv_shape *s)
{
    return (s->w + 2 * s->pad - s->kernel) / s->stride + 1;
}

/** Weights of the definition. */
static inline size_t firn_conv_weights(const struct firn_conv_shape *s)
{
    return (size_t)s->cout * (s->cin / s->groups) * s->kernel * s->kernel;
}

/** Multiply-adds of the definition, per image: what ratios to the "direct roof" count. */
static inline double firn_conv_direct_macs(const struct firn_conv_shape *s)
{
    return (double)firn_conv_out_h(s) * firn_conv_out_w(s) * s->cout * (s->cin / s->groups) *
           s->kernel * s->kernel;
}

/** Nanoseconds of processor time of the three steps of an algorithm that has them. */
struct firn_conv_parts {
    int64_t input, products, output;
};

/**
 * Takes the map of one image in strips of whole rows, from the top down, while they are in cache.
 * next() says where the rows [first, first + rows) go; those it gave before are complete.
 */
struct firn_conv_strips {
    float *(*next)(struct firn_conv_strips *strips, int first, int rows);
};

/** The arguments of one run. */
struct firn_conv_call {
    const float *in;       /**< [n][h][w][cin] */
    const float *residual; /**< [n][oh][ow][cout], added before the ReLU, or NULL; may equal out */
    float *out;            /**< [n][oh][ow][cout]; does not overlap `in` */
    struct firn_conv_strips *strips; /**< of the only image, instead of `out`; or NULL */
    int n;                 /**< images, at least 1 */
    void *scratch;         /**< scratch(op, n) bytes, 64-byte aligned, contents arbitrary */
    struct firn_conv_parts *parts; /**< adds what the steps take, or NULL */
};

/**
 * Packed weights and the chosen algorithm. Immutable after its constructor: any number of threads
 * may run it at once, each with its own scratch. An algorithm embeds this as its first member.
 *
 * run() gives every image the same bits whatever `n` is and wherever in the batch it stands, cannot
 * fail and allocates nothing.
 */
struct firn_conv_op {
    struct firn_conv_shape shape;
    const char *algorithm; /**< static text for reports: "gemm", "direct", "wino 5+5+4", ... */
    size_t bytes;          /**< packed weights and bias */
    double macs;           /**< multiply-adds really executed, per image, padding included */
    int strip_rows;        /**< most rows of a strip; 0: run() writes whole maps only */
    void (*run)(const struct firn_conv_op *op, const struct firn_conv_call *call);
    size_t (*scratch)(const struct firn_conv_op *op, int n); /**< grows with n */
    void (*destroy)(struct firn_conv_op *op);
};

/**
 * Constructors: all take the folded weights as OIHW ([cout][cin / groups][kernel][kernel]) and
 * cout biases, copy what they need, and return the op in *out. They return 0, -FIRN_NOMEM, or
 * FIRN_CONV_UNSUITED (positive, *out is NULL) where the algorithm is not for this shape. `kernels`
 * outlives the op.
 */
#define FIRN_CONV_UNSUITED 1

typedef int firn_conv_create_fn(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                                const float *weight, const float *bias,
                                const struct firn_kernels *kernels);

/** The definition, in plain loops; any shape. */
firn_conv_create_fn firn_conv_create_direct;

/** Matrix product with the gathered input (none gathered for 1x1 stride 1); groups == 1. */
firn_conv_create_fn firn_conv_create_gemm;

/** 1x1 with many channels, two pixels at once: seven products for eight; groups == 1. */
firn_conv_create_fn firn_conv_create_strassen;

/** 3x3 (or 1x1) with few channels a group: ResNeXt. */
firn_conv_create_fn firn_conv_create_grouped;

/** Winograd's minimal filtering, stride 2 and 7x7 by polyphase; groups == 1. */
firn_conv_create_fn firn_conv_create_wino;

/** The same bits from the kernels as they are: less memory, a little slower. */
firn_conv_create_fn firn_conv_create_wino_compact;

/** NULL is fine. */
static inline void firn_conv_destroy(struct firn_conv_op *op)
{
    if (op)
        op->destroy(op);
}

#endif
