/* SPDX-License-Identifier: MIT */
/** The options that `firn extract` and `firn watch` have in common. */
#ifndef FIRN_TOOLS_EXTRACT_OPTIONS_H
#define FIRN_TOOLS_EXTRACT_OPTIONS_H

#include "cli.h"

#include "firn/extract.h"

/** Rows of a table of options; of the first two the variable becomes 2 for what is no default. */
#define FIRN_OPT_EXIF(variable)                                                                    \
    {FIRN_OPT_CHOICE, 0, "exif", "HOW", "ignore or apply the orientation [ignore]", &(variable),   \
     firn_exif_names}
#define FIRN_OPT_DECODE(variable)                                                                  \
    {FIRN_OPT_CHOICE, 0, "decode", "HOW", "exact, or fast for large JPEGs [exact]", &(variable),   \
     firn_decode_names}
extern const char *const firn_exif_names[], *const firn_decode_names[];
#define FIRN_OPT_VIEWS(variable)                                                                   \
    {FIRN_OPT_TEXT, 0, "views", "V", "center, flip, five, ten, random:K[:SEED] [center]",          \
     &(variable), NULL}

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

/** Brings `options` up to date after a value in the table has become another one. */
void firn_extract_complete(struct firn_extract_args *args);

#endif
