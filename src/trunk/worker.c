/* SPDX-License-Identifier: MIT */
/** One thread's run through the network, depth-first. */
#include "trunk/state.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"

/*
 * Buffers of a stage, each for stage.images images. A block reads `x`, computes its inner maps
 * into `inner`, and leaves its output where its residual was (in x, or in y behind a downsample),
 * but for the last block, which writes into the x of the next stage.
 */
struct stage_buffers {
    float *x, *y, *inner[2];
};

struct firn_trunk_worker {
    const struct firn_trunk *trunk;
    int max_batch;
    size_t bytes;
    float *image, *stem; /* normalised crop, output of conv[0] */
    float *last;         /* output of the last stage */
    void *scratch;
    struct stage_buffers buffers[FIRN_MAX_STAGES];
    const uint8_t *const *crops; /* of the current run */
    bool timed;
    struct firn_trunk_profile profile; /* when timed */
};

static int64_t start_clock(const struct firn_trunk_worker *w)
{
    return w->timed ? firn_thread_cpu_ns() : 0;
}

static void stop_clock(const struct firn_trunk_worker *w, int64_t start, int64_t *total)
{
    if (w->timed)
        *total += firn_thread_cpu_ns() - start;
}

const struct firn_trunk_profile *firn_trunk_worker_profile(struct firn_trunk_worker *w)
{
    w->timed = true;
    return &w->profile;
}

static int at_once(const struct firn_trunk_worker *w, int stage)
{
    int images = w->trunk->plan.stage[stage].images;
    return images < w->max_batch ? images : w->max_batch;
}

static void run_conv(struct firn_trunk_worker *w, int i, const float *in, const float *residual,
                     float *out, int n)
{
    const struct firn_conv_op *op = w->trunk->op[i];
    int64_t start = start_clock(w);
    op->run(op, &(struct firn_conv_call){
        .in = in, .residual = residual, .out = out, .n = n, .scratch = w->scratch,
        .parts = w->timed ? &w->profile.parts[i] : NULL});
    stop_clock(w, start, &w->profile.conv_ns[i]);
}

/* Crop to first map: normalise, conv[0] with its ReLU, max-pool. */
static void run_stem(struct firn_trunk_worker *w, const uint8_t *crop, float *out)
{
    const struct firn_trunk *t = w->trunk;
    const struct firn_conv_shape *s = &t->plan.conv[0];
    int64_t start = start_clock(w);
    t->kernels.normalise(crop, (size_t)s->h * s->w, t->table, w->image);
    stop_clock(w, start, &w->profile.normalise_ns);
    run_conv(w, 0, w->image, NULL, w->stem, 1);
    start = start_clock(w);
    t->kernels.max_pool(w->stem, firn_conv_out_h(s), firn_conv_out_w(s), s->cout, out);
    stop_clock(w, start, &w->profile.pool_ns);
}

/* One block on n images; returns where its output is: `to` unless that is NULL. */
static float *run_block(struct firn_trunk_worker *w, const struct firn_block *block,
                        const struct stage_buffers *b, float *x, float *to, int n)
{
    float *residual = x;
    if (block->down >= 0) {
        residual = b->y;
        run_conv(w, block->down, x, NULL, residual, n);
    }
    const float *in = x;
    for (int k = 0; k + 1 < block->n; k++) {
        run_conv(w, block->conv[k], in, NULL, b->inner[k], n);
        in = b->inner[k];
    }
    float *out = to ? to : residual;
    run_conv(w, block->conv[block->n - 1], in, residual, out, n);
    return out;
}

/* Maps behind stage `s` of the crops [first, first + n), n <= at_once(s), into `out`. */
static void run_stage(struct firn_trunk_worker *w, int s, int first, int n, float *out)
{
    const struct firn_plan *plan = &w->trunk->plan;
    const struct firn_stage *stage = &plan->stage[s];
    const struct stage_buffers *b = &w->buffers[s];
    int step = s ? at_once(w, s - 1) : 1;
    for (int i = 0; i < n; i += step) {
        float *to = b->x + i * stage->in;
        if (s)
            run_stage(w, s - 1, first + i, n - i < step ? n - i : step, to);
        else
            run_stem(w, w->crops[first + i], to);
    }
    float *x = b->x;
    for (int i = 0; i < stage->count; i++)
        x = run_block(w, &plan->block[stage->first + i], b, x, i + 1 < stage->count ? NULL : out, n);
}

