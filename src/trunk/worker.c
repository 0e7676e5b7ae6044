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
 *
 * While a stage works, only its input and those of later stages, which are being collected, hold
 * anything. So all buffers lie in one piece of memory, what a stage needs where the input of the
 * stage before it was:
 *
 *      last | x of the last stage | its y, inner, scratch
 *                                 | x of the one before | its y, inner, scratch
 *                                                       | ...
 *                                                             | image, stem, scratch of conv[0]
 */
struct stage_buffers {
    float *x, *y, *inner[2];
};

struct firn_trunk_worker {
    const struct firn_trunk *trunk;
    int max_batch;
    size_t bytes;
    char *memory;        /* of all buffers */
    float *image, *stem; /* normalised crop, output of conv[0] */
    float *last;         /* output of the last stage */
    void *scratch[FIRN_MAX_STAGES + 1]; /* of each stage, and of conv[0] behind them */
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

/* Convolution i, in stage s. */
static void run_conv(struct firn_trunk_worker *w, int s, int i, const float *in,
                     const float *residual, float *out, int n)
{
    const struct firn_conv_op *op = w->trunk->op[i];
    int64_t start = start_clock(w);
    op->run(op, &(struct firn_conv_call){
        .in = in, .residual = residual, .out = out, .n = n, .scratch = w->scratch[s],
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
    run_conv(w, FIRN_MAX_STAGES, 0, w->image, NULL, w->stem, 1);
    start = start_clock(w);
    t->kernels.max_pool(w->stem, firn_conv_out_h(s), firn_conv_out_w(s), s->cout, out);
    stop_clock(w, start, &w->profile.pool_ns);
}

/* One block of stage s on n images; returns where its output is: `to` unless that is NULL. */
static float *run_block(struct firn_trunk_worker *w, int s, const struct firn_block *block,
                        float *x, float *to, int n)
{
    const struct stage_buffers *b = &w->buffers[s];
    float *residual = x;
    if (block->down >= 0) {
        residual = b->y;
        run_conv(w, s, block->down, x, NULL, residual, n);
    }
    const float *in = x;
    for (int k = 0; k + 1 < block->n; k++) {
        run_conv(w, s, block->conv[k], in, NULL, b->inner[k], n);
        in = b->inner[k];
    }
    float *out = to ? to : residual;
    run_conv(w, s, block->conv[block->n - 1], in, residual, out, n);
    return out;
}

/* Maps behind stage `s` of the crops [first, first + n), n <= at_once(s), into `out`. */
static void run_stage(struct firn_trunk_worker *w, int s, int first, int n, float *out)
{
    const struct firn_plan *plan = &w->trunk->plan;
    const struct firn_stage *stage = &plan->stage[s];
    float *x = w->buffers[s].x;
    int step = s ? at_once(w, s - 1) : 1;
    for (int i = 0; i < n; i += step) {
        float *to = x + i * stage->in;
        if (s)
            run_stage(w, s - 1, first + i, n - i < step ? n - i : step, to);
        else
            run_stem(w, w->crops[first + i], to);
    }
    for (int i = 0; i < stage->count; i++)
        x = run_block(w, s, &plan->block[stage->first + i], x,
                      i + 1 < stage->count ? NULL : out, n);
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

/* A buffer of n maps at *at, which goes behind it; NULL while the memory is only measured. */
static float *take(const struct firn_trunk_worker *w, size_t *at, size_t floats, int n)
{
    size_t bytes = floats * n * sizeof(float) + FIRN_CONV_SLACK;
    float *p = w->memory ? (float *)(w->memory + *at) : NULL;
    *at += (bytes + FIRN_ALIGN - 1) / FIRN_ALIGN * FIRN_ALIGN;
    return p;
}

static size_t scratch_floats(const struct firn_trunk_worker *w, int s)
{
    const struct firn_trunk *t = w->trunk;
    size_t most = 0;
    for (int b = 0; b < t->plan.stage[s].count; b++) {
        const struct firn_block *block = &t->plan.block[t->plan.stage[s].first + b];
        for (int k = -1; k < block->n; k++) {
            int i = k < 0 ? block->down : block->conv[k];
            size_t bytes = i < 0 ? 0 : t->op[i]->scratch(t->op[i], at_once(w, s));
            most = bytes > most ? bytes : most;
        }
    }
    return most / sizeof(float) + 1;
}

/* Places all buffers; returns the bytes that they need. */
static size_t lay_out(struct firn_trunk_worker *w)
{
    const struct firn_plan *plan = &w->trunk->plan;
    const struct firn_conv_op *stem = w->trunk->op[0];
    int last = plan->n_stage - 1;
    size_t at = 0, end, most;
    w->last = take(w, &at, plan->stage[last].out, at_once(w, last));
    most = at;
    for (int s = last; s >= 0; s--) {
        const struct firn_stage *stage = &plan->stage[s];
        struct stage_buffers *b = &w->buffers[s];
        int n = at_once(w, s);
        b->x = take(w, &at, stage->in, n);
        end = at;
        b->y = plan->block[stage->first].down >= 0 ? take(w, &end, stage->out, n) : NULL;
        for (int k = 0; k < 2; k++)
            b->inner[k] = stage->inner[k] ? take(w, &end, stage->inner[k], n) : NULL;
        w->scratch[s] = take(w, &end, scratch_floats(w, s), 1);
        most = end > most ? end : most;
    }
    w->image = take(w, &at, (size_t)plan->crop * plan->crop * 3, 1);
    w->stem = take(w, &at, plan->stem, 1);
    w->scratch[FIRN_MAX_STAGES] = take(w, &at, stem->scratch(stem, 1) / sizeof(float) + 1, 1);
    return at > most ? at : most;
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
    w->trunk = trunk;
    w->max_batch = max_batch;
    w->bytes = lay_out(w);
    w->memory = firn_alloc(1, w->bytes);
    if (!w->memory) {
        firn_trunk_worker_destroy(w);
        return firn_fail_nomem(err, "a worker's activations");
    }
    lay_out(w);
    *out = w;
    return 0;
}

void firn_trunk_worker_destroy(struct firn_trunk_worker *w)
{
    if (!w)
        return;
    firn_free(w->memory);
    firn_free(w);
}

size_t firn_trunk_worker_bytes(const struct firn_trunk_worker *w)
{
    return w->bytes;
}
