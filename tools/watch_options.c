/* SPDX-License-Identifier: MIT */
#include "watch_options.h"

#include <stdlib.h>
#include <string.h>

/** What is in the file counts less than the command line, so it has to be read first. */
static const char *find_config(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--config") == 0) {
            return argv[i + 1]; /* the last one is NULL */
        }
        if (strncmp(argv[i], "--config=", 9) == 0)
            return argv[i] + 9;
    }
    return NULL;
}

#define OWN_OPTIONS 24

/** Those that extract does not have. */
static void own_options(struct firn_watch_args *m, struct firn_opt own[OWN_OPTIONS])
{
    static const char *const priorities[] = {"low", "normal", NULL};
    static const char *const logs[] = {"text", "journal", "json", NULL};
    struct firn_watch_options *w = &m->watch;
    const struct firn_opt table[] = {
        {FIRN_OPT_TEXT, 0, "config", "FILE", "take options from FILE, then those given here",
         &m->config, NULL},
        {FIRN_OPT_LIST, 'x', "exclude", "PATTERN", "leave out what is called so; may be repeated",
         &m->exclude, NULL},
        {FIRN_OPT_COUNT, 0, "settle", "MS", "a file must look the same so long [100]",
         &w->settle_ms, NULL},
        {FIRN_OPT_COUNT, 0, "rescan", "SECONDS", "look through everything so often [3600]",
         &w->rescan_seconds, NULL},
        {FIRN_OPT_COUNT, 0, "poll", "SECONDS", "the same where watching fails [60]",
         &w->poll_seconds, NULL},
        {FIRN_OPT_COUNT, 0, "watch-limit", "N", "directories to watch [half of the system's limit]",
         &w->watch_limit, NULL},
        {FIRN_OPT_COUNT, 0, "idle-unload", "SECONDS", "idle so long: give memory back [60]",
         &w->idle_unload_seconds, NULL},
        {FIRN_OPT_FLAG, 0, "isolate", NULL, "decode in processes that can do nothing else",
         &w->isolate, NULL},
        {FIRN_OPT_COUNT, 0, "decode-limit", "SECONDS", "isolated: for one photograph [30]",
         &w->decode_seconds, NULL},
        {FIRN_OPT_COUNT, 0, "cpu-limit", "PERCENT", "of one core, on average [no limit]",
         &w->cpu_percent, NULL},
        {FIRN_OPT_TEXT, 0, "only-between", "TIMES", "compute only then: 22:00-06:00 [always]",
         &w->only_between, NULL},
        {FIRN_OPT_FLAG, 0, "ac-only", NULL, "compute nothing on battery", &w->ac_only, NULL},
        {FIRN_OPT_COUNT, 0, "max-pressure", "PERCENT", "wait while memory or disks are short [no]",
         &w->max_pressure, NULL},
        {FIRN_OPT_CHOICE, 0, "priority", "HOW", "low or normal, for processor and disk [low]",
         &m->priority, priorities},
        {FIRN_OPT_FLAG, 'B', "background", NULL, "detach when it is ready", &m->background, NULL},
        {FIRN_OPT_CHOICE, 0, "log", "FORM", "text, journal or json [what stderr is]", &m->log,
         logs},
        {FIRN_OPT_TEXT, 0, "metrics-file", "FILE", "write OpenMetrics there every 15 s",
         &m->metrics_file, NULL},
        {0},
    };
    _Static_assert(sizeof(table) <= OWN_OPTIONS * sizeof(*table), "room for all");
    memcpy(own, table, sizeof(table));
}

/** Makes m->watch of what was read. */
static void complete(struct firn_watch_args *m)
{
    struct firn_watch_options *w = &m->watch;
    w->extract = m->extract.options;
    w->extract.paths = m->directories.item;
    w->extract.n_paths = m->directories.n;
    w->exclude = m->exclude.item;
    w->n_exclude = m->exclude.n;
}

