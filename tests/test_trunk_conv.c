/* SPDX-License-Identifier: MIT */
/**
 * Every convolution algorithm on every instruction set against float64, over random shapes and data
 * made to be awkward; and the same bits for an image wherever it stands in a batch.
 */
#include <math.h>

#include "awkward.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "check.h"
#include "trunk/state.h"

/* A convolution's operands and what the definition gives in double. */
struct sample {
    struct firn_conv_shape s;
    int n;
    size_t in_image, out_image, taps;
    float *in, *weight, *bias, *residual, *out;
    double *want;  /* before the ReLU */
    double *scale; /* sum of the absolute values of all terms: what rounding errors grow with */
};

static void sample_init(struct sample *t, const struct firn_conv_shape *s, int n, enum fill how,
                        bool residual)
{
    memset(t, 0, sizeof *t);
    t->s = *s;
    t->n = n;
    t->taps = (size_t)s->cin / s->groups * s->kernel * s->kernel;
    t->in_image = (size_t)s->h * s->w * s->cin;
    t->out_image = (size_t)firn_conv_out_h(s) * firn_conv_out_w(s) * s->cout;
    t->in = firn_alloc(1, t->in_image * n * sizeof(float) + FIRN_CONV_SLACK);
    t->weight = firn_alloc(t->taps * s->cout, sizeof(float));
    t->bias = firn_alloc(s->cout, sizeof(float));
    t->residual = residual ? firn_alloc(t->out_image * n, sizeof(float)) : NULL;
    t->out = firn_alloc(1, t->out_image * n * sizeof(float) + FIRN_CONV_SLACK);
    t->want = firn_alloc(t->out_image * n, sizeof(double));
    t->scale = firn_alloc(t->out_image * n, sizeof(double));
    fill(t->in, t->in_image * n, how);
    fill(t->weight, t->taps * s->cout, how == MIXED ? MIXED : NORMAL);
    fill(t->bias, s->cout, how);
    if (residual)
        fill(t->residual, t->out_image * n, how);
}

static void sample_free(struct sample *t)
{
    firn_free(t->in);
    firn_free(t->weight);
    firn_free(t->bias);
    firn_free(t->residual);
    firn_free(t->out);
    firn_free(t->want);
    firn_free(t->scale);
}

static void reference_value(struct sample *t, int image, int oy, int ox, int o)
{
    const struct firn_conv_shape *s = &t->s;
    int cin = s->cin / s->groups, group = o / (s->cout / s->groups);
    size_t at = image * t->out_image + ((size_t)oy * firn_conv_out_w(s) + ox) * s->cout + o;
    double sum = t->bias[o], scale = fabs(sum);
    for (int ky = 0; ky < s->kernel; ky++)
        for (int kx = 0; kx < s->kernel; kx++) {
            int y = oy * s->stride - s->pad + ky, x = ox * s->stride - s->pad + kx;
            if (y < 0 || y >= s->h || x < 0 || x >= s->w)
                continue;
            const float *p = t->in + image * t->in_image + ((size_t)y * s->w + x) * s->cin +
                             (size_t)group * cin;
            const float *w = t->weight + o * t->taps + (size_t)ky * s->kernel + kx;
            for (int c = 0; c < cin; c++) {
                double term = (double)p[c] * w[(size_t)c * s->kernel * s->kernel];
                sum += term;
                scale += fabs(term);
            }
        }
    if (t->residual) {
        sum += t->residual[at];
        scale += fabs(t->residual[at]);
    }
    t->want[at] = s->relu && sum < 0 ? 0 : sum;
    t->scale[at] = scale;
}

static void reference(struct sample *t)
{
    for (int i = 0; i < t->n; i++)
        for (int y = 0; y < firn_conv_out_h(&t->s); y++)
            for (int x = 0; x < firn_conv_out_w(&t->s); x++)
                for (int o = 0; o < t->s.cout; o++)
                    reference_value(t, i, y, x, o);
}

