/* SPDX-License-Identifier: MIT */
#include "pipeline/infer.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "pipeline/item.h"

/*
 * How long a batch that has begun waits to become full. Longer than a usual photograph takes to
 * come through (10 to 20 ms), so that batches are full when there is work; short enough that a
 * lone photograph does not wait noticeably. It also makes waiting for each other impossible:
 * however few items there are, a batch goes on its way.
 */
#define PATIENCE_NS 40000000

struct worker {
    const struct firn_infer_config *config;
    struct firn_trunk_worker *trunk;
    size_t dim;
    int n, most;             /* items in the batch being collected, and how many it takes */
    struct firn_item **item; /* [most] */
    const uint8_t **crop;    /* [most * views] */
    float *feature;          /* [most * views][dim] */
};

static void stop(void *worker)
{
    struct worker *w = worker;
    if (!w)
        return;
    firn_trunk_worker_destroy(w->trunk);
    firn_free(w->feature);
    free(w->crop);
    free(w->item);
    free(w);
}

static int start(void **worker, const void *config, struct firn_error *err)
{
    struct worker *w = calloc(1, sizeof *w);
    *worker = NULL;
    if (!w)
        return firn_fail_nomem(err, "a trunk worker");
    w->config = config;
    const int batch = w->config->batch, views = w->config->views;
    w->most = batch > views ? batch / views : 1;
    const size_t crops = (size_t)w->most * (size_t)views;
    w->dim = (size_t)firn_trunk_dim(w->config->trunk);
    w->item = calloc((size_t)w->most, sizeof *w->item);
    w->crop = calloc(crops, sizeof *w->crop);
    w->feature = firn_alloc(crops, w->dim * sizeof *w->feature);
    int status = w->item && w->crop && w->feature ? 0 : firn_fail_nomem(err, "a trunk worker");
    if (!status)
        status = firn_trunk_worker_create(&w->trunk, w->config->trunk, w->config->batch, err);
    if (status) {
        stop(w);
        return status;
    }
    firn_board_add(w->config->board->memory,
                   crops * w->dim * sizeof *w->feature + firn_trunk_worker_bytes(w->trunk));
    *worker = w;
    return 0;
}

/* Takes an item into the batch, or past it when it wants no feature. */
static void take(struct worker *w, struct firn_item *item)
{
    if (firn_board_halted(w->config->board))
        firn_item_drop(item);
    if (item->fate == FIRN_LIVE)
        w->item[w->n++] = item;
    else
        firn_ring_push(w->config->out, item);
}

/*
 * How many items the batch takes. When no more will come, each batch takes one worker's part of
 * what is left, so that all workers end with small batches at about the same time: a last full one
 * would keep one of them busy for a tenth of a second in which the others have nothing to do.
 */
static int wanted(const struct worker *w)
{
    if (!firn_ring_closed(w->config->in))
        return w->most;
    size_t left = (size_t)w->n + firn_ring_count(w->config->in);
    size_t workers = (size_t)w->config->workers, part = (left + workers - 1) / workers;
    return part < (size_t)w->most ? (int)part : w->most;
}

/* False when there is nothing more and never will be. */
static bool collect(struct worker *w)
{
    struct firn_item *item;
    while (w->n == 0) {
        item = firn_ring_pop(w->config->in);
        if (!item)
            return false;
        take(w, item);
    }
    int64_t deadline = firn_now_ns() + PATIENCE_NS;
    while (w->n < wanted(w) &&
           (item = firn_ring_pop_until(w->config->in, deadline)))
        take(w, item);
    return true;
}

static bool is_sound(const float *feature, size_t dim)
{
    bool sound = true;
    for (size_t i = 0; i < dim; i++)
        sound &= feature[i] >= 0 && feature[i] <= FLT_MAX; /* false for a NaN */
    return sound;
}

/* `feature`: those of all its views. */
static int keep(struct worker *w, struct firn_item *item, const float *feature,
                struct firn_error *err)
{
    const size_t values = (size_t)w->config->views * w->dim;
    if (!is_sound(feature, values)) {
        firn_item_drop(item);
        return firn_fail(err, FIRN_INTERNAL,
                         "%s: its feature is not finite or negative; nothing of it was stored, "
                         "please report this", item->path);
    }
    memcpy(item->feature, feature, values * sizeof *feature);
    item->fate = FIRN_DONE;
    return 0;
}

/* All crops of the batch, in pieces of about the same size when they are more than a batch. */
static void run_trunk(struct worker *w)
{
    const int views = w->config->views, crops = w->n * views, batch = w->config->batch;
    const int pieces = (crops + batch - 1) / batch;
    for (int i = 0; i < crops; i++)
        w->crop[i] = w->item[i / views]->crop + (size_t)(i % views) * w->config->crop_bytes;
    for (int k = 0, at = 0; k < pieces; k++) {
        const int end = (int)((int64_t)crops * (k + 1) / pieces);
        firn_trunk_run(w->trunk, w->crop + at, end - at, w->feature + (size_t)at * w->dim);
        at = end;
    }
}

static int infer(struct worker *w, struct firn_error *err)
{
    const size_t values = (size_t)w->config->views * w->dim;
    int status = 0;
    run_trunk(w);
    for (int i = 0; i < w->n; i++) {
        int bad = keep(w, w->item[i], w->feature + (size_t)i * values, status ? NULL : err);
        status = status ? status : bad;
        firn_ring_push(w->config->out, w->item[i]);
    }
    w->n = 0;
    return status;
}

static int run(void *worker, struct firn_error *err)
{
    struct worker *w = worker;
    int status = 0;
    while (!status && collect(w))
        status = infer(w, err);
    return status;
}

const struct firn_stage_type firn_infer_stage = {"firn-infer", start, run, stop};