void firn_trunk_run(struct firn_trunk_worker *w, const uint8_t *const *crops, int n,
                    float *features)
{
    const struct firn_trunk *t = w->trunk;
    int last = t->plan.n_stage - 1, step = at_once(w, last);
    unsigned long fpu = firn_fpu_flush();
    w->crops = crops;
    for (int first = 0; first < n; first += step) {
        int count = n - first < step ? n - first : step;
        run_stage(w, last, first, count, w->last);
        int64_t start = start_clock(w);
        for (int i = 0; i < count; i++)
            t->kernels.average(w->last + i * t->plan.stage[last].out, t->plan.out_pixels,
                               t->plan.dim, features + (size_t)(first + i) * t->plan.dim);
        stop_clock(w, start, &w->profile.average_ns);
    }
    w->profile.images += n;
    firn_fpu_restore(fpu);
}

/* A buffer of n maps; *ok turns false when memory is out. */
static float *take(struct firn_trunk_worker *w, size_t floats, int n, bool *ok)
{
    size_t bytes = floats * n * sizeof(float) + FIRN_CONV_SLACK;
    float *p = firn_alloc(1, bytes);
    w->bytes += bytes;
    *ok &= p != NULL;
    return p;
}

static size_t scratch_needed(const struct firn_trunk_worker *w)
{
    const struct firn_trunk *t = w->trunk;
    size_t most = t->op[0]->scratch(t->op[0], 1);
    for (int s = 0; s < t->plan.n_stage; s++)
        for (int b = 0; b < t->plan.stage[s].count; b++) {
            const struct firn_block *block = &t->plan.block[t->plan.stage[s].first + b];
            for (int k = -1; k < block->n; k++) {
                int i = k < 0 ? block->down : block->conv[k];
                size_t bytes = i < 0 ? 0 : t->op[i]->scratch(t->op[i], at_once(w, s));
                most = bytes > most ? bytes : most;
            }
        }
    return most;
}

int firn_trunk_worker_create(struct firn_trunk_worker **out, const struct firn_trunk *trunk,
                             int max_batch, struct firn_error *err)
{
    *out = NULL;
    if (max_batch < 1)
        return firn_fail(err, FIRN_USAGE, "a batch of %d is not possible", max_batch);
    struct firn_trunk_worker *w = firn_alloc(1, sizeof *w);
    if (!w)
        return firn_fail_nomem(err, "a worker");
    const struct firn_plan *plan = &trunk->plan;
    bool ok = true;
    w->trunk = trunk;
    w->max_batch = max_batch;
    w->bytes = sizeof *w;
    w->image = take(w, (size_t)plan->crop * plan->crop * 3, 1, &ok);
    w->stem = take(w, plan->stem, 1, &ok);
    for (int s = 0; s < plan->n_stage; s++) {
        const struct firn_stage *stage = &plan->stage[s];
        struct stage_buffers *b = &w->buffers[s];
        int n = at_once(w, s);
        b->x = take(w, stage->in, n, &ok);
        if (plan->block[stage->first].down >= 0)
            b->y = take(w, stage->out, n, &ok);
        for (int k = 0; k < 2; k++)
            b->inner[k] = stage->inner[k] ? take(w, stage->inner[k], n, &ok) : NULL;
    }
    w->last = take(w, plan->stage[plan->n_stage - 1].out, at_once(w, plan->n_stage - 1), &ok);
    w->scratch = take(w, scratch_needed(w) / sizeof(float) + 1, 1, &ok);
    if (!ok) {
        firn_trunk_worker_destroy(w);
        return firn_fail_nomem(err, "a worker's activations");
    }
    *out = w;
    return 0;
}

void firn_trunk_worker_destroy(struct firn_trunk_worker *w)
{
    if (!w)
        return;
    firn_free(w->image);
    firn_free(w->stem);
    firn_free(w->last);
    firn_free(w->scratch);
    for (int s = 0; s < FIRN_MAX_STAGES; s++) {
        struct stage_buffers *b = &w->buffers[s];
        firn_free(b->x);
        firn_free(b->y);
        firn_free(b->inner[0]);
        firn_free(b->inner[1]);
    }
    firn_free(w);
}

size_t firn_trunk_worker_bytes(const struct firn_trunk_worker *w)
{
    return w->bytes;
}