static void run(struct sample *t, const struct firn_conv_op *op, int n, const float *in,
                const float *residual, float *out)
{
    (void)t;
    void *scratch = firn_alloc(1, op->scratch(op, n) + FIRN_CONV_SLACK);
    unsigned long fpu = firn_fpu_flush();
    op->run(op, &(struct firn_conv_call){
        .in = in, .residual = residual, .out = out, .n = n, .scratch = scratch});
    firn_fpu_restore(fpu);
    firn_free(scratch);
}

/*
 * The largest error allowed: for sums of products the rigorous bound; an algorithm that transforms
 * its input spreads the error of the largest value over a tile, so it is held to the whole image.
 */
static bool transforms(const struct firn_conv_op *op)
{
    return !strncmp(op->algorithm, "wino", 4) || !strcmp(op->algorithm, "strassen");
}

static double allowed(const struct sample *t, const struct firn_conv_op *op, size_t at)
{
    if (!transforms(op))
        return sum_error(t->taps, t->scale[at]);
    static double most; /* of the image that `at` went through last */
    for (size_t i = 0; at % t->out_image == 0 && i < t->out_image; i++)
        most = check_larger(i ? most : 0, t->scale[at + i]);
    return 4e-6 * most + 64 * sum_error(t->taps, 0);
}

static const char *describe(const struct sample *t, const struct firn_conv_op *op,
                            const struct firn_kernels *k)
{
    static char text[200];
    const struct firn_conv_shape *s = &t->s;
    snprintf(text, sizeof text,
             "%s %s: %d images %dx%d %d->%d kernel %d stride %d pad %d groups %d", op->algorithm,
             firn_cpu_name(k->cpu), t->n, s->h, s->w, s->cin, s->cout, s->kernel, s->stride, s->pad,
             s->groups);
    return text;
}

static void check_error(struct sample *t, const struct firn_conv_op *op,
                        const struct firn_kernels *k, enum fill how)
{
    size_t worst = 0, bad = 0;
    double most = -1;
    bool wino = transforms(op);
    for (size_t i = 0; i < t->out_image * t->n; i++) {
        double error = fabs(t->out[i] - t->want[i]);
        double limit = !wino || i % t->out_image == 0 || error > 0 ? allowed(t, op, i) : 1;
        bad += !(error <= limit);
        if (!(error / limit <= most)) {
            most = error / limit;
            worst = i;
        }
    }
    CHECK(bad == 0, "(%s, %s: %zu values, worst %g instead of %g at %zu, %.3g of what is allowed)",
          describe(t, op, k), fill_name[how], bad, t->out[worst], t->want[worst], worst, most);
}

/* Each image alone, and in place over its residual, gives the bits that it has in the batch. */
static void check_bits(struct sample *t, const struct firn_conv_op *op,
                       const struct firn_kernels *k)
{
    float *alone = firn_alloc(1, t->out_image * sizeof(float) + FIRN_CONV_SLACK);
    float *in = firn_alloc(1, t->in_image * sizeof(float) + FIRN_CONV_SLACK);
    for (int i = 0; i < t->n; i++) {
        memcpy(in, t->in + i * t->in_image, t->in_image * sizeof(float));
        if (t->residual)
            memcpy(alone, t->residual + i * t->out_image, t->out_image * sizeof(float));
        run(t, op, 1, in, t->residual ? alone : NULL, alone);
        CHECK(!memcmp(alone, t->out + i * t->out_image, t->out_image * sizeof(float)),
              "(%s: image %d alone)", describe(t, op, k), i);
    }
    firn_free(alone);
    firn_free(in);
}

static firn_conv_create_fn *const algorithms[] = {
    firn_conv_create_direct, firn_conv_create_gemm, firn_conv_create_grouped,
    firn_conv_create_wino, firn_conv_create_wino_compact, firn_conv_create_strassen,
};

static int tried[sizeof algorithms / sizeof *algorithms];

