/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/mem.h"
#include "check.h"
#include "model/family.h"

/* The numbers of parameters that torchvision states for its models, fc included. */
static const struct {
    const char *family;
    size_t parameters;
    int convolutions, dim;
} known[FIRN_FAMILIES] = {
    {"resnet18", 11689512, 20, 512},           {"resnet34", 21797672, 36, 512},
    {"resnet50", 25557032, 53, 2048},          {"resnet101", 44549160, 104, 2048},
    {"resnet152", 60192808, 155, 2048},        {"wide_resnet50_2", 68883240, 53, 2048},
    {"wide_resnet101_2", 126886696, 104, 2048}, {"resnext50_32x4d", 25028904, 53, 2048},
    {"resnext101_32x8d", 88791336, 104, 2048}, {"resnext101_64x4d", 83455272, 104, 2048},
};

static void test_families(void)
{
    struct firn_network *w = malloc(sizeof *w);
    for (int i = 0; i < FIRN_FAMILIES; i++) {
        const struct firn_family *family = firn_family_find(known[i].family);
        CHECK(family, "%s", known[i].family);
        if (!family)
            continue;
        firn_network_init(w, family);
        size_t statistics = 0;
        for (int p = 0; p < w->n_param; p++)
            if (w->param[p].role == FIRN_MEAN || w->param[p].role == FIRN_VAR)
                statistics += w->param[p].count;
        size_t fc = 1000 * (size_t)known[i].dim + 1000;
        CHECK_INT(w->parameters - statistics + fc, known[i].parameters);
        CHECK_INT(w->net.n_conv, known[i].convolutions);
        CHECK_INT(w->net.dim, known[i].dim);
        CHECK_INT(w->n_param, 5 * w->net.n_conv);
    }
    CHECK(!firn_family_find("resnet19"), " ");
    free(w);
}

static void test_layers(void)
{
    struct firn_network *w = malloc(sizeof *w);
    firn_network_init(w, firn_family_find("resnext50_32x4d"));
    const struct firn_block *b = &w->net.block[3]; /* layer2.0 */
    const struct firn_model_layer *s = &w->net.conv[b->conv[1]].shape;
    CHECK_STR(s->name, "layer2.0.conv2");
    CHECK_STR(s->bn_name, "layer2.0.bn2");
    CHECK_INT(s->stride, 2);
    CHECK_INT(s->groups, 32);
    CHECK_INT(s->cin, 256);
    CHECK_INT(s->pad, 1);
    s = &w->net.conv[b->down].shape;
    CHECK_STR(s->name, "layer2.0.downsample.0");
    CHECK_STR(s->bn_name, "layer2.0.downsample.1");
    CHECK_INT(s->cin, 256);
    CHECK_INT(s->cout, 512);
    CHECK_INT(s->stride, 2);
    CHECK_INT(w->net.block[4].down, -1);
    free(w);
}

