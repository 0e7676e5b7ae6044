/* SPDX-License-Identifier: MIT */
/** Options from a file: the long names of a verb's options, one "name = value" a line. */
#ifndef FIRN_TOOLS_CONFIG_H
#define FIRN_TOOLS_CONFIG_H

#include "cli.h"

/**
 * Sets options from the file `path`, in the manner of inih: comments begin with ; or #, sections
 * mean nothing, a flag is set by yes, true, on or 1. What is called `directory` is appended to
 * `arguments`. The texts live for ever. FIRN_CLI_GO, or the exit status: what is wrong was said.
 */
int firn_config_read(const struct firn_verb *verb, const struct firn_opt *opts, const char *path,
                     struct firn_opt_list *arguments);

#endif
