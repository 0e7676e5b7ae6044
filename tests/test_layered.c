/* SPDX-License-Identifier: MIT */
/** The trunk layer by layer: the frozen trunk's features, and exact moments of every map. */
#include <math.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/team.h"
#include "check.h"
#include "trunk/layered.h"
#include "trunk/moments.h"
#include "trunk/state.h"

#define CROP 64
#define IMAGES 5

static unsigned long long seed = 3;

static double uniform(double from, double to)
{
    return from + (to - from) * (double)(check_random(&seed) >> 11) * 0x1p-53;
}

/* The network with BatchNorm of any sign and size; the numbers live in *block. */
static struct firn_net odd_net(const struct firn_model *model, float **block)
{
    struct firn_net net = *firn_model_net(model);
    float *p = *block = firn_alloc((size_t)4 * 2048 * FIRN_MAX_CONVS, sizeof(float));
    for (int i = 0; i < net.n_conv; i++) {
        int c = net.conv[i].shape.cout;
        for (int k = 0; k < c; k++) {
            p[k] = (float)(uniform(0.3, 0.9) * (check_random(&seed) % 4 ? 1 : -1));
            p[c + k] = (float)uniform(-0.3, 0.3);
            p[2 * c + k] = (float)uniform(-0.5, 0.5);
            p[3 * c + k] = (float)uniform(0.5, 2);
        }
        net.conv[i].gamma = p;
        net.conv[i].beta = p + c;
        net.conv[i].mean = p + 2 * c;
        net.conv[i].var = p + 3 * c;
        p += 4 * c;
    }
    return net;
}

static void set_norms(struct firn_norms *norms, const struct firn_net *net)
{
    double mean[2048], var[2048];
    for (int i = 0; i < net->n_conv; i++) {
        for (int k = 0; k < net->conv[i].shape.cout; k++) {
            mean[k] = net->conv[i].mean[k];
            var[k] = net->conv[i].var[k];
        }
        firn_norms_set(norms, i, mean, var);
    }
}

/* All passes on all images, `group` at once; the moments of the last pass into `moments`. */
static void walk(const struct firn_layered *l, const struct firn_norms *norms, int group,
                 const uint8_t *const *crops, float *const *features, double *const *moments)
{
    struct firn_layered_worker *w;
    float *slot[IMAGES];
    CHECK(firn_layered_worker_create(&w, l, norms, NULL) == 0);
    for (int i = 0; i < IMAGES; i++)
        slot[i] = firn_alloc(firn_layered_slot(l), sizeof(float));
    for (int p = 0; p < firn_layered_passes(l); p++) {
        int most = firn_layered_pass(l, p)->images, step = most < group ? most : group;
        for (int i = 0; i < IMAGES; i += step)
            firn_layered_run(w, p, IMAGES - i < step ? IMAGES - i : step, crops + i, slot + i,
                             moments + i);
    }
    firn_layered_finish(w, IMAGES, slot, features);
    for (int i = 0; i < IMAGES; i++)
        firn_free(slot[i]);
    firn_layered_worker_destroy(w);
}

