/* SPDX-License-Identifier: MIT */
/** Directories that are made for a while. */
#ifndef FIRN_TOOLS_SCRATCH_H
#define FIRN_TOOLS_SCRATCH_H

#include "firn/error.h"

/** A private directory below $TMPDIR, malloc'ed; NULL with `err` filled. */
char *firn_scratch_create(struct firn_error *err);

/** Removes it with all that is in it, and frees the name; NULL is fine. */
void firn_scratch_remove(char *directory);

/** Makes a directory and those above it; one that is there is fine. FIRN_CANTCREATE, FIRN_NOMEM. */
int firn_scratch_mkdir(const char *path, struct firn_error *err);

#endif
