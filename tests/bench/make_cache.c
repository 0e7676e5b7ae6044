/* SPDX-License-Identifier: MIT */
/**
 * Makes a cache of made-up features: make_cache DIR ROWS DIM CLASSES SEED [SPREAD [LEVEL]].
 *
 * A feature is max(0, centre of its class + noise), the centres being the same for every SEED;
 * SPREAD [1] is the deviation of the centres beside the noise's 1, so that it says how hard the
 * classes are to tell apart. With a LEVEL all numbers of all features are that.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"
#include "cache/writer.h"

#define COMMIT 4096 /* rows between two commits */

/* Near enough to a normal distribution: sums of uniforms. */
static float noise(uint64_t *state)
{
    uint64_t a = firn_random(state);
    double sum = (double)(a & 0xFFFF) + (double)(a >> 16 & 0xFFFF) + (double)(a >> 32 & 0xFFFF) +
                 (double)(a >> 48);
    return (float)((sum - 131070) / 37837.4);
}

static void make_row(const float *centre, int dim, const float *level, uint64_t *state, float *out)
{
    for (int i = 0; i < dim; i++) {
        float v = centre[i] + noise(state);
        out[i] = level ? *level : v > 0 ? v : 0;
    }
}

static char **make_names(int classes)
{
    char **names = calloc((size_t)classes, sizeof *names);
    for (int i = 0; i < classes && names; i++)
        if (asprintf(&names[i], "class-%0*d", classes > 10000 ? 8 : 4, i) < 0)
            return NULL;
    return names;
}

static int fill(struct firn_writer *w, uint32_t root, char **names, const float *centre,
                const int shape[4], const float *level, struct firn_error *err)
{
    int rows = shape[0], dim = shape[1], classes = shape[2], status = 0;
    uint64_t state = (uint64_t)shape[3] + 1000003;
    float *feature = calloc((size_t)dim, sizeof *feature);
    for (int i = 0; i < rows && !status && feature; i++) {
        char name[64];
        int k = i % classes;
        struct firn_record r = {.root = root, .name = name, .size = 1, .state = FIRN_DONE,
                                .reason = "", .feature = feature};
        snprintf(name, sizeof name, "%s/%d-%08d.jpg", names[k], shape[3], i);
        make_row(centre + (size_t)k * (size_t)dim, dim, level, &state, feature);
        firn_hash(name, strlen(name), r.content);
        status = firn_writer_add(w, &r, err);
        if (!status && (i + 1) % COMMIT == 0)
            status = firn_writer_commit(w, err);
    }
    free(feature);
    return status;
}

int main(int argc, char **argv)
{
    struct firn_fingerprint fp = {.part = {"family=made-up", "mode=frozen", "none", "store=f32"}};
    struct firn_error err = {0};
    struct firn_writer *w;
    uint32_t root;
    int shape[4]; /* rows, dim, classes, seed */
    if (argc < 6) {
        fprintf(stderr, "usage: make_cache DIR ROWS DIM CLASSES SEED [SPREAD [LEVEL]]\n");
        return FIRN_USAGE;
    }
    for (int i = 0; i < 4; i++)
        shape[i] = atoi(argv[i + 2]);
    const double spread = argc > 6 ? atof(argv[6]) : 1;
    const float level = argc > 7 ? strtof(argv[7], NULL) : 0;
    char **names = make_names(shape[2]);
    size_t numbers = (size_t)shape[1] * (size_t)shape[2];
    float *centre = calloc(numbers, sizeof *centre);
    uint64_t state = 1;
    for (size_t i = 0; i < numbers && centre; i++)
        centre[i] = (float)spread * noise(&state);
    int status = -FIRN_NOMEM;
    if (names && centre)
        status = firn_writer_open(&w, argv[1], &fp, shape[1], FIRN_STORE_F32, &err);
    if (!status)
        status = firn_writer_root(w, "/made-up", (const char *const *)names, (size_t)shape[2],
                                  &root, &err);
    if (!status)
        status = fill(w, root, names, centre, shape, argc > 7 ? &level : NULL, &err);
    if (!status)
        status = firn_writer_close(w, &err);
    if (status)
        fprintf(stderr, "make_cache: %s\n", err.text);
    for (int i = 0; i < shape[2] && names; i++)
        free(names[i]);
    free(names);
    free(centre);
    return -status;
}
