/* SPDX-License-Identifier: MIT */
/** What the parts of `firn probe` share. */
#ifndef FIRN_TOOLS_PROBE_H
#define FIRN_TOOLS_PROBE_H

#include "cli.h"
#include "firn/probe.h"

/** The result as text on stdout. */
void firn_probe_print(const struct firn_probe *p, const struct firn_probe_options *o);

/** The result as JSON on stdout; returns the exit status. */
int firn_probe_print_json(const struct firn_probe *p, const struct firn_probe_options *o);

/** What the curve of the SGD head says, in one sentence; the caller's to free(), or NULL. */
char *firn_probe_sentence(const struct firn_probe *p, const struct firn_probe_options *o);

/** Whether the head can be written to a file of this name, by its ending. */
bool firn_probe_can_write(const char *path);

/** Writes `weight` and `bias` with where they come from. FIRN_CANTCREATE, FIRN_IO, FIRN_NOMEM. */
int firn_probe_write(const struct firn_probe *p, const struct firn_probe_options *o,
                     const char *path, struct firn_error *err);

#endif
