/* SPDX-License-Identifier: MIT */
/** What the output formats of `firn export` share. */
#ifndef FIRN_TOOLS_EXPORT_H
#define FIRN_TOOLS_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"
#include "output.h"

/** Photographs between two calls of firn_cache_forget(): 3 MB or so. */
#define FIRN_EXPORT_REMEMBERED 16384

/** What is to be written: rows, each a view of a photograph, in ImageFolder's order. */
struct firn_export {
    struct firn_cache *cache;
    uint8_t *chosen;     /**< a bit for each photograph of the cache; they all have a feature */
    size_t n;            /**< rows */
    int dim;
    int views;           /**< of each photograph in the cache */
    int view;            /**< the one that is written, or -1: all of them */
    size_t classes;
    char *fingerprint;   /**< as a JSON object */
};

/** A format: writes everything into `out`; write errors stay in `out`, others come in `err`. */
typedef int firn_export_fn(const struct firn_export *e, struct firn_output *out,
                           struct firn_error *err);
firn_export_fn firn_export_npz, firn_export_npy, firn_export_safetensors, firn_export_csv,
    firn_export_hdf5;

/** What firn_export_hdf5() finds in the module. */
firn_export_fn firn_hdf5_write;

/** A way through the rows; zero-initialise but for `e`. One at a time of each export. */
struct firn_export_walk {
    const struct firn_export *e;
    size_t next;             /**< photograph of the cache to look at next */
    struct firn_photo photo; /**< of the row, until the next step */
    int view;                /**< of the row */
};

/** Goes to the next row; false behind the last. Memory does not grow with the way. */
bool firn_export_next(struct firn_export_walk *walk);

/** Gets `n` features that follow each other. */
typedef void firn_export_rows_fn(void *user, const float *features, size_t n);

/** Brings all features, some at a time: memory does not grow with the cache. */
int firn_export_rows(const struct firn_export *e, firn_export_rows_fn *put, void *user,
                     struct firn_error *err);

/** Numbers of `n` rows that follow each other. */
typedef void firn_export_numbers_fn(void *user, const int64_t *numbers, size_t n);

/** The label of each row. */
void firn_export_labels(const struct firn_export *e, firn_export_numbers_fn *put, void *user);

/** The view of each row. */
void firn_export_views(const struct firn_export *e, firn_export_numbers_fn *put, void *user);

#endif
