/* SPDX-License-Identifier: MIT */
/**
 * A file that appears whole or not at all: written without a name (or, where the file system has no
 * such files, under another one), synced, then renamed.
 */
#ifndef FIRN_OUTPUT_H
#define FIRN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "firn/error.h"

struct firn_output {
    FILE *file;
    char *path;      /**< what it will be called; owned */
    char *temp;      /**< what it is called until then; owned */
    bool nameless;   /**< it has not even that name before it is complete */
    uint64_t offset; /**< bytes written so far */
    int failure;     /**< errno of the first write that failed: later ones do nothing */
};

/** Says before long work whether firn_output_open() would refuse `path` after it. */
int firn_output_check(const char *path, struct firn_error *err);

/**
 * Begins. On failure nothing is left behind and nothing need be discarded. A program that ends in
 * between leaves `temp` behind where the file has that name.
 */
int firn_output_open(struct firn_output *out, const char *path, struct firn_error *err);

/** Appends; a failure is kept for firn_output_commit(). */
void firn_output_write(struct firn_output *out, const void *bytes, size_t n);

/** Writes `n` bytes at `offset`, over what is there or beyond it; what is appended goes on where it
 * was. */
void firn_output_patch(struct firn_output *out, uint64_t offset, const void *bytes, size_t n);

/** Syncs and renames, or removes what was written and says why. Frees in both cases. */
int firn_output_commit(struct firn_output *out, struct firn_error *err);

/** Removes what was written and frees. */
void firn_output_discard(struct firn_output *out);

#endif