/* Layer by layer against all layers at once, and one at a time against many. */
static void test_features(const char *spec)
{
    struct firn_model *model;
    struct firn_layered *l;
    struct firn_norms *norms;
    struct firn_trunk *trunk;
    struct firn_trunk_worker *worker;
    float *block, *out[3][IMAGES];
    double *moments[2][IMAGES];
    uint8_t *bytes = malloc((size_t)IMAGES * CROP * CROP * 3);
    const uint8_t *crops[IMAGES];
    for (size_t i = 0; i < (size_t)IMAGES * CROP * CROP * 3; i++)
        bytes[i] = (uint8_t)check_random(&seed);
    CHECK(firn_model_open(&model, spec, NULL) == 0);
    struct firn_net net = odd_net(model, &block);
    enum firn_cpu cpu = firn_cpu_best();
    CHECK(firn_layered_create_net(&l, &net, CROP, cpu, NULL) == 0);
    CHECK(firn_norms_create(&norms, l, NULL) == 0);
    CHECK(firn_trunk_create_net(&trunk, &net, CROP, cpu, false, NULL) == 0);
    CHECK(firn_trunk_worker_create(&worker, trunk, IMAGES, NULL) == 0);
    size_t dim = (size_t)firn_layered_dim(l);
    float *all = firn_alloc(3 * IMAGES * dim, sizeof(float));
    for (int i = 0; i < IMAGES; i++) {
        crops[i] = bytes + (size_t)i * CROP * CROP * 3;
        for (int k = 0; k < 3; k++)
            out[k][i] = all + (size_t)(k * IMAGES + i) * dim;
        for (int k = 0; k < 2; k++)
            moments[k][i] = firn_alloc(8192, sizeof(double));
    }
    set_norms(norms, &net);
    firn_trunk_run(worker, crops, IMAGES, all);
    walk(l, norms, IMAGES, crops, out[1], moments[0]);
    walk(l, norms, 1, crops, out[2], moments[1]);
    double square = 0, worst = 0;
    for (size_t i = 0; i < IMAGES * dim; i++) {
        double d = all[i] - out[1][0][i];
        square += (double)all[i] * all[i];
        worst = fabs(d) > worst ? fabs(d) : worst;
    }
    double rms = sqrt(square / (IMAGES * (double)dim));
    printf("%s: max abs difference to the frozen trunk / rms %.1e\n", spec, worst / rms);
    CHECK(worst < 3e-5 * rms, "(%s: %g of %g)", spec, worst, rms);
    CHECK(memcmp(out[1][0], out[2][0], IMAGES * dim * sizeof(float)) == 0);
    int c = firn_layered_pass(l, firn_layered_passes(l) - 1)->channels;
    for (int i = 0; i < IMAGES; i++)
        CHECK(memcmp(moments[0][i], moments[1][i], 2 * (size_t)c * sizeof(double)) == 0);
    for (int i = 0; i < 2 * IMAGES; i++)
        firn_free(moments[i % 2][i / 2]);
    firn_free(all);
    firn_free(block);
    free(bytes);
    firn_trunk_worker_destroy(worker);
    firn_trunk_destroy(trunk);
    firn_norms_destroy(norms);
    firn_layered_destroy(l);
    firn_model_close(model);
}

/* A large mean must cost no digits of the variance. */
static void test_moments(void)
{
    enum { PIXELS = 1000, C = 32 };
    static float map[PIXELS * C];
    double mean[C], var[C];
    for (size_t i = 0; i < PIXELS * C; i++)
        map[i] = (float)(i % 2 ? uniform(-1, 1) : 1e4 + uniform(-1, 1));
    firn_moments(map, PIXELS, C, mean, var);
    for (int c = 0; c < C; c++) {
        double m = 0, v = 0;
        for (int p = 0; p < PIXELS; p++)
            m += map[p * C + c] / (double)PIXELS;
        for (int p = 0; p < PIXELS; p++)
            v += (map[p * C + c] - m) * (map[p * C + c] - m) / PIXELS;
        CHECK(fabs(mean[c] - m) <= 1e-12 * fabs(m) + 1e-14, "(%g, %g)", mean[c], m);
        CHECK(fabs(var[c] - v) <= 1e-11 * v, "(%g, %g)", var[c], v);
    }
}

struct sum {
    size_t turn[1000];
    int member[1000];
};

static void count(void *user, int member, size_t turn)
{
    struct sum *s = user;
    s->turn[turn]++;
    s->member[turn] = member;
}

static void test_team(void)
{
    struct firn_team *team;
    struct sum s = {0};
    CHECK(firn_team_create(&team, 4, NULL) == 0);
    for (size_t n = 0; n < 1000; n += 37)
        firn_team_run(team, n, count, &s);
    for (size_t i = 0; i < 1000; i++) {
        CHECK_INT(s.turn[i], i < 999 ? 27 - i / 37 : 0);
        CHECK(s.member[i] >= 0 && s.member[i] < firn_team_size(team));
    }
    firn_team_destroy(team);
    firn_team_destroy(NULL);
}

int main(void)
{
    test_team();
    test_moments();
    test_features("untrained:resnet18");
    test_features("untrained:resnext50_32x4d");
    CHECK_DONE();
}
