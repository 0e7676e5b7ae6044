/* SPDX-License-Identifier: MIT */
/** --select: which photographs a verb is about, by what the cache knows of them. */
#ifndef FIRN_TOOLS_SELECT_H
#define FIRN_TOOLS_SELECT_H

#include "cli.h"
#include "firn/cache.h"

/** Conditions as typed, KEY=VALUE: of each key one has to hold. */
struct firn_select {
    struct firn_opt_list given; /**< for the table of options */
};

/** The line of --select in a table of options. */
#define FIRN_SELECT_OPTION(select)                                                                 \
    {FIRN_OPT_LIST, 0, "select", "KEY=VALUE",                                                      \
     "only by label=, class=, path=, state=; repeatable [state=done]", &(select)->given, NULL}

/** FIRN_CLI_GO, or the exit status: what is wrong was said. */
int firn_select_check(const struct firn_verb *verb, const struct firn_select *select);

/** Whether a photograph is meant; without conditions those that are done. */
bool firn_select_takes(const struct firn_select *select, const struct firn_photo *photo);

/** Whether it would be meant if it had a feature, which it failed to get. */
bool firn_select_misses(const struct firn_select *select, const struct firn_photo *photo);

#endif
