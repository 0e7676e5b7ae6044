/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef FIRN_INIH

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST (1 << 20) /* bytes of a file */

struct reading {
    const struct firn_verb *verb;
    const struct firn_opt *opts;
    struct firn_config *config;
    int status;
};

/** A copy that stays. */
static const char *keep(struct firn_config *c, const char *value)
{
    char **more = realloc(c->text, (c->n + 1) * sizeof(*more));
    if (!more)
        return NULL;
    c->text = more;
    c->text[c->n] = strdup(value);
    return c->text[c->n] ? c->text[c->n++] : NULL;
}

static int add_directory(struct reading *r, const char *value)
{
    struct firn_opt_list *list = &r->config->directories;
    if (!*value)
        return firn_cli_usage(r->verb, "directory is empty");
    if (list->n == FIRN_OPT_LIST_MOST)
        return firn_cli_usage(r->verb, "more than %d directories", FIRN_OPT_LIST_MOST);
    list->item[list->n++] = value;
    return FIRN_CLI_GO;
}

/** As inih wants it: 0 ends the reading as an error of this line. */
static int on_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    (void)section;
    if (r->status != FIRN_CLI_GO)
        return 0;
    const char *text = keep(r->config, value);
    if (!text) {
        firn_cli_warn("out of memory");
        r->status = FIRN_NOMEM;
    } else if (strcmp(name, "config") == 0) {
        r->status = firn_cli_usage(r->verb, "config: belongs on the command line");
    } else if (strcmp(name, "directory") == 0) {
        r->status = add_directory(r, text);
    } else {
        r->status = firn_cli_set(r->verb, r->opts, name, text);
    }
    return r->status == FIRN_CLI_GO;
}

/** A pipe would keep the daemon waiting, with its signals, for as long as nobody writes to it. */
static FILE *open_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *reason = NULL;
    if (fd < 0 || fstat(fd, &st) != 0)
        reason = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        reason = "is not a regular file";
    else if (st.st_size > MOST)
        reason = "is longer than 1 MB";
    FILE *file = reason ? NULL : fdopen(fd, "r");
    if (!file) {
        firn_cli_warn("%s: cannot be read: %s", path, reason ? reason : strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return file;
}

struct lines {
    FILE *file;
    int n;             /* of the last one */
    const char *wrong; /* with it; nothing comes after it */
};

/**
 * For inih, which would take the rest of a long line for another one, what begins with blanks for
 * more of the value before, and sections for nothing.
 */
static char *next_line(char *line, int room, void *stream)
{
    struct lines *lines = stream;
    if (lines->wrong || !fgets(line, room, lines->file))
        return NULL;
    lines->n++;
    size_t blanks = strspn(line, " \t");
    memmove(line, line + blanks, strlen(line + blanks) + 1);
    if (*line == '[') {
        lines->wrong = "there are no sections; one option a line is wanted";
    } else if (blanks + strlen(line) + 1 == (size_t)room && !strchr(line, '\n')) {
        int next = getc(lines->file);
        if (next != EOF && next != '\n')
            lines->wrong = "is too long; a link gives a directory a shorter name";
    }
    return lines->wrong ? NULL : line;
}

static int read_lines(const struct firn_verb *verb, const struct firn_opt *opts, const char *path,
                      struct lines *lines, struct firn_config *config)
{
    struct reading r = {verb, opts, config, FIRN_CLI_GO};
    firn_cli_reads(path, &lines->n);
    int wrong = ini_parse_stream(next_line, lines, on_line, &r);
    if (wrong < 0 || ferror(lines->file)) {
        firn_cli_warn("%s: cannot be read", path);
        r.status = FIRN_NOINPUT;
    } else if (lines->wrong) {
        r.status = firn_cli_usage(verb, "%s", lines->wrong);
    } else if (wrong > 0 && r.status == FIRN_CLI_GO) {
        lines->n = wrong;
        r.status = firn_cli_usage(verb, "is neither 'option = value' nor a comment");
    }
    firn_cli_reads(NULL, NULL);
    return r.status == FIRN_USAGE ? FIRN_CONFIG : r.status;
}

int firn_config_read(const struct firn_verb *verb, const struct firn_opt *opts, const char *path,
                     struct firn_config *config)
{
    struct lines lines = {.file = open_file(path)};
    if (!lines.file)
        return FIRN_NOINPUT;
    int status = read_lines(verb, opts, path, &lines, config);
    fclose(lines.file);
    return status;
}

#else

int firn_config_read(const struct firn_verb *verb, const struct firn_opt *opts, const char *path,
                     struct firn_config *config)
{
    (void)opts;
    (void)path;
    (void)config;
    return firn_cli_usage(verb, "--config needs inih, which this build is without");
}

#endif

void firn_config_clear(struct firn_config *config)
{
    for (size_t i = 0; i < config->n; i++)
        free(config->text[i]);
    free(config->text);
    *config = (struct firn_config){0};
}
