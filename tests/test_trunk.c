/* SPDX-License-Identifier: MIT */
/** The whole trunk: all families run, a crop's bits depend on nothing but the crop. */
#include <math.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "check.h"
#include "model/family.h"
#include "trunk/state.h"

#define CROP 64 /* small maps: every layer runs, quickly, with odd sizes on the way */

static uint8_t *random_crops(int n, int crop)
{
    size_t bytes = (size_t)n * crop * crop * 3;
    uint8_t *p = malloc(bytes);
    unsigned long long seed = 7;
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)check_random(&seed);
    return p;
}

static struct firn_trunk *open_sized(const char *spec, int crop, enum firn_cpu cpu, bool small)
{
    struct firn_error err = {0};
    struct firn_model *model;
    struct firn_trunk *trunk = NULL;
    CHECK(firn_model_open(&model, spec, &err) == 0, "(%s)", err.text);
    CHECK(firn_trunk_create(&trunk, model, crop, cpu, small, &err) == 0, "(%s)", err.text);
    firn_model_close(model);
    return trunk;
}

static struct firn_trunk *open_trunk(const char *spec, int crop, enum firn_cpu cpu)
{
    return open_sized(spec, crop, cpu, false);
}

static void run(const struct firn_trunk *trunk, int max_batch, const uint8_t *bytes, int crop,
                int first, int n, float *features)
{
    struct firn_trunk_worker *worker;
    const uint8_t *crops[64];
    CHECK(firn_trunk_worker_create(&worker, trunk, max_batch, NULL) == 0);
    CHECK(firn_trunk_worker_bytes(worker) > 0);
    for (int i = 0; i < n; i++)
        crops[i] = bytes + (size_t)(first + i) * crop * crop * 3;
    for (int i = 0; i < n; i += max_batch)
        firn_trunk_run(worker, crops + i, n - i < max_batch ? n - i : max_batch,
                       features + (size_t)i * firn_trunk_dim(trunk));
    firn_trunk_worker_destroy(worker);
}

static void check_sane(const float *features, size_t n)
{
    size_t positive = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(isfinite(features[i]) && features[i] >= 0)) {
            CHECK(false, "(feature %zu is %g)", i, features[i]);
            return;
        }
        positive += features[i] > 0;
    }
    CHECK(positive > n / 10);
}

/* Every batch size and every position gives the bits of the crop alone. */
static void check_batches(const char *spec, int crop, enum firn_cpu cpu, int most)
{
    struct firn_trunk *trunk = open_trunk(spec, crop, cpu);
    size_t dim = firn_trunk_dim(trunk);
    uint8_t *bytes = random_crops(most, crop);
    float *alone = malloc(most * dim * sizeof *alone), *got = malloc(most * dim * sizeof *got);
    for (int i = 0; i < most; i++)
        run(trunk, 1, bytes, crop, i, 1, alone + i * dim);
    check_sane(alone, most * dim);
    for (int batch = 2; batch <= most; batch++) {
        memset(got, 0xff, most * dim * sizeof *got);
        run(trunk, batch, bytes, crop, 0, most, got);
        CHECK(!memcmp(got, alone, most * dim * sizeof *got), "(%s %s batch %d)", spec,
              firn_cpu_name(cpu), batch);
    }
    for (int first = 1; first < most; first += 3) {
        run(trunk, most, bytes, crop, first, most - first, got);
        CHECK(!memcmp(got, alone + first * dim, (most - first) * dim * sizeof *got),
              "(%s from %d)", spec, first);
    }
    free(bytes);
    free(alone);
    free(got);
    firn_trunk_destroy(trunk);
}

/* Weights that are kept small give the same bits. */
static void check_small(const char *spec, int crop, enum firn_cpu cpu, int n)
{
    uint8_t *bytes = random_crops(n, crop);
    float want[8 * 2048], got[8 * 2048];
    struct firn_trunk *trunk = open_trunk(spec, crop, cpu);
    struct firn_trunk *small = open_sized(spec, crop, cpu, true);
    CHECK(firn_trunk_bytes(small) < firn_trunk_bytes(trunk));
    run(trunk, n, bytes, crop, 0, n, want);
    run(small, n, bytes, crop, 0, n, got);
    CHECK(!memcmp(want, got, n * (size_t)firn_trunk_dim(trunk) * sizeof *got), "(%s %s)", spec,
          firn_cpu_name(cpu));
    firn_trunk_destroy(trunk);
    firn_trunk_destroy(small);
    free(bytes);
}

/* Instruction sets agree within the stated bound. */
static void check_levels(const char *spec, int crop)
{
    uint8_t *bytes = random_crops(2, crop);
    float want[2 * 2048], got[2 * 2048];
    struct firn_trunk *trunk = open_trunk(spec, crop, FIRN_CPU_GENERIC);
    size_t n = 2 * (size_t)firn_trunk_dim(trunk);
    run(trunk, 2, bytes, crop, 0, 2, want);
    firn_trunk_destroy(trunk);
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (double)want[i] * want[i];
    static const char *const names[] = {"sse4", "avx2", "neon"};
    for (int l = 0; l < 3; l++) {
        int cpu = firn_cpu_choose(names[l]);
        if (cpu < 0)
            continue;
        trunk = open_trunk(spec, crop, (enum firn_cpu)cpu);
        run(trunk, 2, bytes, crop, 0, 2, got);
        firn_trunk_destroy(trunk);
        check_sane(got, n);
        double most = 0;
        for (size_t i = 0; i < n; i++)
            most = check_larger(most, fabs((double)got[i] - want[i]));
        CHECK(most <= 3e-5 * sqrt(square / n), "(%s %s: %g of an rms of %g)", spec, names[l],
              most, sqrt(square / n));
    }
    free(bytes);
}

