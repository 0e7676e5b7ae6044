/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "model/family.h"
#include "model/model_hash.h"
#include "model/presets.h"
#include "model/recognise.h"
#include "model/stats.h"
#include "model/untrained.h"

#define UNTRAINED "untrained:"

struct firn_model {
    struct firn_model_info info;
    uint64_t seed; /* of untrained weights */
    char *spec;    /* info.spec */
    char *path;    /* info.path */
    char words[512]; /* the batchnorm part of the fingerprint, when statistics were adopted */
    struct firn_network network;
    struct firn_network_hasher *hasher; /* still at work on the hashes, or NULL */
};

/** The facts that follow from the family alone. */
static void describe(struct firn_model *model)
{
    const struct firn_network *w = &model->network;
    struct firn_model_info *info = &model->info;
    info->spec = model->spec;
    info->family = w->family->name;
    info->dim = w->net.dim;
    info->convolutions = info->batchnorms = w->net.n_conv;
    info->parameters = w->parameters;
}

/** FAMILY[:SEED] of an untrained spec. */
static int parse_untrained(const char *spec, const struct firn_family **family, uint64_t *seed,
                           struct firn_error *err)
{
    const char *name = spec + strlen(UNTRAINED);
    size_t length = strcspn(name, ":");
    char buffer[32] = "";
    if (length < sizeof buffer)
        memcpy(buffer, name, length);
    *family = firn_family_find(buffer);
    if (!*family)
        return firn_fail(err, FIRN_USAGE, "%s: no such family; say untrained:resnet18, or another "
                         "of torchvision's ResNets", spec);
    *seed = 0;
    if (!name[length])
        return 0;
    const char *digits = name + length + 1;
    char *end;
    errno = 0;
    *seed = strtoull(digits, &end, 10);
    if (errno || *end || *digits < '0' || *digits > '9')
        return firn_fail(err, FIRN_USAGE, "%s: the seed is a whole number below 2^64", spec);
    return 0;
}

static int open_untrained(struct firn_model *model, struct firn_error *err)
{
    const struct firn_family *family;
    int rc = parse_untrained(model->spec, &family, &model->seed, err);
    if (rc)
        return rc;
    firn_network_init(&model->network, family);
    rc = firn_network_alloc(&model->network, err);
    if (rc)
        return rc;
    firn_untrained_fill(&model->network, model->seed);
    firn_network_hash(&model->network, model->info.trunk_hash, model->info.batchnorm_hash);
    model->info.format = "untrained";
    model->info.preset = "IMAGENET1K_V1";
    model->info.resize = 256;
    model->info.crop = 224;
    model->info.untrained = true;
    return 0;
}

/* Reads the numbers and has them hashed meanwhile. */
static int load_numbers(struct firn_model *model, struct firn_weights *weights,
                        struct firn_error *err)
{
    int rc = firn_network_hasher_create(&model->hasher, err);
    return rc ? rc : firn_load_parameters(weights, &model->network, model->hasher, err);
}

static int load(struct firn_model *model, struct firn_weights *weights, struct firn_error *err)
{
    struct firn_recognised found;
    struct firn_network *network = &model->network;
    int rc = firn_recognise(weights, network, &found, err);
    if (rc == 0)
        rc = firn_network_alloc(network, err);
    if (rc == 0)
        rc = load_numbers(model, weights, err);
    if (rc)
        return rc;
    struct firn_model_info *info = &model->info;
    struct firn_preset preset = firn_preset_for(model->path, network->family->name);
    info->path = model->path;
    info->format = weights->format;
    info->preset = preset.name;
    info->resize = preset.resize;
    info->crop = preset.crop;
    info->tensors = weights->n_tensor;
    info->ignored = found.ignored;
    info->has_fc = found.has_fc;
    info->classes = found.classes;
    info->zero_tracked = found.zero_tracked;
    return 0;
}

static int open_file(struct firn_model *model, struct firn_error *err)
{
    struct firn_weights weights;
    int rc = firn_locate_weights(model->spec, &model->path, err);
    if (rc == 0)
        rc = firn_weights_open(&weights, model->path, err);
    if (rc)
        return rc;
    rc = load(model, &weights, err);
    firn_weights_close(&weights);
    return rc;
}

