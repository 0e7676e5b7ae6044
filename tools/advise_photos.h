/* SPDX-License-Identifier: MIT */
/** The photographs of `firn bn advise`: trees of symbolic links to a part of them. */
#ifndef FIRN_TOOLS_ADVISE_PHOTOS_H
#define FIRN_TOOLS_ADVISE_PHOTOS_H

#include <stddef.h>

#include "firn/error.h"

/** Refuses a directory with fewer than `least` classes, sub-directories. FIRN_NOINPUT. */
int firn_advise_classes(const char *dir, int least, struct firn_error *err);

/** Files below `dir`, however deep. FIRN_NOINPUT. */
int firn_advise_count(const char *dir, size_t *n, struct firn_error *err);

/**
 * Links every n-th file of each sub-directory of `from` into `to`, under the same path, so that
 * about the share `part` of them is there. FIRN_NOINPUT, FIRN_CANTCREATE.
 */
int firn_advise_sample(const char *from, const char *to, double part, struct firn_error *err);

/** Links the photographs of `cache` into `train` or `val`, by content hash as firn_probe() does. */
int firn_advise_split(const char *cache, int percent, const char *train, const char *val,
                      struct firn_error *err);

#endif
