/* SPDX-License-Identifier: MIT */
/**
 * 1x1 convolution with seven products for eight: Strassen's algorithm as Winograd arranged it, one
 * level deep.
 *
 * Two pixels of an image are a row of 2 x 2 blocks A, the weights 2 x 2 blocks B: halves of the
 * channels in by halves of the channels out. With
 *
 *      S1 = A21 + A22   S2 = S1 - A11   S3 = A11 - A21   S4 = A12 - S2
 *      T1 = B12 - B11   T2 = B22 - T1   T3 = B22 - B12   T4 = B21 - T2
 *
 * the outputs, C11 and C12 of the first pixel, C21 and C22 of the second, are
 *
 *      U = A11 B11 + S2 T2              C11 = A11 B11 + A12 B21
 *                                       C12 = U + S1 T1 + S4 B22
 *      W = U + S3 T3                    C22 = W + S1 T1
 *                                       C21 = W + A22 T4
 *
 * so each sum behind a product is one that the product is added to, or adds, as it is stored, and
 * nothing passes over the outputs again. The sums of weights are made once, in double; those of
 * the inputs for a block of pairs.
 *
 * Pairs are pixels of one image, never of two: what a pixel's pair holds changes how it is rounded.
 * The last pixel of a map of an odd number has zeros for a pair.
 */
#include "trunk/strassen.h"

#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "trunk/conv.h"

#define CHAIN 128   /* multiply-adds */
#define PAIRS 72    /* of a block: twelve times six rows for a product */
#define COLUMNS 128 /* of each half that a block is worked on at once */

enum operand { A11, A12, A22, S1, S2, S3, S4, OPERANDS };

/* A product: what it is added to and where it goes. Temporaries are numbered; -1 is none. */
struct product {
    enum operand a;
    signed char weights[2][2]; /* the right operand: factors of B11 B12, B21 B22 */
    int add[2];                /* temporaries */
    int temporary;             /* that takes the product and the first of them */
    bool output;               /* the product and both of them are an output */
    int pixel, half;           /* of the output */
};

#define PRODUCTS 7
#define TEMPORARIES 3

static const struct product product[PRODUCTS] = {
    {A11, {{1, 0}, {0, 0}}, {-1, -1}, 0, false, 0, 0},
    {S1, {{-1, 1}, {0, 0}}, {-1, -1}, 1, false, 0, 0},  /* T1 */
    {A12, {{0, 0}, {1, 0}}, {0, -1}, -1, true, 0, 0},   /* C11 */
    {S2, {{1, -1}, {0, 1}}, {0, -1}, 2, false, 0, 0},   /* T2, U */
    {S4, {{0, 0}, {0, 1}}, {2, 1}, -1, true, 0, 1},     /* C12 */
    {S3, {{0, -1}, {0, 1}}, {2, 1}, 0, true, 1, 1},     /* T3, W and C22 */
    {A22, {{-1, 1}, {1, -1}}, {0, -1}, -1, true, 1, 0}, /* T4, C21 */
};

struct strassen_op {
    struct firn_conv_op op;
    const struct firn_kernels *kernels;
    int depth, width;             /* halves of the channels in and out */
    bool in_place;                /* A11, A12 and A22 are read where they are */
    ptrdiff_t operand, temporary; /* floats of one, of a block */
    float *weights;               /* [width / COLUMNS][product][columns / 16][depth][16] */
    float *bias, *zeros;
};

static void strassen(const struct firn_strassen *t)
{
    const float *x = t->pixel[0], *y = t->pixel[1];
    for (int c = 0; c < t->half; c++) {
        float first = y[c] + y[t->half + c], second = first - x[c];
        t->sum[0][c] = first;
        t->sum[1][c] = second;
        t->sum[2][c] = x[c] - y[c];
        t->sum[3][c] = x[t->half + c] - second;
    }
}

void firn_strassen_kernels_generic(struct firn_kernels *kernels)
{
    kernels->strassen = strassen;
}

/* Pairs of one image, or of several images one behind the other. */
struct block {
    const struct firn_conv_call *call;
    size_t first; /* pixel, counted over all images */
    int rows[2];  /* first and second pixels: pairs, and one less where the last one is alone */
    const float *a[OPERANDS];
    ptrdiff_t lda[OPERANDS]; /* floats from row to row */
    float *temporary[TEMPORARIES];
    const float *next; /* input of the block to come, in one piece; or NULL */
};

static int columns_at(const struct strassen_op *g, int column)
{
    return g->width - column < COLUMNS ? g->width - column : COLUMNS;
}

