/* SPDX-License-Identifier: MIT */
/**
 * What every way of estimating works with: a team of threads, each with a decoder and a worker of
 * the layered trunk.
 *
 * This is not the pipeline of `firn extract`: there photographs flow in any order, each on its own;
 * here a batch stops behind every layer until its last photograph has come through, and the order
 * matters. So each step is a loop over photographs that all cores share, and reading ahead is the
 * kernel's business: it is told the files of the next batch while this one is worked on.
 */
#ifndef FIRN_SRC_BN_ENGINE_H
#define FIRN_SRC_BN_ENGINE_H

#include "base/team.h"
#include "bn/photos.h"
#include "image/image.h"
#include "model/model.h"
#include "trunk/layered.h"

struct firn_bn_member {
    struct firn_decoder *decoder;
    struct firn_layered_worker *worker;
    uint8_t *bytes; /**< of the file in work */
    size_t room;
};

struct firn_bn_engine {
    struct firn_model *model;       /**< the statistics that it came with: the source */
    struct firn_image_spec spec;
    struct firn_fingerprint fp;     /**< trunk, preprocess and numeric parts */
    struct firn_layered *layered;
    struct firn_norms *norms;
    struct firn_team *team;
    int members;
    struct firn_bn_member *member;
    const volatile int *stop;
    _Atomic int shortage;           /**< errno: files cannot be opened, and that is our fault */
    size_t memory;                  /**< bytes of weights and workers */
    int offset[FIRN_MAX_CONVS];     /**< where a layer's channels begin among all of them */
    int channels;                   /**< all of them */
};

/** What of the options of an estimation or an extraction an engine needs. */
struct firn_bn_setup {
    const char *model, *cpu;
    int resize, crop, threads;
    bool turn, fast; /**< see struct firn_image_spec */
    const volatile int *stop;
};

/** As firn_recipe_open(). Close it in any case. */
int firn_bn_engine_open(struct firn_bn_engine *engine, const struct firn_bn_setup *setup,
                        struct firn_error *err);
void firn_bn_engine_close(struct firn_bn_engine *engine);

/** The caller has asked for an end, or there is a shortage. */
bool firn_bn_stopped(const struct firn_bn_engine *engine);

/** 0, or why firn_bn_stopped(): FIRN_NOMEM, or FIRN_INTERRUPTED with the text `stopped`. */
int firn_bn_check_stop(const struct firn_bn_engine *engine, const char *stopped,
                       struct firn_error *err);

/** Reads and hashes photo[0..n) without decoding. */
void firn_bn_hash(struct firn_bn_engine *engine, struct firn_bn_photo *photo, size_t n);

/** Decodes a photograph; when that fails, its state is set. For threads of the team. */
void firn_bn_load(struct firn_bn_engine *engine, int member, struct firn_bn_photo *photo,
                  uint8_t *crop);

/** Tells the kernel that these will be read soon. */
void firn_bn_read_ahead(const struct firn_bn_photo *photo, size_t n);

/** How many photographs of `n` a thread takes at once in a pass. */
int firn_bn_group(const struct firn_bn_engine *engine, int pass, size_t n);

#endif