static void check_shape(const struct firn_conv_shape *s, int n, enum fill how, bool residual,
                        const struct firn_kernels *kernels, int levels)
{
    struct sample t;
    sample_init(&t, s, n, how, residual);
    reference(&t);
    for (int l = 0; l < levels; l++)
        for (size_t a = 0; a < sizeof algorithms / sizeof *algorithms; a++) {
            struct firn_conv_op *op;
            int status = algorithms[a](&op, s, t.weight, t.bias, &kernels[l]);
            CHECK(status == 0 || (status == FIRN_CONV_UNSUITED && !op));
            if (status)
                continue;
            tried[a]++;
            CHECK(op->bytes > 0 && op->macs > 0);
            run(&t, op, n, t.in, t.residual, t.out);
            check_error(&t, op, &kernels[l], how);
            check_bits(&t, op, &kernels[l]);
            firn_conv_destroy(op);
        }
    sample_free(&t);
}

/* Random shapes near those of the family, maps small enough for a reference in plain loops. */
static void random_shapes(int count, const struct firn_kernels *kernels, int levels)
{
    static const int kernel[] = {1, 1, 3, 3, 3, 7};
    for (int i = 0; i < count; i++) {
        struct firn_conv_shape s = {
            .h = 1 + below(15), .w = 1 + below(15), .cin = 16 * (1 + below(6)),
            .cout = 16 * (1 + below(6)), .kernel = kernel[below(6)], .stride = 1 + below(2),
            .groups = 1, .relu = below(2),
        };
        s.pad = s.kernel / 2;
        if (s.kernel == 7)
            s.cin = 3;
        if (s.kernel == 3 && below(3) == 0) {
            int width = (int[]){4, 8, 16, 24, 32}[below(5)];
            s.groups = 2 * (1 + below(4));
            s.cin = s.cout = width * s.groups;
        }
        check_shape(&s, 1 + below(5), (enum fill)below(FILLS), below(2), kernels, levels);
    }
}

/* Shapes of the family itself where a reference is still quick. */
static void real_shapes(const struct firn_kernels *kernels, int levels)
{
    static const struct firn_conv_shape shapes[] = {
        {.h = 20, .w = 20, .cin = 3, .cout = 64, .kernel = 7, .stride = 2, .pad = 3, .groups = 1},
        {.h = 56, .w = 56, .cin = 64, .cout = 64, .kernel = 1, .stride = 1, .groups = 1},
        {.h = 28, .w = 28, .cin = 64, .cout = 32, .kernel = 3, .stride = 1, .pad = 1, .groups = 1},
        {.h = 14, .w = 14, .cin = 256, .cout = 32, .kernel = 3, .stride = 2, .pad = 1, .groups = 1},
        {.h = 7, .w = 7, .cin = 512, .cout = 64, .kernel = 3, .stride = 1, .pad = 1, .groups = 1},
        {.h = 7, .w = 7, .cin = 2048, .cout = 64, .kernel = 1, .stride = 1, .groups = 1},
        {.h = 14, .w = 14, .cin = 64, .cout = 320, .kernel = 1, .stride = 1, .groups = 1},
        {.h = 13, .w = 13, .cin = 32, .cout = 64, .kernel = 1, .stride = 1, .groups = 1},
        {.h = 56, .w = 56, .cin = 128, .cout = 128, .kernel = 3, .stride = 1, .pad = 1,
         .groups = 32},
        {.h = 14, .w = 14, .cin = 256, .cout = 256, .kernel = 3, .stride = 2, .pad = 1,
         .groups = 32},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct firn_conv_shape s = shapes[i];
        s.relu = true;
        check_shape(&s, i % 2 ? 2 : 1, RELU, i % 2, kernels, levels);
    }
}

int main(int argc, char **argv)
{
    struct firn_kernels kernels[4];
    int levels = 0;
    static const char *const names[] = {"generic", "sse4", "avx2", "neon"};
    for (int i = 0; i < 4; i++) {
        int cpu = firn_cpu_choose(names[i]);
        if (cpu >= 0)
            firn_kernels_choose(&kernels[levels++], (enum firn_cpu)cpu);
    }
    random_shapes(argc > 1 ? atoi(argv[1]) : 60, kernels, levels);
    real_shapes(kernels, levels);
    for (size_t a = 0; a < sizeof algorithms / sizeof *algorithms; a++)
        CHECK(tried[a] > 0, "(algorithm %zu was never suited)", a);
    CHECK_DONE();
}