/* Pixel i of the outputs of all images, in the input. */
static const float *input_pixel(const struct firn_conv_shape *s, const float *in, size_t i)
{
    size_t ow = firn_conv_out_w(s), pixels = firn_conv_out_h(s) * ow;
    size_t y = i % pixels / ow * s->stride, x = i % ow * s->stride;
    return in + ((i / pixels * s->h + y) * s->w + x) * s->cin;
}

/* Left operands of a block. */
static void operands(const struct strassen_op *g, struct block *b, float *v)
{
    const struct firn_conv_shape *s = &g->op.shape;
    float *row[OPERANDS];
    for (int k = 0; k < OPERANDS; k++) {
        b->a[k] = row[k] = v + k * g->operand;
        b->lda[k] = g->depth;
    }
    for (int i = 0; i < b->rows[0]; i++) {
        const float *x = input_pixel(s, b->call->in, b->first + 2 * i), *y = g->zeros;
        if (i < b->rows[1])
            y = input_pixel(s, b->call->in, b->first + 2 * i + 1);
        if (!g->in_place) {
            memcpy(row[A11], x, g->depth * sizeof *x);
            memcpy(row[A12], x + g->depth, g->depth * sizeof *x);
            memcpy(row[A22], y + g->depth, g->depth * sizeof *y);
        }
        g->kernels->strassen(&(struct firn_strassen){
            .pixel = {x, y}, .half = g->depth, .sum = {row[S1], row[S2], row[S3], row[S4]}});
        for (int k = 0; k < OPERANDS; k++)
            row[k] += g->depth;
    }
    if (g->in_place) {
        b->a[A11] = input_pixel(s, b->call->in, b->first);
        b->a[A12] = b->a[A11] + g->depth;
        b->a[A22] = b->a[A12] + 2 * g->depth;
        b->lda[A11] = b->lda[A12] = b->lda[A22] = 2 * s->cin;
    }
}

static float *temporary(const struct block *b, int i)
{
    return i < 0 ? NULL : b->temporary[i];
}

/* From the output of a product to that of the next that has one; the last leads to more columns. */
static ptrdiff_t next_output(const struct strassen_op *g, const struct product *p, int columns)
{
    ptrdiff_t cout = g->op.shape.cout;
    if (p->pixel == 0)
        return p->half == 0 ? g->width : cout;
    return p->half == 1 ? -g->width : columns - cout;
}

/*
 * Product p of some columns. While it runs, outputs of a later one are fetched, and in the last
 * columns a quarter of the input of the next block.
 */
static void multiply(const struct strassen_op *g, const struct block *b, const struct product *p,
                     const float *u, int column, int columns)
{
    const struct firn_conv_shape *s = &g->op.shape;
    struct firn_gemm m = {
        .m = b->rows[p->pixel], .n = columns, .k = g->depth, .chain = CHAIN, .a = b->a[p->a],
        .lda = b->lda[p->a], .b = u, .add = {temporary(b, p->add[0]), temporary(b, p->add[1])},
        .ld_add = COLUMNS, .c = temporary(b, p->temporary), .ldc = COLUMNS,
    };
    if (p->output) {
        size_t o = column + (size_t)p->half * g->width, at = (b->first + p->pixel) * s->cout + o;
        m.sum = m.c;
        m.c = b->call->out + at;
        m.ldc = 2 * s->cout;
        m.bias = g->bias + o;
        m.residual = b->call->residual ? b->call->residual + at : NULL;
        m.relu = s->relu;
        m.next_c = next_output(g, p, columns);
    }
    if (b->next && p->a >= S1 && column + columns == g->width)
        m.next_a = b->next + (ptrdiff_t)(p->a - S1) * b->rows[0] * g->depth;
    if (m.m)
        g->kernels->gemm(&m);
}

static void run_block(const struct strassen_op *g, struct block *b)
{
    float *v = b->call->scratch;
    const float *u = g->weights;
    for (int i = 0; i < TEMPORARIES; i++)
        b->temporary[i] = v + OPERANDS * g->operand + i * g->temporary;
    operands(g, b, v);
    for (int column = 0; column < g->width; column += COLUMNS) {
        int columns = columns_at(g, column);
        for (int p = 0; p < PRODUCTS; p++, u += (ptrdiff_t)columns * g->depth)
            multiply(g, b, &product[p], u, column, columns);
    }
}

