/* SPDX-License-Identifier: MIT */
/** firn/output.h in a program that signals may end, and what else goes with files to write. */
#ifndef FIRN_TOOLS_OUTPUT_H
#define FIRN_TOOLS_OUTPUT_H

#include "firn/output.h"

/** Whether the name ends so (".npz"), in any case, and has something in front of that. */
bool firn_output_ends_in(const char *path, const char *ending);

/** firn_output_open(); a signal that ends the program from here on leaves nothing behind. */
int firn_output_begin(struct firn_output *out, const char *path, struct firn_error *err);

/**
 * Replaces the file `path` by `text` in one step, readable by all. For small files that are written
 * again and again: not synced, no signal handlers.
 */
int firn_output_replace(const char *path, const char *text, struct firn_error *err);

/** Fills in `err`; returns -code. */
int firn_output_fail(struct firn_error *err, enum firn_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
