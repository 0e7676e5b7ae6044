/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#ifdef FIRN_INIH

#include <ini.h>

struct reading {
    const struct firn_verb *verb;
    const struct firn_opt *opts;
    struct firn_opt_list *arguments;
    int status;
};

static int add_argument(struct reading *r, char *value)
{
    if (r->arguments->n == FIRN_OPT_LIST_MOST) {
        free(value);
        return firn_cli_usage(r->verb, "more than %d directories", FIRN_OPT_LIST_MOST);
    }
    r->arguments->item[r->arguments->n++] = value;
    return FIRN_CLI_GO;
}

/** True when the option's value is the text itself, which has to stay. */
static bool keeps_text(const struct firn_opt *opts, const char *name)
{
    for (; opts->kind; opts++) {
        if (strcmp(opts->name, name) == 0) {
            return opts->kind == FIRN_OPT_TEXT || opts->kind == FIRN_OPT_LIST;
        }
    }
    return false;
}

/** As inih wants it: 0 ends the reading as an error of this line. */
static int on_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    char *copy = strdup(value);
    (void)section;
    if (r->status != FIRN_CLI_GO) {
        free(copy);
        return 0;
    }
    if (!copy) {
        r->status = FIRN_NOMEM;
    } else if (strcmp(name, "directory") == 0) {
        r->status = add_argument(r, copy);
    } else {
        r->status = firn_cli_set(r->verb, r->opts, name, copy);
        if (r->status != FIRN_CLI_GO || !keeps_text(r->opts, name)) {
            free(copy);
        }
    }
    return r->status == FIRN_CLI_GO;
}

int firn_config_read(const struct firn_verb *verb, const struct firn_opt *opts, const char *path,
                     struct firn_opt_list *arguments)
{
    struct reading r = {verb, opts, arguments, FIRN_CLI_GO};
    int line = ini_parse(path, on_line, &r);
    if (line < 0) {
        firn_cli_warn("%s: cannot be read", path);
        return FIRN_NOINPUT;
    }
    if (line > 0) {
        firn_cli_warn("%s: line %d is wrong", path, line);
        return FIRN_CONFIG;
    }
    return FIRN_CLI_GO;
}

#else

int firn_config_read(const struct firn_verb *verb, const struct firn_opt *opts, const char *path,
                     struct firn_opt_list *arguments)
{
    (void)opts;
    (void)path;
    (void)arguments;
    return firn_cli_usage(verb, "--config needs inih, which this build is without");
}

#endif