int firn_model_begin(struct firn_model **out, const char *spec, struct firn_error *err)
{
    *out = NULL;
    struct firn_model *model = calloc(1, sizeof *model);
    if (!model)
        return firn_fail_nomem(err, "a model");
    model->spec = strdup(spec);
    int rc;
    if (!model->spec)
        rc = firn_fail_nomem(err, "a model");
    else if (strncmp(spec, UNTRAINED, strlen(UNTRAINED)) == 0)
        rc = open_untrained(model, err);
    else
        rc = open_file(model, err);
    if (rc) {
        firn_model_close(model);
        return rc;
    }
    describe(model);
    *out = model;
    return 0;
}

void firn_model_settle(struct firn_model *model)
{
    if (model->hasher)
        firn_network_hasher_finish(model->hasher, model->info.trunk_hash,
                                   model->info.batchnorm_hash);
    model->hasher = NULL;
}

int firn_model_open(struct firn_model **out, const char *spec, struct firn_error *err)
{
    int rc = firn_model_begin(out, spec, err);
    if (!rc)
        firn_model_settle(*out);
    return rc;
}

void firn_model_close(struct firn_model *model)
{
    if (!model)
        return;
    firn_model_settle(model);
    firn_free(model->network.numbers);
    free(model->path);
    free(model->spec);
    free(model);
}

const struct firn_model_info *firn_model_info(const struct firn_model *model)
{
    return &model->info;
}

void firn_model_layer(const struct firn_model *model, int i, struct firn_model_layer *layer)
{
    assert(i >= 0 && i < model->network.net.n_conv);
    *layer = model->network.net.conv[i].shape;
}

const struct firn_network *firn_model_network(const struct firn_model *model)
{
    return &model->network;
}

const struct firn_net *firn_model_net(const struct firn_model *model)
{
    return &model->network.net;
}

void firn_conv_fold(const struct firn_conv *conv, float *weight, float *bias)
{
    const struct firn_model_layer *s = &conv->shape;
    size_t row = (size_t)(s->cin / s->groups) * (size_t)s->kernel * (size_t)s->kernel;
    if (!conv->gamma) {
        memcpy(weight, conv->weight, (size_t)s->cout * row * sizeof *weight);
        memset(bias, 0, (size_t)s->cout * sizeof *bias);
        return;
    }
    for (int o = 0; o < s->cout; o++) {
        double gain = conv->gamma[o] / sqrt(conv->var[o] + FIRN_BN_EPS);
        bias[o] = (float)(conv->beta[o] - conv->mean[o] * gain);
        for (size_t i = 0; i < row; i++)
            weight[(size_t)o * row + i] = (float)(conv->weight[(size_t)o * row + i] * gain);
    }
}

void firn_model_fingerprint(const struct firn_model *model, struct firn_fingerprint *fp)
{
    const struct firn_model_info *info = &model->info;
    assert(!model->hasher);
    char *trunk = fp->part[FIRN_PART_TRUNK], *batchnorm = fp->part[FIRN_PART_BATCHNORM];
    int n = snprintf(trunk, sizeof fp->part[0], "family=%s tensors=%s", info->family,
                     info->trunk_hash);
    if (info->untrained)
        snprintf(trunk + n, sizeof fp->part[0] - (size_t)n, " untrained=%" PRIu64, model->seed);
    if (model->words[0])
        memcpy(batchnorm, model->words, sizeof fp->part[0]);
    else
        snprintf(batchnorm, sizeof fp->part[0], "mode=frozen stats=%s", info->batchnorm_hash);
}

void firn_model_adopt(struct firn_model *model, const struct firn_stats *stats)
{
    struct firn_network *network = &model->network;
    assert(!model->hasher);
    for (int i = 0; i < network->n_param; i++) {
        struct firn_param *p = &network->param[i];
        if (p->role == FIRN_MEAN || p->role == FIRN_VAR)
            memcpy(p->data, stats->layout.param[i].data, p->count * sizeof(float));
    }
    memcpy(model->info.batchnorm_hash, stats->hash, sizeof stats->hash);
    snprintf(model->words, sizeof model->words, "%s", firn_stats_get(stats, "batchnorm"));
}
