/* SPDX-License-Identifier: MIT */
/** BatchNorm statistics: estimated on photographs, merged, applied, compared. */
#ifndef FIRN_BN_H
#define FIRN_BN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"
#include "firn/error.h"

/**
 * How the mean and the variance of a layer come about.
 *
 * The last three make one pass in training mode over batches of `batch` photographs: a layer sees
 * inputs that were normalised with the statistics of their own batch.
 */
enum firn_bn_method {
    /**
     * Layer by layer over all photographs, every earlier layer frozen at its new values: what the
     * frozen network normalises has mean 0 and variance 1 on these photographs. For this, eps is
     * taken off the (biased) variance. Depends neither on batches nor on the order.
     */
    FIRN_BN_SEQUENTIAL = 0,
    /** Mean and biased variance pooled over all batches (n, mean, M2), as fvcore's precise BN. */
    FIRN_BN_POPULATION,
    /** Plain averages of the batches' means and unbiased variances: torch's update_bn(). */
    FIRN_BN_CUMULATIVE,
    /** As training with `momentum` leaves them, beginning with the checkpoint's. */
    FIRN_BN_EMA,
    FIRN_BN_METHODS
};
extern const char *const firn_bn_method_names[FIRN_BN_METHODS];

/** Which photographs make up a batch. */
enum firn_bn_order {
    FIRN_BN_ORDER_DEFAULT = 0, /**< content for POPULATION, folder for CUMULATIVE and EMA */
    FIRN_BN_ORDER_FOLDER,      /**< as ImageFolder lists them */
    FIRN_BN_ORDER_CONTENT      /**< by a hash of seed and contents: mixed, and the same anywhere */
};

/** What became of it. */
struct firn_bn_result {
    uint64_t photographs; /**< that were used */
    uint64_t failed;      /**< that could not be read or decoded; they were reported */
    uint64_t batches;     /**< of the methods that have batches */
    uint64_t pure;        /**< of these, with photographs of one class only, of several */
    int layers;           /**< BatchNorm layers */
    int channels;         /**< of all layers */
    int dead;             /**< of these, kept at the checkpoint's statistics: as good as constant */
    double seconds;
    size_t memory;        /**< bytes: weights, activations */
    uint64_t spilled;     /**< bytes of activations kept in a file */
};

/** Where an estimation is. */
struct firn_bn_progress {
    uint64_t photographs;   /**< of the current pass, done */
    uint64_t total;         /**< in a pass */
    int pass, passes;       /**< from 1; training mode has one pass */
    double seconds;
};

/** All fields may be zero but model, output and one of paths / files_from. */
struct firn_bn_options {
    const char *model;          /**< see firn_model_open() */
    const char *output;         /**< .safetensors to write */
    const char *const *paths;   /**< directories and files */
    size_t n_paths;
    const char *files_from;     /**< file with one path a line, "-" for stdin, or NULL */
    bool zero;                  /**< files_from is separated by NUL bytes */
    int resize, crop;           /**< 0: the model's preset */
    bool turn, fast;            /**< apply the EXIF orientation; decode large JPEGs faster */
    enum firn_bn_method method;
    int batch;                  /**< 0: 32 */
    double momentum;            /**< 0: 0.1 */
    enum firn_bn_order order;
    uint64_t seed;              /**< of the order by content */
    double blend;               /**< N: weight N / (N + photographs) for the checkpoint's */
    int shard, shards;          /**< shard 1..shards of the batches; shards 0: all of them */
    size_t memory;              /**< bytes for activations of SEQUENTIAL; 0: half of what is free */
    const char *spill;          /**< directory for a file of them; NULL: that of `output` */
    bool no_spill;              /**< no file: compute again what does not fit */
    int threads;                /**< 0: usable cores */
    const char *cpu;            /**< cap of the instruction set, or NULL */
    void (*on_progress)(void *user, const struct firn_bn_progress *progress);
    void (*on_failure)(void *user, const char *path, enum firn_state state, const char *reason);
    void (*on_notice)(void *user, const char *text);
    void *user;
    const volatile int *stop;   /**< becomes non-zero: end; SEQUENTIAL goes on where it was */
};

/**
 * Estimates and writes `output`. 0; -FIRN_PARTIAL: some photographs failed, the others were used;
 * -FIRN_INTERRUPTED; -FIRN_CONFIG: too few values for a statistic; as the modules report.
 */
int firn_bn_estimate(const struct firn_bn_options *options, struct firn_bn_result *result,
                     struct firn_error *err);

/**
 * Merges the shards of one estimation into its statistics, the same bits as one run gives.
 * FIRN_CONFIG: they are not of one estimation, or one is missing (named). FIRN_PARTIAL: done, but
 * photographs had failed when the shards were made.
 */
int firn_bn_merge(const char *const *shards, size_t n, const char *output,
                  struct firn_bn_result *result, struct firn_error *err);

/**
 * Writes the checkpoint of `model` with the statistics of the file `stats` as .safetensors: the
 * trunk and fc as float32. FIRN_CONFIG: they are not of this network.
 */
int firn_bn_apply(const char *model, const char *stats, const char *output,
                  struct firn_error *err);

/** The statistics of a network, from a model or a file of statistics; immutable. */
struct firn_bn;

/** `spec` is a file of statistics, or as for firn_model_open(). Close it; NULL is fine. */
int firn_bn_open(struct firn_bn **out, const char *spec, struct firn_error *err);
void firn_bn_close(struct firn_bn *bn);

int firn_bn_layers(const struct firn_bn *bn);

/** Layer i; pointers live as long as `bn`. */
struct firn_bn_layer {
    const char *name; /**< "layer1.0.bn1" */
    int channels;
    const float *mean, *var; /**< [channels] */
};
void firn_bn_layer(const struct firn_bn *bn, int i, struct firn_bn_layer *layer);

/** "resnet18"; and the batchnorm part of the fingerprint that they make. */
const char *firn_bn_family(const struct firn_bn *bn);
const char *firn_bn_words(const struct firn_bn *bn);

#define FIRN_BN_WORST 3

/** What lies between two layers, A the reference; eps is added to each variance first. */
struct firn_bn_shift {
    const char *name;
    int channels;
    double shift;       /**< root mean square over channels of (mean B - mean A) / deviation A */
    double most;        /**< the largest of these, without its sign */
    double log_ratio;   /**< mean of ln(variance B / variance A) */
    double log_spread;  /**< root mean square of the same */
    double kl;          /**< mean of the divergence of B's Gaussian from A's, nats */
    struct {
        int channel;
        double shift, log_ratio, kl;
    } worst[FIRN_BN_WORST]; /**< by kl, the largest first; channel -1: none */
};

/** Compares layer by layer into shift[firn_bn_layers(a)]. FIRN_CONFIG: other families. */
int firn_bn_compare(const struct firn_bn *a, const struct firn_bn *b, struct firn_bn_shift *shift,
                    struct firn_error *err);

#endif
