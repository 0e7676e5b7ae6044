/* SPDX-License-Identifier: MIT */
/** Options from a file: the long names of a verb's options, one "name = value" a line. */
#ifndef FIRN_TOOLS_CONFIG_H
#define FIRN_TOOLS_CONFIG_H

#include "cli.h"

/** What was read. */
struct firn_config {
    struct firn_opt_list directories;
    char **text; /**< [n]; options point into these */
    size_t n;
};

/**
 * Sets options from the file `path`, in the manner of inih: comments begin with ; or #, sections
 * mean nothing, a flag is set by yes, true, on or 1. What is called `directory` goes to
 * config->directories. FIRN_CLI_GO, or the exit status: what is wrong was said. To be cleared, when
 * the options are not needed any more, in any case.
 */
int firn_config_read(const struct firn_verb *verb, const struct firn_opt *opts, const char *path,
                     struct firn_config *config);
void firn_config_clear(struct firn_config *config);

#endif
