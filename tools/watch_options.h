/* SPDX-License-Identifier: MIT */
/** What configuration and command line say about a daemon; read anew when it gets SIGHUP. */
#ifndef FIRN_TOOLS_WATCH_OPTIONS_H
#define FIRN_TOOLS_WATCH_OPTIONS_H

#include "config.h"
#include "extract_options.h"

#include "firn/watch.h"

struct firn_watch_args {
    struct firn_watch_options watch; /**< complete, but for the callbacks */
    struct firn_extract_args extract;
    struct firn_opt_list exclude, directories;
    struct firn_config file;
    char **argv;
    const char *config;
    const char *metrics_file;
    int log, priority;
    bool background;
};

/**
 * Reads the file that --config names and the command line, which counts more. FIRN_CLI_GO, or the
 * exit status: what is wrong was said. *out is to be freed in any case; argv's texts outlive it.
 */
int firn_watch_args_read(struct firn_watch_args **out, const struct firn_verb *verb, int argc,
                         char *const *argv);
void firn_watch_args_free(struct firn_watch_args *args);

/**
 * True when the watch itself has to change to get from one to the other. fixed: those options that
 * differ and cannot change while it runs, with what they would be, or "".
 */
bool firn_watch_args_changed(const struct firn_watch_args *from, const struct firn_watch_args *to,
                             char fixed[256]);

/** Makes these options what they were in `from`, which is to outlive `to`. */
void firn_watch_args_keep(struct firn_watch_args *to, const struct firn_watch_args *from);

#endif
