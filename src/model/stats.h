/* SPDX-License-Identifier: MIT */
/**
 * BatchNorm statistics of a network apart from its weights, with where they come from.
 *
 * As a file: a .safetensors with running_mean and running_var of every layer under torchvision's
 * names, which torch loads with load_state_dict(..., strict=False); and in __metadata__ the words
 * that firn compares before it believes them: "trunk" and "preprocess" are those parts of the
 * fingerprint that they were estimated under, "batchnorm" says how ("mode=estimated stats=HASH
 * method=sequential ..."), "source" is the hash of the statistics that the weights came with.
 */
#ifndef FIRN_SRC_MODEL_STATS_H
#define FIRN_SRC_MODEL_STATS_H

#include "model/family.h"
#include "model/weights.h"

#define FIRN_MAX_PAIRS 32
/* The kinds of files, by their metadata; a shard is a part of an estimation: bn/shard.c */
#define FIRN_STATS_WHOLE "batchnorm-statistics"
#define FIRN_STATS_SHARD "batchnorm-shard"

struct firn_stats {
    struct firn_network layout;          /**< data of its means and variances alone */
    float *numbers;                      /**< that data */
    float *mean[FIRN_MAX_CONVS];         /**< [cout], into numbers */
    float *var[FIRN_MAX_CONVS];
    char hash[65];                       /**< of means and variances: firn_stats_seal() */
    int n_pair;
    struct {
        char key[24], value[600];
    } pair[FIRN_MAX_PAIRS];
};

/** Zeroed statistics of a family. Free with firn_stats_free(). */
int firn_stats_create(struct firn_stats **out, const struct firn_family *family,
                      struct firn_error *err);
/** Those of a network: a copy. */
int firn_stats_of_model(struct firn_stats **out, const struct firn_model *model,
                        struct firn_error *err);
void firn_stats_free(struct firn_stats *stats);

/** The value of a metadata key, "" when there is none. */
const char *firn_stats_get(const struct firn_stats *stats, const char *key);
void firn_stats_set(struct firn_stats *stats, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** Computes the hash; to be called when the numbers are final. */
void firn_stats_seal(struct firn_stats *stats);

/**
 * Reads what firn_stats_write() wrote. FIRN_DATA: not such a file (a checkpoint, statistics without
 * provenance), numbers that are not finite or variances below zero, tensors that are not those that
 * were described.
 */
int firn_stats_read(struct firn_stats **out, const char *path, struct firn_error *err);

/** The same for what an estimation left unfinished (it says "passes"), which _read() refuses. */
int firn_stats_read_partial(struct firn_stats **out, const char *path, struct firn_error *err);

/** The checkpoint's statistics in the open file of a shard. */
int firn_stats_read_shard(struct firn_stats **out, struct firn_weights *weights,
                          struct firn_error *err);

/** Whether `path` is, by its metadata, a .safetensors of statistics or of a shard of them. */
bool firn_stats_is_file(const char *path);

/** Writes; the numbers have been sealed and the "batchnorm" words say stats=HASH. */
int firn_stats_write(struct firn_stats *stats, const char *path, struct firn_error *err);

/** Refuses statistics that belong to another architecture or to other trunk tensors, in words. */
int firn_stats_match(const struct firn_stats *stats, const struct firn_model *model,
                     const char *where, struct firn_error *err);

/** The parameters by name; lives as long as the model. */
const struct firn_network *firn_model_network(const struct firn_model *model);

/** The model normalises with these from now on; they have been matched. */
void firn_model_adopt(struct firn_model *model, const struct firn_stats *stats);

#endif
