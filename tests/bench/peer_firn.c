/* SPDX-License-Identifier: MIT */
/**
 * firn's side of tests/bench/peers: peer_firn MODEL CROPS BATCH FEATURES. Writes the features of
 * the first BATCH crops of the file CROPS to FEATURES; then each line on standard input asks for
 * one more run, answered with its milliseconds.
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

static int serve(struct firn_trunk_worker *worker, const uint8_t **crops, int batch,
                 float *features)
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        int64_t start = firn_now_ns();
        firn_trunk_run(worker, crops, batch, features);
        printf("%.4f\n", (double)(firn_now_ns() - start) * 1e-6);
        fflush(stdout);
    }
    return 0;
}

static int run(const struct firn_trunk *trunk, char **argv)
{
    int batch = atoi(argv[3]);
    size_t bytes = 224 * 224 * 3, dim = firn_trunk_dim(trunk);
    if (batch < 1 || batch > 1024)
        return fail("a batch of 1 to 1024");
    struct firn_trunk_worker *worker = NULL;
    uint8_t *pixels = malloc(bytes * batch);
    const uint8_t **crops = malloc(sizeof *crops * batch);
    float *features = malloc(sizeof *features * dim * batch);
    FILE *in = fopen(argv[2], "rb"), *out = fopen(argv[4], "wb");
    int status = 1;
    if (pixels && crops && features && in && out && fread(pixels, bytes, batch, in) == (size_t)batch &&
        !firn_trunk_worker_create(&worker, trunk, batch, NULL)) {
        for (int i = 0; i < batch; i++)
            crops[i] = pixels + bytes * i;
        firn_trunk_run(worker, crops, batch, features);
        status = fwrite(features, sizeof *features * dim, batch, out) != (size_t)batch;
    }
    if (out && fclose(out))
        status = 1;
    status = status ? fail("cannot read the crops or write the features")
                    : serve(worker, crops, batch, features);
    firn_trunk_worker_destroy(worker);
    if (in)
        fclose(in);
    free(pixels);
    free(crops);
    free(features);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return fail("usage: peer_firn MODEL CROPS BATCH FEATURES");
    struct firn_error err;
    struct firn_model *model;
    struct firn_trunk *trunk = NULL;
    if (firn_model_open(&model, argv[1], &err))
        return fail(err.text);
    int status = firn_trunk_create(&trunk, model, 224, firn_cpu_best(), false, &err);
    firn_model_close(model);
    status = status ? fail(err.text) : run(trunk, argv);
    firn_trunk_destroy(trunk);
    return status;
}
