/* SPDX-License-Identifier: MIT */
#include "firn/bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "trunk/bench.h"

#define MAX_SAMPLES 4096

/* One thread that runs batch after batch until the deadline. */
struct lane {
    pthread_t thread;
    struct firn_trunk_worker *worker;
    const uint8_t **crops;
    float *features;
    int batch;
    int64_t deadline;
    double *sample; /* milliseconds of each batch */
    double *cpu;    /* of the processor's time */
    int samples;
};

static void *run_lane(void *arg)
{
    struct lane *l = arg;
    firn_trunk_run(l->worker, l->crops, l->batch, l->features); /* touches all memory once */
    while (l->samples < 3 || (firn_now_ns() < l->deadline && l->samples < MAX_SAMPLES)) {
        int64_t start = firn_now_ns(), start_cpu = firn_thread_cpu_ns();
        firn_trunk_run(l->worker, l->crops, l->batch, l->features);
        l->cpu[l->samples] = (double)(firn_thread_cpu_ns() - start_cpu) * 1e-6;
        l->sample[l->samples++] = (double)(firn_now_ns() - start) * 1e-6;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What all runs share. */
struct bench {
    struct firn_trunk *trunk;
    struct firn_bench_trunk *out;
    double seconds;
    uint8_t *pixels; /* one crop */
    double sample[2 * MAX_SAMPLES];
};

static void lane_destroy(struct lane *l)
{
    firn_trunk_worker_destroy(l->worker);
    firn_free(l->crops);
    firn_free(l->features);
    firn_free(l->sample);
    firn_free(l->cpu);
}

static int lane_create(struct lane *l, const struct bench *b, int batch, struct firn_error *err)
{
    l->batch = batch;
    l->crops = firn_alloc(batch, sizeof *l->crops);
    l->features = firn_alloc((size_t)batch * firn_trunk_dim(b->trunk), sizeof(float));
    l->sample = firn_alloc(MAX_SAMPLES, sizeof(double));
    l->cpu = firn_alloc(MAX_SAMPLES, sizeof(double));
    if (!l->crops || !l->features || !l->sample || !l->cpu)
        return firn_fail_nomem(err, "a measurement");
    for (int i = 0; i < batch; i++)
        l->crops[i] = b->pixels;
    return firn_trunk_worker_create(&l->worker, b->trunk, batch, err);
}

/* Sorts what all lanes measured, per image, into b->sample; returns how many. */
static int gather(struct bench *b, const struct lane *lane, int threads, bool cpu, double images)
{
    int n = 0;
    for (int i = 0; i < threads; i++)
        for (int s = 0; s < lane[i].samples && n < 2 * MAX_SAMPLES; s++)
            b->sample[n++] = (cpu ? lane[i].cpu[s] : lane[i].sample[s]) / images;
    qsort(b->sample, n, sizeof *b->sample, compare);
    return n;
}

/* Median and best of all batches of all lanes, while all of them were busy. */
static void summarise(struct bench *b, const struct lane *lane, int threads, int batch)
{
    struct firn_bench_run *r = &b->out->run[b->out->n_runs++];
    r->batch = batch;
    r->threads = threads;
    r->cpu_ms_per_image = b->sample[gather(b, lane, threads, true, batch) / 2];
    r->ms_per_image = b->sample[gather(b, lane, threads, false, (double)batch * threads) / 2];
    r->best_ms_per_image = b->sample[0];
}

static int run_threads(struct bench *b, int batch, int threads, struct firn_error *err)
{
    struct lane *lane = firn_alloc(threads, sizeof *lane);
    if (!lane)
        return firn_fail_nomem(err, "a measurement");
    int status = 0, started = 0;
    for (int i = 0; i < threads && !status; i++)
        status = lane_create(&lane[i], b, batch, err);
    int64_t deadline = firn_now_ns() + (int64_t)(b->seconds * 1e9);
    for (; started < threads && !status; started++) {
        lane[started].deadline = deadline;
        if (firn_thread_start(&lane[started].thread, "firn-bench", run_lane, &lane[started])) {
            status = firn_fail(err, FIRN_NOMEM, "cannot start a thread");
            break;
        }
    }
    for (int i = 0; i < started; i++)
        pthread_join(lane[i].thread, NULL);
    if (!status)
        summarise(b, lane, threads, batch);
    for (int i = 0; i < threads; i++)
        lane_destroy(&lane[i]);
    firn_free(lane);
    return status;
}

/* The peak is measured between all runs and the best one kept: what the core can do is what it did
 * when nothing else disturbed it. */
static void measure_peak(struct bench *b)
{
    double peak = firn_bench_peak_gflops();
    if (peak > b->out->fma_peak_gflops)
        b->out->fma_peak_gflops = peak;
}

static int measure(struct bench *b, const int *batch, int threads, struct firn_error *err)
{
    int status = 0;
    for (int half = 0; half < (threads > 1 ? 2 : 1) && !status; half++)
        for (int i = 0; i < FIRN_BENCH_RUNS && batch[i] && !status; i++) {
            if (b->out->n_runs == FIRN_BENCH_RUNS || batch[i] < 0)
                return firn_fail(err, FIRN_USAGE, "too many batch sizes, or a negative one");
            measure_peak(b);
            status = run_threads(b, batch[i], half ? threads : 1, err);
        }
    measure_peak(b);
    return status;
}

static struct firn_bench_rates rates(double direct_gflop, double executed_gflop, double ms,
                                     double peak)
{
    double direct = direct_gflop / ms * 1e3, executed = executed_gflop / ms * 1e3;
    return (struct firn_bench_rates){direct, executed, 100 * executed / peak, direct / peak};
}

static void derive(struct firn_bench_trunk *out)
{
    double peak = out->fma_peak_gflops;
    for (int i = 0; i < out->n_runs; i++) {
        struct firn_bench_run *r = &out->run[i];
        r->rates = rates(out->direct_gflop, out->executed_gflop, r->ms_per_image,
                         peak * r->threads);
    }
    for (int i = 0; i < out->n_layers; i++) {
        struct firn_bench_layer *l = &out->layer[i];
        l->rates = rates(l->direct_gflop, l->executed_gflop, l->ms_per_image, peak);
    }
}

static int largest(const int *batch)
{
    int most = 1;
    for (int i = 0; i < FIRN_BENCH_RUNS && batch[i]; i++)
        most = batch[i] > most ? batch[i] : most;
    return most;
}

/* Layer by layer in a run of its own: the clock is read around every layer. */
static int measure_layers(struct bench *b, int batch, struct firn_error *err)
{
    struct lane lane = {0};
    int status = lane_create(&lane, b, batch, err);
    if (!status) {
        b->out->worker_bytes = firn_trunk_worker_bytes(lane.worker);
        firn_trunk_run(lane.worker, lane.crops, batch, lane.features);
        const struct firn_trunk_profile *profile = firn_trunk_worker_profile(lane.worker);
        int64_t images = profile->images, deadline = firn_now_ns() + (int64_t)(b->seconds * 1e9);
        while (profile->images == images || firn_now_ns() < deadline)
            firn_trunk_run(lane.worker, lane.crops, batch, lane.features);
        firn_bench_layers(b->out, b->trunk, profile, profile->images - images);
    }
    lane_destroy(&lane);
    return status;
}

static int bench_trunk(struct bench *b, const struct firn_bench_trunk_spec *spec,
                       const struct firn_model *model, struct firn_error *err)
{
    static const int batches[FIRN_BENCH_RUNS] = {1, 4, 8, 16};
    const int *batch = spec->batch[0] ? spec->batch : batches;
    struct firn_bench_trunk *out = b->out;
    b->seconds = spec->seconds > 0 ? spec->seconds : 1;
    snprintf(out->model, sizeof out->model, "%s", firn_model_info(model)->family);
    out->cores = firn_cpu_usable_cores();
    out->weight_bytes = firn_trunk_bytes(b->trunk);
    out->read_gbytes = firn_bench_read_gbytes();
    for (int i = 0; i < b->trunk->plan.n_conv; i++) {
        out->direct_gflop += 2e-9 * firn_conv_direct_macs(&b->trunk->plan.conv[i]);
        out->executed_gflop += 2e-9 * b->trunk->op[i]->macs;
    }
    int status = measure(b, batch, spec->threads ? spec->threads : out->cores, err);
    if (!status)
        status = measure_layers(b, largest(batch), err);
    derive(out);
    return status;
}

static int create_trunk(struct bench *b, const struct firn_bench_trunk_spec *spec,
                        const struct firn_model *model, enum firn_cpu cpu, struct firn_error *err)
{
    int crop = spec->crop ? spec->crop : firn_model_info(model)->crop;
    return firn_trunk_create(&b->trunk, model, crop, cpu, spec->small, err);
}

/* The crop of all runs, and one run with it. */
static int first_feature(struct bench *b, struct firn_error *err)
{
    struct lane lane = {0};
    size_t bytes = (size_t)b->trunk->plan.crop * b->trunk->plan.crop * 3;
    b->pixels = firn_alloc(1, bytes);
    if (!b->pixels)
        return firn_fail_nomem(err, "a crop");
    for (size_t i = 0; i < bytes; i++)
        b->pixels[i] = (uint8_t)(i * i % 251);
    int status = lane_create(&lane, b, 1, err);
    if (!status)
        firn_trunk_run(lane.worker, lane.crops, 1, lane.features);
    lane_destroy(&lane);
    return status;
}

int firn_bench_trunk(struct firn_bench_trunk *out, const struct firn_bench_trunk_spec *spec,
                     struct firn_error *err)
{
    memset(out, 0, sizeof *out);
    int cpu = firn_cpu_choose(spec->cpu), status = firn_cpu_check_threads(spec->threads, err);
    if (status)
        return status;
    if (cpu < 0)
        return firn_fail(err, FIRN_USAGE, "%s: not an instruction set of this processor",
                         spec->cpu);
    struct bench *b = firn_alloc(1, sizeof *b);
    if (!b)
        return firn_fail_nomem(err, "the measurements");
    b->out = out;
    snprintf(out->cpu, sizeof out->cpu, "%s", firn_cpu_name((enum firn_cpu)cpu));
    int64_t start = firn_now_ns();
    struct firn_model *model = NULL;
    status = firn_model_open(&model, spec->model ? spec->model : "untrained:resnet18", err);
    out->load_ms = (double)(firn_now_ns() - start) * 1e-6;
    if (!status)
        status = create_trunk(b, spec, model, (enum firn_cpu)cpu, err);
    out->pack_ms = (double)(firn_now_ns() - start) * 1e-6 - out->load_ms;
    if (!status)
        status = first_feature(b, err);
    out->start_ms = (double)(firn_now_ns() - start) * 1e-6;
    if (!status)
        status = bench_trunk(b, spec, model, err);
    firn_model_close(model);
    firn_trunk_destroy(b->trunk);
    firn_free(b->pixels);
    firn_free(b);
    return status;
}
