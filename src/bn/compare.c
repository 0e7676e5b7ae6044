/* SPDX-License-Identifier: MIT */
/** Statistics opened, compared, and put into a checkpoint. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "firn/bn.h"
#include "model/checkpoint_write.h"
#include "model/model.h"
#include "model/stats.h"

struct firn_bn {
    struct firn_stats *stats;
    char words[512];
};

int firn_bn_open(struct firn_bn **out, const char *spec, struct firn_error *err)
{
    struct firn_bn *bn = calloc(1, sizeof *bn);
    struct firn_model *model = NULL;
    struct firn_fingerprint fp;
    *out = NULL;
    if (!bn)
        return firn_fail_nomem(err, "BatchNorm statistics");
    int status;
    if (firn_stats_is_file(spec)) {
        status = firn_stats_read(&bn->stats, spec, err);
        if (!status)
            memcpy(bn->words, firn_stats_get(bn->stats, "batchnorm"), sizeof bn->words);
    } else if (!(status = firn_model_open(&model, spec, err))) {
        firn_model_fingerprint(model, &fp);
        memcpy(bn->words, fp.part[FIRN_PART_BATCHNORM], sizeof bn->words);
        status = firn_stats_of_model(&bn->stats, model, err);
        firn_model_close(model);
    }
    bn->words[sizeof bn->words - 1] = '\0';
    if (status)
        firn_bn_close(bn);
    else
        *out = bn;
    return status;
}

void firn_bn_close(struct firn_bn *bn)
{
    if (!bn)
        return;
    firn_stats_free(bn->stats);
    free(bn);
}

int firn_bn_layers(const struct firn_bn *bn)
{
    return bn->stats->layout.net.n_conv;
}

void firn_bn_layer(const struct firn_bn *bn, int i, struct firn_bn_layer *layer)
{
    const struct firn_model_layer *shape = &bn->stats->layout.net.conv[i].shape;
    *layer = (struct firn_bn_layer){shape->bn_name, shape->cout, bn->stats->mean[i],
                                    bn->stats->var[i]};
}

const char *firn_bn_family(const struct firn_bn *bn)
{
    return bn->stats->layout.family->name;
}

const char *firn_bn_words(const struct firn_bn *bn)
{
    return bn->words;
}

/* ---- comparison ---- */

/* Keeps the channels of largest divergence, the largest first. */
static void rank(struct firn_bn_shift *s, int channel, double shift, double log_ratio, double kl)
{
    int at = FIRN_BN_WORST;
    while (at > 0 && (s->worst[at - 1].channel < 0 || kl > s->worst[at - 1].kl))
        at--;
    if (at == FIRN_BN_WORST)
        return;
    memmove(&s->worst[at + 1], &s->worst[at],
            (size_t)(FIRN_BN_WORST - 1 - at) * sizeof s->worst[0]);
    s->worst[at].channel = channel;
    s->worst[at].shift = shift;
    s->worst[at].log_ratio = log_ratio;
    s->worst[at].kl = kl;
}

/*
 * Of Gaussian b from a: (vb / va + (mb - ma)^2 / va - 1 - ln(vb / va)) / 2, what coding b's
 * activations by a's statistics wastes.
 */
static void compare_layer(const struct firn_bn_layer *a, const struct firn_bn_layer *b,
                          struct firn_bn_shift *s)
{
    *s = (struct firn_bn_shift){.name = a->name, .channels = a->channels};
    for (int i = 0; i < FIRN_BN_WORST; i++)
        s->worst[i].channel = -1;
    for (int i = 0; i < a->channels; i++) {
        double va = a->var[i] + FIRN_BN_EPS, vb = b->var[i] + FIRN_BN_EPS;
        double shift = ((double)b->mean[i] - a->mean[i]) / sqrt(va), ratio = vb / va;
        double log_ratio = log(ratio), kl = (ratio + shift * shift - 1 - log_ratio) / 2;
        kl = kl > 0 ? kl : 0; /* rounding */
        s->shift += shift * shift / a->channels;
        s->most = fabs(shift) > s->most ? fabs(shift) : s->most;
        s->log_ratio += log_ratio / a->channels;
        s->log_spread += log_ratio * log_ratio / a->channels;
        s->kl += kl / a->channels;
        rank(s, i, shift, log_ratio, kl);
    }
    s->shift = sqrt(s->shift);
    s->log_spread = sqrt(s->log_spread);
}

int firn_bn_compare(const struct firn_bn *a, const struct firn_bn *b, struct firn_bn_shift *shift,
                    struct firn_error *err)
{
    if (a->stats->layout.family != b->stats->layout.family)
        return firn_fail(err, FIRN_CONFIG, "A is a %s and B a %s: their layers do not correspond",
                         firn_bn_family(a), firn_bn_family(b));
    for (int i = 0; i < firn_bn_layers(a); i++) {
        struct firn_bn_layer x, y;
        firn_bn_layer(a, i, &x);
        firn_bn_layer(b, i, &y);
        compare_layer(&x, &y, &shift[i]);
    }
    return 0;
}

/* ---- the checkpoint ---- */

int firn_bn_apply(const char *spec, const char *path, const char *output, struct firn_error *err)
{
    struct firn_model *model;
    struct firn_stats *stats = NULL;
    int status = firn_model_open(&model, spec, err);
    if (status)
        return status;
    if (!(status = firn_stats_read(&stats, path, err)) &&
        !(status = firn_stats_match(stats, model, path, err))) {
        firn_model_adopt(model, stats);
        status = firn_checkpoint_write(model, firn_stats_get(stats, "batchnorm"), output, err);
    }
    firn_stats_free(stats);
    firn_model_close(model);
    return status;
}