/** `argv` is the copy that stays, and may be put into another order. */
static int read_all(struct firn_watch_args *m, const struct firn_verb *verb, int argc)
{
    struct firn_extract_args *args = &m->extract;
    struct firn_opt own[OWN_OPTIONS];
    own_options(m, own);
    firn_extract_table(args, own);
    const char *config = find_config(argc, m->argv);
    int status = config ? firn_config_read(verb, args->table, config, &m->file) : FIRN_CLI_GO;
    if (status == FIRN_CLI_GO)
        status = firn_extract_parse(verb, args, argc, m->argv);
    if (status != FIRN_CLI_GO)
        return status;
    m->directories = m->file.directories;
    for (size_t i = 0; i < args->options.n_paths && m->directories.n < FIRN_OPT_LIST_MOST; i++)
        m->directories.item[m->directories.n++] = args->options.paths[i];
    if (m->directories.n == 0)
        return firn_cli_usage(verb, "no directory given");
    complete(m);
    return FIRN_CLI_GO;
}

int firn_watch_args_read(struct firn_watch_args **out, const struct firn_verb *verb, int argc,
                         char *const *argv)
{
    struct firn_watch_args *m = calloc(1, sizeof(*m));
    *out = m;
    if (m)
        m->argv = malloc(((size_t)argc + 1) * sizeof(*m->argv));
    if (!m || !m->argv) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    memcpy(m->argv, argv, ((size_t)argc + 1) * sizeof(*m->argv));
    return read_all(m, verb, argc);
}

void firn_watch_args_free(struct firn_watch_args *m)
{
    if (m) {
        firn_config_clear(&m->file);
        free(m->argv);
        free(m);
    }
}

/* ---- what has changed ---- */

static bool same_list(const struct firn_opt_list *a, const struct firn_opt_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->item[i], b->item[i]) != 0)
            return false;
    }
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/** The same option, as read twice. */
static bool same_value(const struct firn_opt *a, const struct firn_opt *b)
{
    switch (a->kind) {
    case FIRN_OPT_FLAG:
        return *(const bool *)a->value == *(const bool *)b->value;
    case FIRN_OPT_TEXT:
        return same_text(*(char *const *)a->value, *(char *const *)b->value);
    case FIRN_OPT_LIST:
        return same_list(a->value, b->value);
    case FIRN_OPT_REAL:
        return !(*(const double *)a->value < *(const double *)b->value) &&
               !(*(const double *)a->value > *(const double *)b->value);
    default:
        return *(const int *)a->value == *(const int *)b->value;
    }
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}

/** What features are made of, where they are, and what was done before anything else. */
static bool is_fixed(const struct firn_opt *opt)
{
    static const char *const fixed[] = {"model", "output", "bn", "resize", "crop", "exif",
                                        "decode", "views", "store", "cpu",
                                        "allow-network-fs", "background", "priority", NULL};
    return is_one_of(opt->name, fixed);
}

static void add_fixed(char fixed[256], const struct firn_opt *opt)
{
    size_t n = strlen(fixed);
    n += (size_t)snprintf(fixed + n, 256 - n, "%s%s", n ? ", " : "", opt->name);
    if (n < 256 && opt->kind == FIRN_OPT_COUNT)
        snprintf(fixed + n, 256 - n, " = %d", *(const int *)opt->value);
    else if (n < 256 && opt->kind == FIRN_OPT_TEXT && *(char *const *)opt->value)
        snprintf(fixed + n, 256 - n, " = %s", *(char *const *)opt->value);
}

bool firn_watch_args_changed(const struct firn_watch_args *from, const struct firn_watch_args *to,
                             char fixed[256])
{
    static const char *const outside[] = {"config", "log", "metrics-file", NULL};
    bool changed = !same_list(&from->directories, &to->directories);
    fixed[0] = '\0';
    for (size_t i = 0; from->extract.table[i].kind; i++) {
        const struct firn_opt *opt = &from->extract.table[i];
        if (same_value(opt, &to->extract.table[i]))
            continue;
        if (is_fixed(opt))
            add_fixed(fixed, &to->extract.table[i]);
        else
            changed |= !is_one_of(opt->name, outside);
    }
    return changed;
}

/** Of an option that stands for one value. */
static size_t size_of(const struct firn_opt *opt)
{
    return opt->kind == FIRN_OPT_FLAG ? sizeof(bool)
           : opt->kind == FIRN_OPT_TEXT ? sizeof(char *) : sizeof(int);
}

void firn_watch_args_keep(struct firn_watch_args *to, const struct firn_watch_args *from)
{
    for (size_t i = 0; from->extract.table[i].kind; i++) {
        const struct firn_opt *opt = &from->extract.table[i];
        if (is_fixed(opt))
            memcpy(to->extract.table[i].value, opt->value, size_of(opt));
    }
    firn_extract_complete(&to->extract);
    complete(to);
}
