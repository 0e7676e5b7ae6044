/* SPDX-License-Identifier: MIT */
/** Options of all verbs: one table says what is read, what the help shows, what is suggested. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_OPTIONS 64
#define FIRST_LONG 256 /* above every letter: getopt's value of an option without a short form */

static const struct firn_opt common[] = {
    {FIRN_OPT_FLAG, 'q', "quiet", NULL, "no notices, no progress", &firn_cli_quiet, NULL},
    {FIRN_OPT_FLAG, 'v', "verbose", NULL, "say more", &firn_cli_verbose, NULL},
    {FIRN_OPT_FLAG, 'h', "help", NULL, "show this text", NULL, NULL},
    {0},
};

/** Levenshtein's distance, with neighbours swapped counting as one; words over 31 are far away. */
static int distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    int d[MAX][MAX];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n >= MAX || m >= MAX)
        return MAX;
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            if (!i || !j) {
                d[i][j] = i + j;
                continue;
            }
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *firn_cli_nearest(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    int limit = strlen(word) < 4 ? 1 : 2;
    for (; *names; names++) {
        int d = distance(word, *names);
        if (d <= limit) {
            nearest = *names;
            limit = d - 1;
        }
    }
    return nearest;
}

static const char *read_from; /* NULL: the command line */
static const int *read_line;

void firn_cli_reads(const char *file, const int *line)
{
    read_from = file;
    read_line = line;
}

int firn_cli_usage(const struct firn_verb *verb, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (read_from)
        firn_cli_warn("%s: line %d: %s; see 'firn help %s'", read_from, *read_line, text,
                      verb->name);
    else
        firn_cli_warn("%s: %s; see 'firn help %s'", verb->name, text, verb->name);
    return FIRN_USAGE;
}

int firn_cli_spare(const struct firn_verb *verb, const char *input, const char *output)
{
    struct stat a, b;
    if (!input || stat(input, &a) != 0 || stat(output, &b) != 0 || a.st_dev != b.st_dev ||
        a.st_ino != b.st_ino)
        return FIRN_CLI_GO;
    return firn_cli_usage(verb, "%.400s: is what is read (%.400s), and would be lost; give another "
                                "name", output, input);
}

int firn_cli_no_stdout(const struct firn_verb *verb, const char *output)
{
    return strcmp(output, "-") ? FIRN_CLI_GO
                               : firn_cli_usage(verb, "-: this cannot go to standard output; give "
                                                      "a name (./- for one that is called so)");
}

static void help_table(const struct firn_opt *opts)
{
    for (; opts->kind; opts++) {
        char left[64];
        snprintf(left, sizeof(left), "%c%c%c --%s%s%s", opts->letter ? '-' : ' ',
                 opts->letter ? opts->letter : ' ', opts->letter ? ',' : ' ', opts->name,
                 opts->arg ? " " : "", opts->arg ? opts->arg : "");
        printf("  %-24s  %s\n", left, opts->help);
    }
}

static void help(const struct firn_verb *verb, const struct firn_opt *opts)
{
    printf("Usage: firn %s %s\n%c%s.\n", verb->name, verb->args,
           verb->summary[0] - 'a' + 'A', verb->summary + 1);
    if (verb->more)
        printf("\n%s", verb->more);
    printf("\nOptions:\n");
    help_table(opts);
    help_table(common);
}

static int set_choice(const struct firn_verb *verb, const struct firn_opt *opt, const char *text)
{
    char known[256] = "";
    for (int i = 0; opt->choices[i]; i++) {
        if (strcmp(opt->choices[i], text) == 0) {
            *(int *)opt->value = i + 1;
            return FIRN_CLI_GO;
        }
        size_t length = strlen(known);
        snprintf(known + length, sizeof(known) - length, "%s%s", i ? ", " : "", opt->choices[i]);
    }
    return firn_cli_usage(verb, "--%s: '%s' is none of %s", opt->name, text, known);
}

bool firn_cli_whole(const char *text, int *n)
{
    errno = 0;
    long number = strtol(text, NULL, 10);
    *n = (int)number;
    return *text && !text[strspn(text, "0123456789")] && !errno && number <= INT_MAX;
}

static int set_number(const struct firn_verb *verb, const struct firn_opt *opt, const char *text)
{
    if (opt->kind == FIRN_OPT_REAL) {
        char *end;
        errno = 0;
        double x = strtod(text, &end);
        bool plain = *text != '+' && !text[strspn(text, "0123456789.eE+-")];
        if (!plain || errno || *end || !(x > 0) || isinf(x))
            return firn_cli_usage(verb, "--%s: '%s' is not a positive number", opt->name, text);
        *(double *)opt->value = x;
        return FIRN_CLI_GO;
    }
    int n, least = opt->kind == FIRN_OPT_COUNT;
    if (!firn_cli_whole(text, &n) || n < least)
        return firn_cli_usage(verb, "--%s: '%s' is not a %s", opt->name, text,
                              least ? "positive whole number" : "whole number");
    *(int *)opt->value = n;
    return FIRN_CLI_GO;
}

