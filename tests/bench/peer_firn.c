/* SPDX-License-Identifier: MIT */
/**
 * firn's side of tests/bench/peers: peer_firn MODEL CROPS BATCH FEATURES [CPU [THREADS]]. Writes
 * the features of the first BATCH crops of the file CROPS to FEATURES; then each line on standard
 * input asks for one more run, a batch for each thread, answered with its milliseconds.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/thread.h"
#include "trunk/trunk.h"

static int fail(const char *text)
{
    fprintf(stderr, "peer_firn: %s\n", text);
    return 1;
}

#define MAX_THREADS 64

struct lane {
    pthread_t thread;
    struct firn_trunk_worker *worker;
    const uint8_t **crops;
    int batch;
    float *features;
};

static void *run_lane(void *arg)
{
    struct lane *l = arg;
    firn_trunk_run(l->worker, l->crops, l->batch, l->features);
    return NULL;
}

/* One batch in every lane at once, the first in this thread. */
static int run_lanes(struct lane *lane, int threads)
{
    int started = 1;
    while (started < threads &&
           !firn_thread_start(&lane[started].thread, "lane", run_lane, &lane[started]))
        started++;
    run_lane(lane);
    for (int i = 1; i < started; i++)
        pthread_join(lane[i].thread, NULL);
    return started < threads ? fail("cannot start a thread") : 0;
}

static int serve(struct lane *lane, int threads)
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        int64_t start = firn_now_ns();
        if (run_lanes(lane, threads))
            return 1;
        printf("%.4f\n", (double)(firn_now_ns() - start) * 1e-6);
        fflush(stdout);
    }
    return 0;
}

static int lane_create(struct lane *l, const struct firn_trunk *trunk, const uint8_t **crops,
                       int batch)
{
    l->crops = crops;
    l->batch = batch;
    l->features = malloc(sizeof *l->features * (size_t)firn_trunk_dim(trunk) * batch);
    return l->features && !firn_trunk_worker_create(&l->worker, trunk, batch, NULL)
               ? 0 : fail("out of memory");
}

/* The first `batch` crops of a file; *crops points to each. NULL when there are not as many. */
static uint8_t *read_crops(const char *path, int batch, const uint8_t ***crops)
{
    size_t bytes = 224 * 224 * 3;
    uint8_t *pixels = malloc(bytes * batch);
    FILE *in = fopen(path, "rb");
    *crops = malloc(sizeof **crops * batch);
    bool good = pixels && *crops && in && fread(pixels, bytes, batch, in) == (size_t)batch;
    if (in)
        fclose(in);
    for (int i = 0; good && i < batch; i++)
        (*crops)[i] = pixels + bytes * i;
    if (!good)
        free(pixels);
    return good ? pixels : NULL;
}

static int write_features(const char *path, const float *features, size_t count)
{
    FILE *out = fopen(path, "wb");
    size_t written = out ? fwrite(features, sizeof *features, count, out) : 0;
    return out && !fclose(out) && written == count ? 0 : fail("cannot write the features");
}

static int run(const struct firn_trunk *trunk, char **argv, int threads)
{
    struct lane lane[MAX_THREADS] = {0};
    const uint8_t **crops;
    int batch = atoi(argv[3]);
    if (batch < 1 || batch > 1024)
        return fail("a batch of 1 to 1024");
    uint8_t *pixels = read_crops(argv[2], batch, &crops);
    int status = pixels ? 0 : fail("cannot read the crops");
    for (int i = 0; i < threads && !status; i++)
        status = lane_create(&lane[i], trunk, crops, batch);
    if (!status)
        status = run_lanes(lane, threads);
    if (!status)
        status = write_features(argv[4], lane->features, (size_t)firn_trunk_dim(trunk) * batch);
    if (!status)
        status = serve(lane, threads);
    for (int i = 0; i < threads; i++) {
        firn_trunk_worker_destroy(lane[i].worker);
        free(lane[i].features);
    }
    free(pixels);
    free(crops);
    return status;
}

int main(int argc, char **argv)
{
    int cpu = firn_cpu_choose(argc > 5 && *argv[5] ? argv[5] : NULL);
    int threads = argc > 6 ? atoi(argv[6]) : 1;
    if (argc < 5 || cpu < 0 || threads < 1 || threads > MAX_THREADS)
        return fail("usage: peer_firn MODEL CROPS BATCH FEATURES [CPU [THREADS]]");
    struct firn_error err;
    struct firn_model *model;
    struct firn_trunk *trunk = NULL;
    if (firn_model_open(&model, argv[1], &err))
        return fail(err.text);
    int status = firn_trunk_create(&trunk, model, 224, (enum firn_cpu)cpu, false, &err);
    firn_model_close(model);
    status = status ? fail(err.text) : run(trunk, argv, threads);
    firn_trunk_destroy(trunk);
    return status;
}
