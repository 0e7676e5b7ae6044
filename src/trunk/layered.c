/* SPDX-License-Identifier: MIT */
#include "trunk/layered.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "trunk/layered_maps.h"
#include "trunk/moments.h"
#include "trunk/state.h"

#define MOST_IMAGES 32 /* at once: as many as 7x7 maps take; smaller ones gain nothing */

struct firn_layered {
    struct firn_trunk *trunk; /* its convolutions, packed as they are */
    const struct firn_net *net;
    int n;
    struct firn_pass pass[FIRN_MAX_CONVS];
    int block_of[FIRN_MAX_CONVS]; /* of a pass; -1: the stem */
    bool first[FIRN_MAX_CONVS];   /* it begins its block */
    float *flip;                  /* [channels of conv[0]]: -1 where gamma is negative, else 1 */
    size_t slot;
};

struct firn_norms {
    const struct firn_layered *layered;
    float *numbers;
    struct firn_norm norm[FIRN_MAX_CONVS];
};

struct firn_layered_worker {
    const struct firn_layered *l;
    const struct firn_norms *norms;
    size_t bytes;
    float *in, *out, *side; /* of the group in work, dense */
    void *scratch;
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t pixels_of(const struct firn_conv_shape *s)
{
    return (size_t)firn_conv_out_h(s) * firn_conv_out_w(s);
}

/* ---- the passes ---- */

static void add_pass(struct firn_layered *l, int block, int k, size_t side)
{
    const struct firn_plan *plan = &l->trunk->plan;
    const struct firn_block *b = block < 0 ? NULL : &plan->block[block];
    struct firn_pass *p = &l->pass[l->n];
    const struct firn_conv_shape *s = &plan->conv[b ? b->conv[k] : 0];
    *p = (struct firn_pass){.conv = b ? b->conv[k] : 0, .down = -1, .channels = s->cout,
                            .pixels = pixels_of(s), .side = side, .images = 1};
    p->main = p->pixels * s->cout;
    if (b && k == 0 && b->down >= 0) {
        p->down = b->down;
        p->down_pixels = pixels_of(&plan->conv[b->down]);
        p->channels += plan->conv[b->down].cout;
    }
    if (b && p->pixels < FIRN_STAGE_PIXELS)
        p->images = FIRN_STAGE_PIXELS / (int)p->pixels;
    if (p->images > MOST_IMAGES)
        p->images = MOST_IMAGES;
    l->block_of[l->n] = block;
    l->first[l->n] = k == 0;
    l->n++;
}

/* The slot of pass p - 1 as the input map of block b: pixels times channels. */
static size_t block_input(const struct firn_plan *plan, const struct firn_block *b)
{
    const struct firn_conv_shape *s = &plan->conv[b->conv[0]];
    return (size_t)s->h * s->w * s->cin;
}

static void lay_out(struct firn_layered *l)
{
    const struct firn_plan *plan = &l->trunk->plan;
    add_pass(l, -1, 0, 0);
    l->pass[0].main = block_input(plan, &plan->block[0]); /* behind the max-pool */
    for (int i = 0; i < plan->n_block; i++) {
        const struct firn_block *b = &plan->block[i];
        const struct firn_conv_shape *down = b->down < 0 ? NULL : &plan->conv[b->down];
        size_t side = down ? pixels_of(down) * down->cout : block_input(plan, b);
        for (int k = 0; k < b->n; k++)
            add_pass(l, i, k, side);
    }
    for (int p = 0; p < l->n; p++)
        l->slot = larger(l->slot, l->pass[p].side + l->pass[p].main);
}

/* ---- packing ---- */

/* A copy of the network without BatchNorm, the first kernels turned where gamma is negative. */
static int bare_net(struct firn_layered *l, struct firn_net *bare, float **first,
                    struct firn_error *err)
{
    *bare = *l->net;
    for (int i = 0; i < bare->n_conv; i++)
        bare->conv[i].gamma = bare->conv[i].beta = bare->conv[i].mean = bare->conv[i].var = NULL;
    const struct firn_model_layer *s = &bare->conv[0].shape;
    size_t row = (size_t)s->cin / s->groups * s->kernel * s->kernel;
    *first = firn_alloc(row * s->cout, sizeof(float));
    l->flip = firn_alloc(s->cout, sizeof(float));
    if (!*first || !l->flip)
        return firn_fail_nomem(err, "the network's weights");
    for (int o = 0; o < s->cout; o++) {
        l->flip[o] = l->net->conv[0].gamma[o] < 0 ? -1.0f : 1.0f;
        for (size_t i = 0; i < row; i++)
            (*first)[o * row + i] = l->flip[o] * l->net->conv[0].weight[o * row + i];
    }
    bare->conv[0].weight = *first;
    return 0;
}

int firn_layered_create_net(struct firn_layered **out, const struct firn_net *net, int crop,
                            enum firn_cpu cpu, struct firn_error *err)
{
    struct firn_layered *l = firn_alloc(1, sizeof *l);
    struct firn_net *bare = firn_alloc(1, sizeof *bare);
    float *first = NULL;
    *out = NULL;
    int status = l && bare ? 0 : firn_fail_nomem(err, "the trunk");
    if (!status) {
        l->net = net;
        status = bare_net(l, bare, &first, err);
    }
    if (!status)
        status = firn_trunk_create_net(&l->trunk, bare, crop, cpu, false, err);
    firn_free(first);
    firn_free(bare);
    if (status) {
        firn_layered_destroy(l);
        return status;
    }
    lay_out(l);
    *out = l;
    return 0;
}

int firn_layered_create(struct firn_layered **out, const struct firn_model *model, int crop,
                        enum firn_cpu cpu, struct firn_error *err)
{
    return firn_layered_create_net(out, firn_model_net(model), crop, cpu, err);
}

void firn_layered_destroy(struct firn_layered *l)
{
    if (!l)
        return;
    firn_trunk_destroy(l->trunk);
    firn_free(l->flip);
    firn_free(l);
}

int firn_layered_passes(const struct firn_layered *l)
{
    return l->n;
}

const struct firn_pass *firn_layered_pass(const struct firn_layered *l, int pass)
{
    return &l->pass[pass];
}

size_t firn_layered_slot(const struct firn_layered *l)
{
    return l->slot;
}

int firn_layered_dim(const struct firn_layered *l)
{
    return firn_trunk_dim(l->trunk);
}

size_t firn_layered_bytes(const struct firn_layered *l)
{
    return sizeof *l + firn_trunk_bytes(l->trunk);
}

/* ---- norms ---- */

int firn_norms_create(struct firn_norms **out, const struct firn_layered *l,
                      struct firn_error *err)
{
    struct firn_norms *norms = firn_alloc(1, sizeof *norms);
    size_t total = 0;
    *out = norms;
    if (!norms)
        return firn_fail_nomem(err, "BatchNorm layers");
    norms->layered = l;
    for (int i = 0; i < l->net->n_conv; i++)
        total += (size_t)l->net->conv[i].shape.cout;
    norms->numbers = firn_alloc(total, 2 * sizeof(float));
    if (!norms->numbers) {
        firn_norms_destroy(norms);
        *out = NULL;
        return firn_fail_nomem(err, "BatchNorm layers");
    }
    float *at = norms->numbers;
    for (int i = 0; i < l->net->n_conv; i++) {
        int c = l->net->conv[i].shape.cout;
        norms->norm[i] = (struct firn_norm){at, at + c};
        at += 2 * c;
    }
    return 0;
}

void firn_norms_destroy(struct firn_norms *norms)
{
    if (!norms)
        return;
    firn_free(norms->numbers);
    firn_free(norms);
}

void firn_norms_set(struct firn_norms *norms, int conv, const double *mean, const double *var)
{
    const struct firn_conv *layer = &norms->layered->net->conv[conv];
    struct firn_norm *norm = &norms->norm[conv];
    for (int i = 0; i < layer->shape.cout; i++) {
        double gain = layer->gamma[i] / sqrt(var[i] + FIRN_BN_EPS);
        norm->scale[i] = (float)gain * (conv ? 1.0f : norms->layered->flip[i]);
        norm->shift[i] = (float)(layer->beta[i] - mean[i] * gain);
    }
}

/* ---- a worker ---- */

static float *take(struct firn_layered_worker *w, size_t floats, bool *ok)
{
    size_t bytes = floats * sizeof(float) + FIRN_CONV_SLACK;
    float *p = firn_alloc(1, bytes);
    w->bytes += bytes;
    *ok &= p != NULL;
    return p;
}

static size_t scratch_of(const struct firn_layered *l, int conv, int n)
{
    const struct firn_conv_op *op = conv < 0 ? NULL : l->trunk->op[conv];
    return op ? op->scratch(op, n) : 0;
}

int firn_layered_worker_create(struct firn_layered_worker **out, const struct firn_layered *l,
                               const struct firn_norms *norms, struct firn_error *err)
{
    struct firn_layered_worker *w = firn_alloc(1, sizeof *w);
    size_t in = 0, main = 0, side = 0, scratch = 0;
    *out = w;
    if (!w)
        return firn_fail_nomem(err, "a worker");
    for (int p = 0; p < l->n; p++) {
        const struct firn_pass *pass = &l->pass[p];
        const struct firn_conv_shape *s = &l->trunk->plan.conv[pass->conv];
        size_t n = (size_t)pass->images;
        in = larger(in, n * s->h * s->w * s->cin);
        main = larger(main, n * pass->pixels * s->cout);
        side = larger(side, pass->down < 0 ? 0 : n * pass->side);
        scratch = larger(scratch, larger(scratch_of(l, pass->conv, pass->images),
                                         scratch_of(l, pass->down, pass->images)));
    }
    in = larger(in, l->pass[l->n - 1].side);
    bool ok = true;
    *w = (struct firn_layered_worker){.l = l, .norms = norms, .bytes = sizeof *w};
    w->in = take(w, in, &ok);
    w->out = take(w, main, &ok);
    w->side = take(w, side, &ok);
    w->scratch = take(w, scratch / sizeof(float) + 1, &ok);
    if (ok)
        return 0;
    firn_layered_worker_destroy(w);
    *out = NULL;
    return firn_fail_nomem(err, "a worker's activations");
}

void firn_layered_worker_destroy(struct firn_layered_worker *w)
{
    if (!w)
        return;
    firn_free(w->in);
    firn_free(w->out);
    firn_free(w->side);
    firn_free(w->scratch);
    firn_free(w);
}

size_t firn_layered_worker_bytes(const struct firn_layered_worker *w)
{
    return w->bytes;
}

/* ---- a pass ---- */

/* The map that leaves pass p, from its slot: normalised, with the shortcut where a block ends. */
static void open_slot(const struct firn_layered_worker *w, int p, const float *slot, float *out)
{
    const struct firn_layered *l = w->l;
    const struct firn_pass *pass = &l->pass[p];
    const float *main = slot + pass->side;
    const struct firn_norm *norm = &w->norms->norm[pass->conv];
    int c = l->trunk->plan.conv[pass->conv].cout;
    size_t pixels = pass->main / c;
    bool ends = l->block_of[p] >= 0 && (p + 1 == l->n || l->first[p + 1]);
    if (!ends) {
        firn_norm_relu(main, pixels, c, norm, out);
        return;
    }
    int down = l->trunk->plan.block[l->block_of[p]].down;
    firn_norm_add_relu(main, pixels, c, norm, slot, down < 0 ? NULL : &w->norms->norm[down], out);
}

static void run_conv(struct firn_layered_worker *w, int i, float *out, int n)
{
    const struct firn_conv_op *op = w->l->trunk->op[i];
    op->run(op, &(struct firn_conv_call){.in = w->in, .out = out, .n = n, .scratch = w->scratch});
}

/* conv[0] and the max-pool; the turned channels' means are turned back. */
static void run_stem(struct firn_layered_worker *w, const uint8_t *crop, float *slot,
                     double *moments)
{
    const struct firn_trunk *t = w->l->trunk;
    const struct firn_conv_shape *s = &t->plan.conv[0];
    int c = s->cout;
    t->kernels.normalise(crop, (size_t)s->h * s->w, t->table, w->in);
    run_conv(w, 0, w->out, 1);
    firn_max_pool(&t->kernels, w->out, firn_conv_out_h(s), firn_conv_out_w(s), c, slot);
    if (!moments)
        return;
    firn_moments(w->out, pixels_of(s), c, moments, moments + c);
    for (int i = 0; i < c; i++)
        moments[i] *= w->l->flip[i];
}

static void take_moments(const struct firn_pass *pass, const float *main, const float *side,
                         double *moments)
{
    int c = (int)(pass->main / pass->pixels);
    firn_moments(main, pass->pixels, c, moments, moments + pass->channels);
    if (pass->down >= 0)
        firn_moments(side, pass->down_pixels, pass->channels - c, moments + c,
                     moments + pass->channels + c);
}

static void run_layer(struct firn_layered_worker *w, int p, int n, float *const *slot,
                      double *const *moments)
{
    const struct firn_pass *pass = &w->l->pass[p];
    const struct firn_conv_shape *s = &w->l->trunk->plan.conv[pass->conv];
    size_t in = (size_t)s->h * s->w * s->cin, side = pass->side * sizeof(float);
    bool first = w->l->first[p];
    for (int i = 0; i < n; i++)
        open_slot(w, p - 1, slot[i], w->in + i * in);
    run_conv(w, pass->conv, w->out, n);
    if (pass->down >= 0)
        run_conv(w, pass->down, w->side, n);
    for (int i = 0; i < n; i++) {
        const float *map = w->out + i * pass->main;
        const float *shortcut = pass->down >= 0 ? w->side + i * pass->side : w->in + i * in;
        if (moments)
            take_moments(pass, map, shortcut, moments[i]);
        if (first)
            memcpy(slot[i], shortcut, side);
        memcpy(slot[i] + pass->side, map, pass->main * sizeof(float));
    }
}

void firn_layered_run(struct firn_layered_worker *w, int p, int n, const uint8_t *const *crops,
                      float *const *slot, double *const *moments)
{
    unsigned long fpu = firn_fpu_flush();
    if (p > 0)
        run_layer(w, p, n, slot, moments);
    for (int i = 0; p == 0 && i < n; i++)
        run_stem(w, crops[i], slot[i], moments ? moments[i] : NULL);
    firn_fpu_restore(fpu);
}

void firn_layered_finish(struct firn_layered_worker *w, int n, float *const *slot,
                         float *const *features)
{
    const struct firn_trunk *t = w->l->trunk;
    unsigned long fpu = firn_fpu_flush();
    for (int i = 0; i < n; i++) {
        open_slot(w, w->l->n - 1, slot[i], w->in);
        t->kernels.average(w->in, t->plan.out_pixels, t->plan.dim, features[i]);
    }
    firn_fpu_restore(fpu);
}
