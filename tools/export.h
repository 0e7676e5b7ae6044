/* SPDX-License-Identifier: MIT */
/** What the output formats of `firn export` share. */
#ifndef FIRN_TOOLS_EXPORT_H
#define FIRN_TOOLS_EXPORT_H

#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"
#include "output.h"

/** What is to be written: rows of the photographs that have features, in ImageFolder's order. */
struct firn_export {
    const struct firn_cache *cache;
    const int64_t *row;  /**< rows of the cache: each is a view of a photograph */
    size_t n;
    int dim;
    int views;           /**< of each photograph in the cache */
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

/** Gets `n` features that follow each other, rows first to first + n. */
typedef void firn_export_rows_fn(void *user, size_t first, const float *features, size_t n);

/** Brings all features, some at a time: memory does not grow with the cache. */
int firn_export_rows(const struct firn_export *e, firn_export_rows_fn *put, void *user,
                     struct firn_error *err);

/** Numbers of `n` rows that follow each other. */
typedef void firn_export_numbers_fn(void *user, const int64_t *numbers, size_t n);

/** The label of each row. */
void firn_export_labels(const struct firn_export *e, firn_export_numbers_fn *put, void *user);

/** The view of each row. */
void firn_export_views(const struct firn_export *e, firn_export_numbers_fn *put, void *user);

/** The photograph of row i of the export, and its view. */
int firn_export_photo(const struct firn_export *e, size_t i, struct firn_photo *photo);

#endif
