/* SPDX-License-Identifier: MIT */
#include "select.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "photo.h"

static bool read_label(const char *text, int *label)
{
    *label = -1;
    return strcmp(text, "-1") == 0 || firn_cli_whole(text, label);
}

static bool has_label(const char *pattern, const struct firn_photo *photo)
{
    int label;
    return read_label(pattern, &label) && photo->label == label;
}

static bool has_class(const char *pattern, const struct firn_photo *photo)
{
    return photo->class_name && fnmatch(pattern, photo->class_name, 0) == 0;
}

static bool has_path(const char *pattern, const struct firn_photo *photo)
{
    if (fnmatch(pattern, photo->name, 0) == 0)
        return true;
    char *path = firn_photo_path(photo);
    bool same = path && fnmatch(pattern, path, 0) == 0;
    free(path);
    return same;
}

static bool has_state(const char *pattern, const struct firn_photo *photo)
{
    return strcmp(pattern, firn_photo_state(photo->state)) == 0;
}

enum { LABEL, CLASS, PATH, STATE, KINDS };

static const struct {
    const char *name;
    bool (*holds)(const char *pattern, const struct firn_photo *photo);
} kinds[KINDS] = {
    [LABEL] = {"label", has_label},
    [CLASS] = {"class", has_class},
    [PATH] = {"path", has_path},
    [STATE] = {"state", has_state},
};

/** The pattern of a condition of this kind, or NULL: it is of another. */
static const char *pattern_of(const char *condition, int kind)
{
    size_t n = strlen(kinds[kind].name);
    bool is = strncmp(condition, kinds[kind].name, n) == 0 && condition[n] == '=';
    return is ? condition + n + 1 : NULL;
}

static int check(const struct firn_verb *verb, const char *condition)
{
    const char *pattern = NULL;
    int kind = 0, label;
    while (kind < KINDS && !(pattern = pattern_of(condition, kind)))
        kind++;
    if (!pattern)
        return firn_cli_usage(verb, "--select '%s' begins with none of label= class= path= state=",
                              condition);
    if (kind == LABEL && !read_label(pattern, &label))
        return firn_cli_usage(verb, "--select label=%s: a label is a number, or -1: no class",
                              pattern);
    if (kind == STATE && strcmp(pattern, "done") != 0 && strcmp(pattern, "gone") != 0)
        return firn_cli_usage(verb, "--select state=%s: only photographs that are done or gone "
                              "have a feature", pattern);
    return FIRN_CLI_GO;
}

int firn_select_check(const struct firn_verb *verb, const struct firn_select *select)
{
    for (size_t i = 0; i < select->given.n; i++) {
        int status = check(verb, select->given.item[i]);
        if (status != FIRN_CLI_GO)
            return status;
    }
    return FIRN_CLI_GO;
}

static bool asks(const struct firn_select *select, int kind)
{
    for (size_t i = 0; i < select->given.n; i++) {
        if (pattern_of(select->given.item[i], kind))
            return true;
    }
    return false;
}

/** One of the conditions of this kind; without any, all photographs. */
static bool holds(const struct firn_select *select, int kind, const struct firn_photo *photo)
{
    for (size_t i = 0; i < select->given.n; i++) {
        const char *pattern = pattern_of(select->given.item[i], kind);
        if (pattern && kinds[kind].holds(pattern, photo))
            return true;
    }
    return !asks(select, kind);
}

static bool all_hold(const struct firn_select *select, const struct firn_photo *photo)
{
    for (int kind = 0; kind < KINDS; kind++) {
        if (!holds(select, kind, photo))
            return false;
    }
    return true;
}

bool firn_select_takes(const struct firn_select *select, const struct firn_photo *photo)
{
    return all_hold(select, photo) && (photo->state == FIRN_DONE || asks(select, STATE));
}

bool firn_select_misses(const struct firn_select *select, const struct firn_photo *photo)
{
    return (photo->state == FIRN_SKIPPED || photo->state == FIRN_CORRUPT) &&
           all_hold(select, photo);
}