/* `pixels` pixels one behind the other, in blocks of equal size. */
static void run_pixels(const struct strassen_op *g, const struct firn_conv_call *call,
                       size_t first, size_t pixels)
{
    size_t pairs = (pixels + 1) / 2, blocks = (pairs + PAIRS - 1) / PAIRS, end = first + pixels;
    for (size_t i = 0; i < blocks; i++) {
        int count = (int)(pairs / blocks + (i < pairs % blocks));
        struct block b = {.call = call, .first = first, .rows = {count, count}};
        first += 2 * (size_t)count;
        b.rows[1] -= first > end;
        if (g->in_place)
            b.next = call->in + first * g->op.shape.cin;
        run_block(g, &b);
    }
}

static void run(const struct firn_conv_op *op, const struct firn_conv_call *call)
{
    const struct strassen_op *g = (const struct strassen_op *)op;
    size_t pixels = (size_t)firn_conv_out_h(&op->shape) * firn_conv_out_w(&op->shape);
    size_t together = pixels % 2 ? 1 : call->n;
    for (size_t i = 0; i < (size_t)call->n; i += together)
        run_pixels(g, call, i * pixels, together * pixels);
}

static size_t scratch(const struct firn_conv_op *op, int n)
{
    const struct strassen_op *g = (const struct strassen_op *)op;
    (void)n;
    return (OPERANDS * g->operand + TEMPORARIES * g->temporary) * sizeof(float);
}

static void destroy(struct firn_conv_op *op)
{
    struct strassen_op *g = (struct strassen_op *)op;
    firn_free(g->weights);
    firn_free(g->bias);
    firn_free(g->zeros);
    firn_free(g);
}

/* The right operand of a product: a panel of output channels from o of each half on. */
static void pack_panel(const struct strassen_op *g, const struct product *p, const float *weight,
                       int o, float *to)
{
    const size_t cin = g->op.shape.cin, down = g->depth, right = g->width * cin;
    const double f11 = p->weights[0][0], f12 = p->weights[0][1];
    const double f21 = p->weights[1][0], f22 = p->weights[1][1];
    for (int c = 0; c < g->depth; c++)
        for (int x = 0; x < FIRN_PANEL; x++) {
            const float *b = weight + (o + x) * cin + c;
            *to++ = (float)(f11 * b[0] + f12 * b[right] + f21 * b[down] + f22 * b[right + down]);
        }
}

static void pack(const struct strassen_op *g, const float *weight)
{
    float *to = g->weights;
    for (int column = 0; column < g->width; column += COLUMNS)
        for (int p = 0; p < PRODUCTS; p++)
            for (int o = column; o < column + columns_at(g, column); o += FIRN_PANEL) {
                pack_panel(g, &product[p], weight, o, to);
                to += g->depth * FIRN_PANEL;
            }
}

static bool suited(const struct firn_conv_shape *s)
{
    return s->kernel == 1 && s->pad == 0 && s->groups == 1 &&
           s->cin % (2 * FIRN_STRASSEN_LANES) == 0 && s->cout % (2 * FIRN_PANEL) == 0;
}

int firn_conv_create_strassen(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                              const float *weight, const float *bias,
                              const struct firn_kernels *kernels)
{
    *out = NULL;
    if (!suited(shape))
        return FIRN_CONV_UNSUITED;
    struct strassen_op *g = firn_alloc(1, sizeof *g);
    if (!g)
        return -FIRN_NOMEM;
    g->kernels = kernels;
    g->depth = shape->cin / 2;
    g->width = shape->cout / 2;
    g->in_place = shape->stride == 1;
    g->operand = PAIRS * g->depth + FIRN_PANEL;
    g->temporary = PAIRS * COLUMNS + FIRN_PANEL;
    size_t count = (size_t)PRODUCTS * g->depth * g->width;
    int pixels = firn_conv_out_h(shape) * firn_conv_out_w(shape);
    g->op = (struct firn_conv_op){
        .shape = *shape, .algorithm = "strassen", .macs = (double)count * ((pixels + 1) / 2),
        .bytes = (count + shape->cout + shape->cin) * sizeof(float),
        .run = run, .scratch = scratch, .destroy = destroy,
    };
    g->weights = firn_alloc_raw(count, sizeof(float));
    g->bias = firn_alloc(shape->cout, sizeof(float));
    g->zeros = firn_alloc(shape->cin, sizeof(float));
    if (!g->weights || !g->bias || !g->zeros) {
        destroy(&g->op);
        return -FIRN_NOMEM;
    }
    pack(g, weight);
    memcpy(g->bias, bias, shape->cout * sizeof(float));
    *out = &g->op;
    return 0;
}
