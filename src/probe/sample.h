/* SPDX-License-Identifier: MIT */
/** Photographs of a cache that have a feature and a class, and their features in memory. */
#ifndef FIRN_SRC_PROBE_SAMPLE_H
#define FIRN_SRC_PROBE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"
#include "firn/error.h"
#include "probe/logistic.h"

/** Class names: those of the training cache in its order, then what else `val` has. */
struct firn_names {
    char **name; /**< owned */
    size_t n;
    size_t own;  /**< of the training cache */
};

void firn_names_fini(struct firn_names *names);

/** Zero-initialise; firn_sample_fini() in any case. */
struct firn_sample {
    const struct firn_cache *cache;
    size_t n;
    int dim;
    int views, center;       /**< features of a photograph, and the centre crop among them, or -1 */
    size_t *index;           /**< [n] in the cache */
    int *truth;              /**< [n] into names */
    int *y;                  /**< [n] class of the head, -1 where it has none */
    uint8_t (*content)[32];  /**< [n] */
    float *x;                /**< [n][dim], after firn_sample_load() */
    size_t unlabelled;       /**< photographs with a feature that were left out: no class */
    size_t failed;           /**< photographs without a feature */
};

/** Lists photographs; names that are new are added to `names`. FIRN_NOMEM. */
int firn_sample_list(struct firn_sample *sample, const struct firn_cache *cache,
                     struct firn_names *names, struct firn_error *err);
void firn_sample_fini(struct firn_sample *sample);

/**
 * Moves about `percent` of the photographs into `held`: those whose content hash is small. A
 * photograph stays on its side whatever is added or removed, and copies are on the same side.
 */
int firn_sample_split(struct firn_sample *sample, struct firn_sample *held, int percent,
                      struct firn_error *err);

/** Photographs of `a` whose contents are among those of `b`. FIRN_NOMEM. */
int firn_sample_shared(const struct firn_sample *a, const struct firn_sample *b, size_t *shared,
                       struct firn_error *err);

/**
 * Reads the features, of several views that of the centre crop, which there must be. FIRN_DATA:
 * one is damaged or not finite; as firn_cache_features().
 */
int firn_sample_load(struct firn_sample *sample, struct firn_error *err);

static inline struct firn_rows firn_sample_rows(const struct firn_sample *s)
{
    return (struct firn_rows){s->x, s->y, s->n};
}

#endif
