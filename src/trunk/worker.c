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
    float *image, *stem; /* normalised crop, two strips of the output of conv[0] */
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

static void run_op(struct firn_trunk_worker *w, int i, const struct firn_conv_call *call)
{
    const struct firn_conv_op *op = w->trunk->op[i];
    int64_t start = start_clock(w);
    op->run(op, call);
    stop_clock(w, start, &w->profile.conv_ns[i]);
}

static struct firn_conv_parts *parts(struct firn_trunk_worker *w, int i)
{
    return w->timed ? &w->profile.parts[i] : NULL;
}

/* Convolution i, in stage s. */
static void run_conv(struct firn_trunk_worker *w, int s, int i, const float *in,
                     const float *residual, float *out, int n)
{
    run_op(w, i, &(struct firn_conv_call){
        .in = in, .residual = residual, .out = out, .n = n, .scratch = w->scratch[s],
        .parts = parts(w, i)});
}

/*
 * The max-pool takes the map of conv[0] strip by strip, while it is in L2. The last two strips are
 * kept: a window may reach over the edge between them.
 */
struct stem {
    struct firn_conv_strips strips;
    struct firn_trunk_worker *w;
    float *out;
    int pooled;                         /* rows of `out` that are done */
    float *strip[2], *current, *before; /* ring; the last strip and the one before it */
    int first;                          /* row of the map at `current` */
    int first_before;
};

/* Row y of the map of conv[0], one of the last two strips. */
static const float *row_of(const struct stem *s, int y)
{
    const struct firn_conv_shape *c = &s->w->trunk->plan.conv[0];
    ptrdiff_t row = (ptrdiff_t)firn_conv_out_w(c) * c->cout;
    return y >= s->first ? s->current + (y - s->first) * row
                         : s->before + (y - s->first_before) * row;
}

/* Pools all rows whose window ends above row `end` of the map, or at the end of the map. */
static void pool(struct stem *s, int end)
{
    const struct firn_conv_shape *c = &s->w->trunk->plan.conv[0];
    int h = firn_conv_out_h(c), w = firn_conv_out_w(c);
    int64_t start = start_clock(s->w);
    for (; 2 * s->pooled < end && (2 * s->pooled + 1 < end || end == h); s->pooled++) {
        int y = 2 * s->pooled;
        const float *middle = row_of(s, y);
        const float *row[3] = {y > 0 ? row_of(s, y - 1) : middle, middle,
                               y + 1 < h ? row_of(s, y + 1) : middle};
        s->w->trunk->kernels.max_pool(row, w, c->cout,
                                      s->out + (ptrdiff_t)s->pooled * ((w + 1) / 2) * c->cout);
    }
    stop_clock(s->w, start, &s->w->profile.pool_ns);
}

static float *next_strip(struct firn_conv_strips *strips, int first, int rows)
{
    struct stem *s = (struct stem *)strips;
    (void)rows;
    pool(s, first);
    s->before = s->current;
    s->first_before = s->first;
    s->first = first;
    s->current = s->before == s->strip[0] ? s->strip[1] : s->strip[0];
    return s->current;
}

/* Floats of a strip of conv[0]; of the whole map where the algorithm makes no strips. */
static size_t strip_floats(const struct firn_trunk *t)
{
    const struct firn_conv_shape *c = &t->plan.conv[0];
    int rows = t->op[0]->strip_rows ? t->op[0]->strip_rows : firn_conv_out_h(c);
    return (size_t)rows * firn_conv_out_w(c) * c->cout;
}

/* Crop to first map: normalise, conv[0] with its ReLU, max-pool. */
static void run_stem(struct firn_trunk_worker *w, const uint8_t *crop, float *out)
{
    const struct firn_trunk *t = w->trunk;
    const struct firn_conv_shape *c = &t->plan.conv[0];
    struct stem stem = {.strips = {next_strip}, .w = w, .out = out,
                        .strip = {w->stem, w->stem + strip_floats(t)}};
    struct firn_conv_call call = {.in = w->image, .n = 1, .scratch = w->scratch[FIRN_MAX_STAGES],
                                  .parts = parts(w, 0)};
    int64_t start = start_clock(w), pooled = w->profile.pool_ns;
    t->kernels.normalise(crop, (size_t)c->h * c->w, t->table, w->image);
    stop_clock(w, start, &w->profile.normalise_ns);
    if (t->op[0]->strip_rows)
        call.strips = &stem.strips;
    else
        call.out = next_strip(&stem.strips, 0, firn_conv_out_h(c));
    run_op(w, 0, &call);
    w->profile.conv_ns[0] -= w->profile.pool_ns - pooled;
    pool(&stem, firn_conv_out_h(c));
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
    w->stem = take(w, &at, strip_floats(w->trunk), stem->strip_rows ? 2 : 1);
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
    w->memory = firn_alloc_raw(1, w->bytes); /* buffers lie over each other: never clear */
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
