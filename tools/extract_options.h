/* SPDX-License-Identifier: MIT */
/** The options that `firn extract` and `firn watch` have in common. */
#ifndef FIRN_TOOLS_EXTRACT_OPTIONS_H
#define FIRN_TOOLS_EXTRACT_OPTIONS_H

#include "cli.h"

#include "firn/extract.h"

/** Enough for the common options, those of either verb and the zeroed end. */
#define FIRN_EXTRACT_OPTS 40

/** What the command line said; zeroed, then firn_extract_table(). */
struct firn_extract_args {
    struct firn_extract_options options;
    int store, io, memory, exif, decode;
    struct firn_opt table[FIRN_EXTRACT_OPTS];
};

/** Fills in `table`: the common options, then the verb's own (a table with a zeroed end). */
void firn_extract_table(struct firn_extract_args *args, const struct firn_opt *own);

/**
 * Parses the command line by that table and completes `options`; the paths are the arguments.
 * FIRN_CLI_GO or an exit status, as firn_cli_parse().
 */
int firn_extract_parse(const struct firn_verb *verb, struct firn_extract_args *args, int argc,
                       char **argv);

#endif
