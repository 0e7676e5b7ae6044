/* SPDX-License-Identifier: MIT */
/** What the verbs share that write caches anew. */
#ifndef FIRN_TOOLS_UPKEEP_H
#define FIRN_TOOLS_UPKEEP_H

#include "firn/upkeep.h"

/** The option of struct firn_upkeep_options `o` that all of them have. */
#define FIRN_OPT_NETWORK(o)                                                                        \
    {FIRN_OPT_FLAG, 0, "allow-network-fs", NULL, "write to NFS, CIFS or the like, too",            \
     &(o).allow_network_fs, NULL}

/** Prints what was done as JSON; the exit status. */
int firn_upkeep_json(const struct firn_upkeep *u);

/** firn_upkeep_options.on_photograph: "PATH: what" on stderr. */
void firn_upkeep_photograph(void *user, const char *path, const char *what);

#endif
