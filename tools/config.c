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
    if (!more) {
        return NULL;
    }
    c->text = more;
    c->text[c->n] = strdup(value);
    return c->text[c->n] ? c->text[c->n++] : NULL;
}

static int add_directory(struct reading *r, const char *value)
{
    struct firn_opt_list *list = &r->config->directories;
    if (list->n == FIRN_OPT_LIST_MOST) {
        return firn_cli_usage(r->verb, "more than %d directories", FIRN_OPT_LIST_MOST);
    }
    list->item[list->n++] = value;
    return FIRN_CLI_GO;
}

/** As inih wants it: 0 ends the reading as an error of this line. */
static int on_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    (void)section;
    if (r->status != FIRN_CLI_GO) {
        return 0;
    }
    const char *text = keep(r->config, value);
    if (!text) {
        r->status = FIRN_NOMEM;
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
    if (fd < 0 || fstat(fd, &st) != 0) {
        reason = strerror(errno);
    } else if (!S_ISREG(st.st_mode)) {
        reason = "is not a regular file";
    } else if (st.st_size > MOST) {
        reason = "is longer than 1 MB";
    }
    FILE *file = reason ? NULL : fdopen(fd, "r");
    if (!file) {
        firn_cli_warn("%s: cannot be read: %s", path, reason ? reason : strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
    }
    return file;
}

struct lines {
    FILE *file;
    int most; /* bytes that inih takes of a line, once there was a longer one */
};

/** For inih, which would take the rest of a long line for another one. */
static char *next_line(char *line, int room, void *stream)
{
    struct lines *lines = stream;
    if (lines->most || !fgets(line, room, lines->file)) {
        return NULL;
    }
    if (strlen(line) + 1 == (size_t)room && line[room - 2] != '\n') {
        int next = getc(lines->file);
        if (next != EOF && next != '\n') {
            lines->most = room - 1;
            return NULL;
        }
    }
    return line;
}

static int read_lines(const struct firn_verb *verb, const struct firn_opt *opts, const char *path,
                      struct lines *lines, struct firn_config *config)
{
    struct reading r = {verb, opts, config, FIRN_CLI_GO};
    int line = ini_parse_stream(next_line, lines, on_line, &r);
    if (line < 0 || ferror(lines->file)) {
        firn_cli_warn("%s: cannot be read", path);
        return FIRN_NOINPUT;
    }
    if (line > 0) {
        firn_cli_warn("%s: line %d is wrong", path, line);
        return FIRN_CONFIG;
    }
    if (lines->most) {
        firn_cli_warn("%s: a line is longer than %d bytes; a link gives a directory a shorter name",
                      path, lines->most);
        return FIRN_CONFIG;
    }
    return FIRN_CLI_GO;
}

int firn_config_read(const struct firn_verb *verb, const struct firn_opt *opts, const char *path,
                     struct firn_config *config)
{
    struct lines lines = {open_file(path), 0};
    if (!lines.file) {
        return FIRN_NOINPUT;
    }
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
    for (size_t i = 0; i < config->n; i++) {
        free(config->text[i]);
    }
    free(config->text);
    *config = (struct firn_config){0};
}
