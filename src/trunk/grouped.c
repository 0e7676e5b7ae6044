/* SPDX-License-Identifier: MIT */
#include "trunk/grouped.h"

#include <string.h>

#include "base/mem.h"

enum { LANES = FIRN_GROUPED_LANES };

struct grouped_op {
    struct firn_conv_op op;
    const struct firn_kernels *kernels;
    int g;
    float *weight, *bias;
};

/* Eight output channels from 8 * block on, of the pixel at column ox, before the bias. */
static void dot_lanes(const struct firn_grouped *a, int block, int ox, float sum[LANES])
{
    const struct firn_conv_shape *s = a->shape;
    const float *weight = a->weight + (ptrdiff_t)block * s->kernel * s->kernel * a->g * LANES;
    memset(sum, 0, sizeof(float) * LANES);
    for (int ky = 0; ky < s->kernel; ky++)
        for (int kx = 0; kx < s->kernel; kx++, weight += a->g * LANES) {
            int y = a->oy * s->stride - s->pad + ky, x = ox * s->stride - s->pad + kx;
            if (y < 0 || y >= s->h || x < 0 || x >= s->w)
                continue;
            const float *pixel = a->in + ((ptrdiff_t)y * s->w + x) * s->cin;
            for (int j = 0; j < a->g; j++)
                for (int l = 0; l < LANES; l++)
                    sum[l] += pixel[(block * LANES + l) / a->g * a->g + j] * weight[j * LANES + l];
        }
}

static void grouped(const struct firn_grouped *a)
{
    const struct firn_conv_shape *s = a->shape;
    int ow = firn_conv_out_w(s);
    for (int x = 0; x < ow; x++)
        for (int b = 0; b < s->cout / LANES; b++) {
            float sum[LANES];
            dot_lanes(a, b, x, sum);
            size_t at = (size_t)x * s->cout + b * LANES;
            for (int l = 0; l < LANES; l++) {
                float v = sum[l] + a->bias[b * LANES + l];
                if (a->residual)
                    v += a->residual[at + l];
                a->out[at + l] = s->relu && v < 0 ? 0.0f : v;
            }
        }
}

void firn_grouped_kernels_generic(struct firn_kernels *kernels)
{
    kernels->grouped = grouped;
}

static void run(const struct firn_conv_op *op, const struct firn_conv_call *call)
{
    const struct grouped_op *g = (const struct grouped_op *)op;
    const struct firn_conv_shape *s = &op->shape;
    int oh = firn_conv_out_h(s);
    size_t image = (size_t)s->h * s->w * s->cin, row = (size_t)firn_conv_out_w(s) * s->cout;
    for (int i = 0; i < call->n; i++)
        for (int y = 0; y < oh; y++) {
            size_t at = ((size_t)i * oh + y) * row;
            g->kernels->grouped(&(struct firn_grouped){
                .shape = s, .g = g->g, .oy = y, .in = call->in + i * image, .weight = g->weight,
                .bias = g->bias, .residual = call->residual ? call->residual + at : NULL,
                .out = call->out + at,
            });
        }
}

static size_t scratch(const struct firn_conv_op *op, int n)
{
    (void)op, (void)n;
    return 0;
}

static void destroy(struct firn_conv_op *op)
{
    struct grouped_op *g = (struct grouped_op *)op;
    firn_free(g->weight);
    firn_free(g->bias);
    firn_free(g);
}

static void pack(const struct grouped_op *g, const float *weight)
{
    const struct firn_conv_shape *s = &g->op.shape;
    int taps = s->kernel * s->kernel;
    float *to = g->weight;
    for (int o = 0; o < s->cout; o += LANES)
        for (int t = 0; t < taps; t++)
            for (int j = 0; j < g->g; j++)
                for (int l = 0; l < LANES; l++)
                    *to++ = weight[((size_t)(o + l) * g->g + j) * taps + t];
}

int firn_conv_create_grouped(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                             const float *weight, const float *bias,
                             const struct firn_kernels *kernels)
{
    *out = NULL;
    int width = shape->cin / shape->groups;
    if (shape->cin != shape->cout || shape->cout % LANES || (width != 4 && width % LANES))
        return FIRN_CONV_UNSUITED;
    struct grouped_op *g = firn_alloc(1, sizeof *g);
    if (!g)
        return -FIRN_NOMEM;
    size_t count = (size_t)shape->cout * width * shape->kernel * shape->kernel;
    g->op = (struct firn_conv_op){
        .shape = *shape, .algorithm = "grouped", .macs = firn_conv_direct_macs(shape),
        .bytes = (count + shape->cout) * sizeof(float),
        .run = run, .scratch = scratch, .destroy = destroy,
    };
    g->kernels = kernels;
    g->g = width;
    g->weight = firn_alloc(count, sizeof(float));
    g->bias = firn_alloc(shape->cout, sizeof(float));
    if (!g->weight || !g->bias) {
        destroy(&g->op);
        return -FIRN_NOMEM;
    }
    pack(g, weight);
    memcpy(g->bias, bias, shape->cout * sizeof(float));
    *out = &g->op;
    return 0;
}
