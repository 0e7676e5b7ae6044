/* SPDX-License-Identifier: MIT */
/** Convolution by its definition: the specification of every other algorithm, for any shape. */
#include "trunk/conv.h"

#include <string.h>

#include "base/mem.h"

struct direct_op {
    struct firn_conv_op op;
    float *weight; /* OIHW, as given */
    float *bias;
};

/* One output value before the bias: taps outside the map are zero and skipped. */
static float dot(const struct firn_conv_shape *s, const float *in, const float *weight, int group,
                 int oy, int ox)
{
    int cin = s->cin / s->groups;
    float sum = 0;
    for (int ky = 0; ky < s->kernel; ky++)
        for (int kx = 0; kx < s->kernel; kx++) {
            int y = oy * s->stride - s->pad + ky, x = ox * s->stride - s->pad + kx;
            if (y < 0 || y >= s->h || x < 0 || x >= s->w)
                continue;
            const float *pixel = in + ((ptrdiff_t)y * s->w + x) * s->cin + group * cin;
            for (int c = 0; c < cin; c++)
                sum += pixel[c] * weight[(c * s->kernel + ky) * s->kernel + kx];
        }
    return sum;
}

static void run_image(const struct direct_op *d, const float *in, const float *residual, float *out)
{
    const struct firn_conv_shape *s = &d->op.shape;
    int oh = firn_conv_out_h(s), ow = firn_conv_out_w(s), per_group = s->cout / s->groups;
    size_t taps = (size_t)(s->cin / s->groups) * s->kernel * s->kernel;
    for (int y = 0; y < oh; y++)
        for (int x = 0; x < ow; x++)
            for (int o = 0; o < s->cout; o++) {
                size_t at = ((size_t)y * ow + x) * s->cout + o;
                float v = dot(s, in, d->weight + o * taps, o / per_group, y, x) + d->bias[o];
                if (residual)
                    v += residual[at];
                out[at] = s->relu && v < 0 ? 0.0f : v;
            }
}

static void run(const struct firn_conv_op *op, const struct firn_conv_call *call)
{
    const struct firn_conv_shape *s = &op->shape;
    size_t in = (size_t)s->h * s->w * s->cin;
    size_t out = (size_t)firn_conv_out_h(s) * firn_conv_out_w(s) * s->cout;
    for (int i = 0; i < call->n; i++)
        run_image((const struct direct_op *)op, call->in + i * in,
                  call->residual ? call->residual + i * out : NULL, call->out + i * out);
}

static size_t scratch(const struct firn_conv_op *op, int n)
{
    (void)op, (void)n;
    return 0;
}

static void destroy(struct firn_conv_op *op)
{
    struct direct_op *d = (struct direct_op *)op;
    firn_free(d->weight);
    firn_free(d->bias);
    firn_free(d);
}

int firn_conv_create_direct(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                            const float *weight, const float *bias,
                            const struct firn_kernels *kernels)
{
    (void)kernels;
    *out = NULL;
    size_t taps = (size_t)(shape->cin / shape->groups) * shape->kernel * shape->kernel;
    struct direct_op *d = firn_alloc(1, sizeof *d);
    if (!d)
        return -FIRN_NOMEM;
    d->op = (struct firn_conv_op){
        .shape = *shape, .algorithm = "direct", .macs = firn_conv_direct_macs(shape),
        .bytes = (taps + 1) * shape->cout * sizeof(float),
        .run = run, .scratch = scratch, .destroy = destroy,
    };
    d->weight = firn_alloc(taps * shape->cout, sizeof(float));
    d->bias = firn_alloc(shape->cout, sizeof(float));
    if (!d->weight || !d->bias) {
        destroy(&d->op);
        return -FIRN_NOMEM;
    }
    memcpy(d->weight, weight, taps * shape->cout * sizeof(float));
    memcpy(d->bias, bias, shape->cout * sizeof(float));
    *out = &d->op;
    return 0;
}