/*
 * All 768 floats of torchvision's ToTensor and Normalize, by three of them and a hash of the bits
 * (h = 31 h + bits), made with torch 1.13: arange(256).div(255).sub_(mean).div_(std).
 */
static void check_table(void)
{
    struct firn_trunk *trunk = open_trunk("untrained:resnet18", 32, firn_cpu_best());
    CHECK(trunk->table[0][0] == -0x1.0f177ap+1f);
    CHECK(trunk->table[1][200] == 0x1.773738p+0f);
    CHECK(trunk->table[2][255] == 0x1.51eb86p+1f);
    unsigned long long hash = 0;
    for (int i = 0; i < 768; i++) {
        uint32_t bits;
        memcpy(&bits, &trunk->table[i / 256][i % 256], sizeof bits);
        hash = hash * 31 + bits;
    }
    CHECK(hash == 0xbcb4afa0e6a9bd93ull);
    firn_trunk_destroy(trunk);
}

/* Features of one number differ in their last bits only: those of deep families have their own. */
static void check_classes(void)
{
    static const char *const names[] = {"resnet50", "resnet101"};
    struct firn_network *network = malloc(sizeof *network);
    struct firn_trunk *trunk = malloc(sizeof *trunk);
    for (int i = 0; i < 2; i++) {
        struct firn_fingerprint fp;
        char want[64];
        firn_network_init(network, firn_family_find(names[i]));
        CHECK_INT(firn_plan_build(&trunk->plan, &network->net, 224, NULL), 0);
        firn_trunk_fingerprint(trunk, &fp);
        snprintf(want, sizeof want, "trunk=float32-minimal-filtering-%d bound=3e-5", 9 + i);
        CHECK_STR(fp.part[FIRN_PART_NUMERIC], want);
    }
    free(network);
    free(trunk);
}

/* Crops as small as a pixel and as odd as can be go through every layer. */
static void check_crops(void)
{
    static const int crops[] = {1, 7, 32, 33, 65, 225};
    for (size_t i = 0; i < sizeof crops / sizeof *crops; i++) {
        struct firn_trunk *trunk = open_trunk("untrained:resnet18", crops[i], firn_cpu_best());
        uint8_t *bytes = random_crops(1, crops[i]);
        float features[512];
        run(trunk, 1, bytes, crops[i], 0, 1, features);
        check_sane(features, 512);
        free(bytes);
        firn_trunk_destroy(trunk);
    }
    struct firn_model *model;
    struct firn_trunk *trunk;
    struct firn_error err;
    CHECK(firn_model_open(&model, "untrained:resnet18", &err) == 0);
    CHECK_INT(firn_trunk_create(&trunk, model, 0, FIRN_CPU_GENERIC, false, &err), -FIRN_USAGE);
    CHECK_INT(firn_trunk_create(&trunk, model, 1 << 20, FIRN_CPU_GENERIC, false, &err),
              -FIRN_USAGE);
    CHECK(trunk == NULL && strstr(err.text, "crop"));
    firn_model_close(model);
}

static const char *const families[] = {
    "untrained:resnet18", "untrained:resnext50_32x4d", "untrained:resnet50", "untrained:resnet34",
    "untrained:resnet101", "untrained:resnet152", "untrained:resnext101_32x8d",
    "untrained:resnext101_64x4d", "untrained:wide_resnet50_2", "untrained:wide_resnet101_2",
};

int main(int argc, char **argv)
{
    bool all = argc > 1 && !strcmp(argv[1], "all"), few = argc > 1 && !strcmp(argv[1], "few");
    check_table();
    check_classes();
    if (few) { /* for an emulated processor */
        check_levels(families[0], CROP / 2);
        check_small(families[0], CROP / 2, firn_cpu_best(), 1);
        CHECK_DONE();
    }
    check_crops();
    int count = all ? (int)(sizeof families / sizeof *families) : 2;
    for (int i = 0; i < count; i++)
        check_levels(families[i], CROP);
    check_batches("untrained:resnet18", CROP, firn_cpu_best(), all ? 32 : 17);
    check_batches("untrained:resnet18", CROP, FIRN_CPU_GENERIC, 3);
    check_batches("untrained:resnext50_32x4d", CROP, firn_cpu_best(), 6);
    check_small("untrained:resnet18", CROP, FIRN_CPU_GENERIC, 2);
    check_small("untrained:resnet18", CROP, firn_cpu_best(), 8);
    check_small("untrained:resnet50", CROP, firn_cpu_best(), 3);
    if (all) {
        check_batches("untrained:resnet18", 224, firn_cpu_best(), 32);
        check_batches("untrained:resnet50", 224, firn_cpu_best(), 18);
    }
    CHECK_DONE();
}