static void test_untrained(void)
{
    struct firn_error err;
    struct firn_model *a, *b;
    CHECK_INT(firn_model_open(&a, "untrained:resnet18", &err), 0);
    CHECK_INT(firn_model_open(&b, "untrained:resnet18:7", &err), 0);
    const struct firn_model_info *ia = firn_model_info(a), *ib = firn_model_info(b);
    CHECK_STR(ia->family, "resnet18");
    CHECK_STR(ia->spec, "untrained:resnet18");
    CHECK(ia->untrained && !ia->path, " ");
    /* Made once by an independent implementation; a change would orphan every cache. */
    CHECK_STR(ia->trunk_hash, "f0b5afb62a4d10b12a2199d41043e60584127818dd6be4bed2875dd81fb64789");
    CHECK_STR(ia->batchnorm_hash,
              "c5bbae655bfc395c0adf7e16d75e72aebcb336689eeb2bbcd6c609a100a35940");
    CHECK(strcmp(ia->trunk_hash, ib->trunk_hash) != 0, " ");
    CHECK_STR(ia->batchnorm_hash, ib->batchnorm_hash);
    const struct firn_conv *c = &firn_model_net(a)->conv[1];
    double sum = 0, squares = 0;
    size_t n = 64 * 64 * 9;
    for (size_t i = 0; i < n; i++) {
        sum += c->weight[i];
        squares += (double)c->weight[i] * c->weight[i];
    }
    CHECK(fabs(sum / (double)n) < 1e-3, "(mean %g)", sum / (double)n);
    CHECK(fabs(squares / (double)n * 288 - 1) < 0.02, "(variance %g)", squares / (double)n);
    struct firn_fingerprint fp;
    firn_model_fingerprint(b, &fp);
    CHECK(strncmp(fp.part[FIRN_PART_TRUNK], "family=resnet18 tensors=", 24) == 0, "%s", fp.part[0]);
    CHECK(strstr(fp.part[FIRN_PART_TRUNK], " untrained=7"), "%s", fp.part[0]);
    CHECK(strncmp(fp.part[FIRN_PART_BATCHNORM], "mode=frozen stats=", 18) == 0, "%s", fp.part[1]);
    firn_model_close(a);
    firn_model_close(b);
}

static void test_refusals(void)
{
    static const char *const specs[] = {
        "untrained:", "untrained:resnet19", "untrained:resnet18:", "untrained:resnet18:x",
        "untrained:resnet18:-1", "untrained:resnet18:1x", "untrained:resnet18:18446744073709551616",
        "untrained:resnet18resnet18resnet18resnet18resnet18",
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct firn_error err = {0};
        struct firn_model *model;
        CHECK_INT(firn_model_open(&model, specs[i], &err), -FIRN_USAGE);
        CHECK(!model && strncmp(err.text, specs[i], strlen(specs[i])) == 0, "%s", err.text);
    }
    firn_model_close(NULL);
}

static void test_fold(void)
{
    float weight[] = {1, 2, 3, 4}, gamma[] = {2, 0.5f}, beta[] = {1, -1}, mean[] = {3, 0};
    float var[] = {0.25f, 4}, folded[4], bias[2];
    struct firn_conv c = {.weight = weight, .gamma = gamma, .beta = beta, .mean = mean, .var = var};
    c.shape = (struct firn_model_layer){.cin = 2, .cout = 2, .kernel = 1, .groups = 1};
    firn_conv_fold(&c, folded, bias);
    for (int o = 0; o < 2; o++) {
        double gain = gamma[o] / sqrt(var[o] + 1e-5);
        CHECK(bias[o] == (float)(beta[o] - mean[o] * gain), "(%g)", (double)bias[o]);
        for (int i = 0; i < 2; i++)
            CHECK(folded[2 * o + i] == (float)(weight[2 * o + i] * gain), " ");
    }
}

static void test_param_check(void)
{
    float x[] = {1, 0, 3};
    struct firn_param p = {.name = "bn1.running_var", .role = FIRN_VAR, .count = 3, .data = x};
    struct firn_error err;
    CHECK_INT(firn_param_check(&p, "f", &err), 0);
    x[1] = -1e-5f;
    CHECK_INT(firn_param_check(&p, "f", &err), -FIRN_DATA);
    CHECK(strstr(err.text, "bn1.running_var"), "%s", err.text);
    p.role = FIRN_MEAN;
    CHECK_INT(firn_param_check(&p, "f", &err), 0);
    x[2] = NAN;
    CHECK_INT(firn_param_check(&p, "f", &err), -FIRN_DATA);
    x[2] = -INFINITY;
    CHECK_INT(firn_param_check(&p, "f", &err), -FIRN_DATA);
    CHECK(strstr(err.text, "index 2"), "%s", err.text);
}

int main(void)
{
    test_families();
    test_layers();
    test_untrained();
    test_refusals();
    test_fold();
    test_param_check();
    CHECK_DONE();
}