static int set_option(const struct firn_verb *verb, const struct firn_opt *opt, const char *text)
{
    if (text && !*text)
        return firn_cli_usage(verb, "--%s is empty", opt->name);
    if (opt->kind == FIRN_OPT_FLAG) {
        *(bool *)opt->value = true;
    } else if (opt->kind == FIRN_OPT_TEXT) {
        *(const char **)opt->value = text;
    } else if (opt->kind == FIRN_OPT_LIST) {
        struct firn_opt_list *list = opt->value;
        if (list->n == FIRN_OPT_LIST_MOST)
            return firn_cli_usage(verb, "--%s: more than %d times", opt->name, FIRN_OPT_LIST_MOST);
        list->item[list->n++] = text;
    } else if (opt->kind == FIRN_OPT_CHOICE) {
        return set_choice(verb, opt, text);
    } else {
        return set_number(verb, opt, text);
    }
    return FIRN_CLI_GO;
}

int firn_cli_set(const struct firn_verb *verb, const struct firn_opt *opts, const char *name,
                 const char *text)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    const char *names[MAX_OPTIONS + 1] = {NULL};
    int n = 0;
    for (; opts->kind; opts++) {
        names[n++] = opts->name;
        if (strcmp(opts->name, name) != 0)
            continue;
        if (opts->kind != FIRN_OPT_FLAG)
            return set_option(verb, opts, text);
        for (int i = 0; i < 4; i++) {
            if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
                *(bool *)opts->value = strcmp(text, yes[i]) == 0;
                return FIRN_CLI_GO;
            }
        }
        return firn_cli_usage(verb, "%s: '%s' is neither yes nor no", name, text);
    }
    const char *nearest = firn_cli_nearest(name, names);
    return firn_cli_usage(verb, nearest ? "unknown option '%s' (did you mean %s?)"
                                        : "unknown option '%s'", name, nearest);
}

/** getopt found an option that it does not know, or one without its value. */
static int complain(const struct firn_verb *verb, const struct option *longs, int value,
                    const char *word)
{
    if (value == ':')
        return firn_cli_usage(verb, "%s needs a value", word);
    if (strncmp(word, "--", 2) != 0)
        return firn_cli_usage(verb, "unknown option '-%c'", optopt);
    if (optopt)
        return firn_cli_usage(verb, "%s takes no value", word);
    const char *names[MAX_OPTIONS + 1] = {NULL};
    for (int i = 0; longs[i].name; i++)
        names[i] = longs[i].name;
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *nearest = firn_cli_nearest(name, names);
    return nearest ? firn_cli_usage(verb, "unknown option '%s' (did you mean --%s?)", word, nearest)
                   : firn_cli_usage(verb, "unknown option '%s'", word);
}

/** What getopt_long() wants to know, and which option is which. */
struct tables {
    const struct firn_opt *all[MAX_OPTIONS];
    struct option longs[MAX_OPTIONS + 1];
    char shorts[2 * MAX_OPTIONS + 2];
    int n;
};

static void add_table(struct tables *t, const struct firn_opt *opts)
{
    char *shorts = t->shorts + strlen(t->shorts);
    for (; opts->kind && t->n < MAX_OPTIONS; opts++, t->n++) {
        bool takes = opts->kind != FIRN_OPT_FLAG;
        t->all[t->n] = opts;
        t->longs[t->n] = (struct option){opts->name, takes ? required_argument : no_argument, NULL,
                                         opts->letter ? opts->letter : FIRST_LONG + t->n};
        if (opts->letter) {
            *shorts++ = (char)opts->letter;
            if (takes)
                *shorts++ = ':';
        }
    }
}

static int read_options(const struct firn_verb *verb, const struct firn_opt *opts, int argc,
                        char **argv)
{
    struct tables t = {.shorts = ":"}; /* getopt says ':' for a missing value */
    add_table(&t, opts);
    add_table(&t, common);
    opterr = 0;
    for (;;) {
        int at = optind ? optind : 1;
        optopt = 0;
        int value = getopt_long(argc, argv, t.shorts, t.longs, NULL);
        if (value == -1)
            return FIRN_CLI_GO;
        if (value == 'h') {
            help(verb, opts);
            return firn_cli_flush();
        }
        if (value == '?' || value == ':')
            return complain(verb, t.longs, value, argv[optind > at ? optind - 1 : at]);
        for (int i = 0; i < t.n; i++) {
            if (t.longs[i].val == value) {
                int status = set_option(verb, t.all[i], optarg);
                if (status != FIRN_CLI_GO)
                    return status;
            }
        }
    }
}

/** The name of a file to write, without its -o. */
static const char *missing_output(const struct firn_opt *opts)
{
    for (; opts->kind; opts++) {
        if (opts->letter == 'o' && opts->kind == FIRN_OPT_TEXT && !*(char **)opts->value)
            return opts->arg;
    }
    return NULL;
}

int firn_cli_parse(const struct firn_verb *verb, const struct firn_opt *opts, int *argc,
                   char ***argv)
{
    optind = 0; /* this may not be the first time */
    int status = read_options(verb, opts, *argc, *argv);
    if (status != FIRN_CLI_GO)
        return status;
    *argc -= optind;
    *argv += optind;
    for (int i = 0; i < *argc; i++) {
        if (!(*argv)[i][0])
            return firn_cli_usage(verb, "argument %d is empty", i + 1);
    }
    if (*argc < verb->min_args)
        return firn_cli_usage(verb, "an argument is missing: firn %s %s", verb->name, verb->args);
    if (verb->max_args >= 0 && *argc > verb->max_args) {
        const char *output = missing_output(opts);
        return firn_cli_usage(verb, output ? "one argument too many: '%s'; %s is given with -o"
                                           : "one argument too many: '%s'",
                              (*argv)[verb->max_args], output);
    }
    return FIRN_CLI_GO;
}
