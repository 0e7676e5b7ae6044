/* SPDX-License-Identifier: MIT */
/**
 * Convolution as a matrix product: one row of A for each output pixel, holding the inputs under the
 * kernel in the order (ky, kx, channel). For 1x1 stride 1 the activations are A as they lie.
 */
#include "trunk/conv.h"

#include <string.h>

#include "base/mem.h"

/* A block of A should leave half of a small L2 to the weights and the output. */
#define BLOCK_BYTES (192 << 10)

/*
 * Multiply-adds of a chain. Nothing enlarges what these products err: with 64, as Winograd's have,
 * ResNet-50 errs by an rms of 1.35e-6 instead of 1.39e-6, and layers of 256 channels and more take
 * 1 to 2% longer. In a hundred layers and more it adds up: resnet152's largest error against torch
 * grows from 2.4e-5 to 2.8e-5.
 */
#define CHAIN 256
#define CHAIN_CAREFUL 64

struct im2col_op {
    struct firn_conv_op op;
    const struct firn_kernels *kernels;
    int k;         /* columns of A */
    int rows;      /* rows of a block of A */
    bool in_place; /* A is the activations: nothing to gather */
    float *panels, *bias;
};

/* One row of A: the kernel's window at output pixel (oy, ox), zeros where it leaves the map. */
static void gather_pixel(const struct firn_conv_shape *s, const float *in, int oy, int ox,
                         float *row)
{
    int run = s->kernel * s->cin; /* one kernel row lies contiguous in the activations */
    int x0 = ox * s->stride - s->pad;
    int left = x0 < 0 ? -x0 : 0;
    int right = x0 + s->kernel > s->w ? x0 + s->kernel - s->w : 0;
    if (left > s->kernel)
        left = s->kernel;
    int width = (s->kernel - left - right) * s->cin;
    for (int ky = 0; ky < s->kernel; ky++, row += run) {
        int y = oy * s->stride - s->pad + ky;
        if (y < 0 || y >= s->h || width <= 0) {
            memset(row, 0, sizeof(float) * run);
            continue;
        }
        float *to = row;
        memset(to, 0, sizeof(float) * left * s->cin);
        to += left * s->cin;
        memcpy(to, in + ((ptrdiff_t)y * s->w + x0 + left) * s->cin, sizeof(float) * width);
        memset(to + width, 0, sizeof(float) * right * s->cin);
    }
}

/* Rows [first, first + count) of A, counted over the pixels of all images. */
static void gather(const struct im2col_op *g, const float *in, size_t first, int count, float *a)
{
    const struct firn_conv_shape *s = &g->op.shape;
    size_t ow = firn_conv_out_w(s), pixels = firn_conv_out_h(s) * ow;
    size_t image = (size_t)s->h * s->w * s->cin;
    for (int i = 0; i < count; i++) {
        size_t p = (first + i) % pixels;
        gather_pixel(s, in + (first + i) / pixels * image, (int)(p / ow), (int)(p % ow),
                     a + (ptrdiff_t)i * g->k);
    }
}

static void run(const struct firn_conv_op *op, const struct firn_conv_call *call)
{
    const struct im2col_op *g = (const struct im2col_op *)op;
    const struct firn_conv_shape *s = &op->shape;
    size_t total = (size_t)call->n * firn_conv_out_h(s) * firn_conv_out_w(s);
    for (size_t first = 0; first < total; first += g->rows) {
        int m = total - first < (size_t)g->rows ? (int)(total - first) : g->rows;
        const float *a = call->in + first * g->k;
        if (!g->in_place) {
            gather(g, call->in, first, m, call->scratch);
            a = call->scratch;
        }
        g->kernels->gemm(&(struct firn_gemm){
            .m = m, .n = s->cout, .k = g->k, .chain = s->careful ? CHAIN_CAREFUL : CHAIN,
            .a = a, .lda = g->k, .b = g->panels,
            .c = call->out + first * s->cout, .ldc = s->cout, .bias = g->bias,
            .residual = call->residual ? call->residual + first * s->cout : NULL, .relu = s->relu,
            .next_a = g->in_place && first + m < total ? a + (size_t)m * g->k : NULL,
        });
    }
}

static size_t scratch(const struct firn_conv_op *op, int n)
{
    const struct im2col_op *g = (const struct im2col_op *)op;
    (void)n;
    return g->in_place ? 0 : (size_t)g->rows * g->k * sizeof(float) + FIRN_CONV_SLACK;
}

static void destroy(struct firn_conv_op *op)
{
    struct im2col_op *g = (struct im2col_op *)op;
    firn_free(g->panels);
    firn_free(g->bias);
    firn_free(g);
}

/* OIHW to panels of (ky, kx, channel) rows, written in order: startup is bound by memory. */
static void pack(const struct im2col_op *g, const float *weight)
{
    const struct firn_conv_shape *s = &g->op.shape;
    int taps = s->kernel * s->kernel;
    float *to = g->panels;
    for (int o = 0; o < s->cout; o += FIRN_PANEL)
        for (int t = 0; t < taps; t++)
            for (int c = 0; c < s->cin; c++)
                for (int x = 0; x < FIRN_PANEL; x++)
                    *to++ = weight[((size_t)(o + x) * s->cin + c) * taps + t];
}

static int block_rows(int k)
{
    int rows = BLOCK_BYTES / (k * (int)sizeof(float)) / 12 * 12;
    return rows < 24 ? 24 : rows > 384 ? 384 : rows;
}

int firn_conv_create_gemm(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                          const float *weight, const float *bias,
                          const struct firn_kernels *kernels)
{
    *out = NULL;
    if (shape->groups != 1 || shape->cout % FIRN_PANEL)
        return FIRN_CONV_UNSUITED;
    struct im2col_op *g = firn_alloc(1, sizeof *g);
    if (!g)
        return -FIRN_NOMEM;
    g->k = shape->cin * shape->kernel * shape->kernel;
    g->op = (struct firn_conv_op){
        .shape = *shape, .algorithm = "gemm", .macs = firn_conv_direct_macs(shape),
        .bytes = (size_t)(g->k + 1) * shape->cout * sizeof(float),
        .run = run, .scratch = scratch, .destroy = destroy,
    };
    g->kernels = kernels;
    g->rows = block_rows(g->k);
    g->in_place = shape->kernel == 1 && shape->stride == 1 && shape->pad == 0;
    g->panels = firn_alloc_raw((size_t)g->k * shape->cout, sizeof(float));
    g->bias = firn_alloc(shape->cout, sizeof(float));
    if (!g->panels || !g->bias) {
        destroy(&g->op);
        return -FIRN_NOMEM;
    }
    pack(g, weight);
    memcpy(g->bias, bias, shape->cout * sizeof(float));
    *out = &g->op;
    return 0;
}
