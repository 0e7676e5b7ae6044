/* SPDX-License-Identifier: MIT */
/** Names of photographs from a list: a file, or what another program writes. */
#ifndef FIRN_SRC_PIPELINE_NAMES_H
#define FIRN_SRC_PIPELINE_NAMES_H

#include <limits.h>
#include <stdbool.h>

#include "firn/error.h"

struct firn_names;

/** Who asks for a name may be told to stop while the list (a terminal, a pipe) has none yet. */
typedef bool firn_names_stopped(void *user);

/**
 * `list`: a file, or "-" for stdin. Names end with a newline, and CR is no part of them before it;
 * or, if `zero`, with NUL. FIRN_NOINPUT.
 */
int firn_names_open(struct firn_names **out, const char *list, bool zero, struct firn_error *err);

/** NULL is fine. */
void firn_names_close(struct firn_names *names);

enum { FIRN_NAMES_END, FIRN_NAMES_ONE, FIRN_NAMES_LONG };

/**
 * The next name that is not empty, made absolute. FIRN_NAMES_LONG: it is too long, `path` is how
 * it begins. FIRN_NAMES_END: that was all, or it was told to stop. FIRN_USAGE: a NUL byte in a list
 * of lines; FIRN_IO.
 */
int firn_names_next(struct firn_names *names, firn_names_stopped *stopped, void *user,
                    char path[PATH_MAX], struct firn_error *err);

/** What firn_names_next() will return, without taking it. */
int firn_names_peek(struct firn_names *names, firn_names_stopped *stopped, void *user,
                    struct firn_error *err);

#endif
