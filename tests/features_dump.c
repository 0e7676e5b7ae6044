/* SPDX-License-Identifier: MIT */
/**
 * Raw crops on standard input, raw float32 features on standard output, for check_features.py:
 *     features_dump MODEL [--batch N] [--cpu NAME] [--crop N] [--small]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "trunk/trunk.h"

static int fail(const char *text)
{
    fprintf(stderr, "features_dump: %s\n", text);
    return 1;
}

/* Features of all crops that standard input holds, `batch` at a time. */
static int dump(struct firn_trunk_worker *worker, int batch, size_t crop_bytes, int dim)
{
    uint8_t *bytes = malloc(crop_bytes * batch);
    const uint8_t **crops = malloc(sizeof *crops * batch);
    float *features = malloc(sizeof *features * batch * dim);
    size_t got = 0;
    int status = bytes && crops && features ? 0 : fail("out of memory");
    for (int i = 0; !status && i < batch; i++)
        crops[i] = bytes + i * crop_bytes;
    while (!status && (got = fread(bytes, 1, crop_bytes * batch, stdin)) > 0) {
        int n = (int)(got / crop_bytes);
        if (got % crop_bytes)
            status = fail("the input ends within a crop");
        firn_trunk_run(worker, crops, n, features);
        if (fwrite(features, sizeof *features, (size_t)n * dim, stdout) != (size_t)n * dim)
            status = fail("cannot write");
    }
    free(bytes);
    free(crops);
    free(features);
    return status;
}

int main(int argc, char **argv)
{
    int batch = 8, crop = 224;
    bool small = false;
    const char *spec = NULL, *cpu_name = NULL;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--batch") && i + 1 < argc)
            batch = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--crop") && i + 1 < argc)
            crop = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--cpu") && i + 1 < argc)
            cpu_name = argv[++i];
        else if (!strcmp(argv[i], "--small"))
            small = true;
        else
            spec = argv[i];
    int cpu = firn_cpu_choose(cpu_name);
    if (!spec || batch < 1 || cpu < 0)
        return fail("usage: features_dump MODEL [--batch N] [--cpu NAME] [--crop N] [--small] "
                    "<CROPS");

    struct firn_error err = {0};
    struct firn_model *model = NULL;
    struct firn_trunk *trunk = NULL;
    struct firn_trunk_worker *worker = NULL;
    int status = firn_model_open(&model, spec, &err);
    if (!status)
        status = firn_trunk_create(&trunk, model, crop, (enum firn_cpu)cpu, small, &err);
    firn_model_close(model);
    if (!status)
        status = firn_trunk_worker_create(&worker, trunk, batch, &err);
    status = status ? fail(err.text)
                    : dump(worker, batch, (size_t)crop * crop * 3, firn_trunk_dim(trunk));
    firn_trunk_worker_destroy(worker);
    firn_trunk_destroy(trunk);
    return status;
}
