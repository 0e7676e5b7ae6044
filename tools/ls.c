/* SPDX-License-Identifier: MIT */
/** `firn ls`: one line a photograph. */
#include "cli.h"
#include "photo.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct listing {
    const struct firn_cache *cache;
    bool absolute; /* paths from / on; else below their root when there is one root only */
    bool zero;     /* lines end in NUL */
    bool aligned;  /* columns for eyes; tabs otherwise */
    int width;     /* of the path column when aligned */
};

static bool one_root(const struct firn_cache *cache)
{
    struct firn_photo first, photo;
    size_t n = firn_cache_count(cache);
    for (size_t i = 0; i < n; i++) {
        firn_cache_photo(cache, i, &photo);
        if (i == 0) {
            first = photo;
        } else if (photo.root != first.root && strcmp(photo.root, first.root) != 0) {
            return false;
        }
    }
    return true;
}

/** Wide enough for most paths; a few long ones may stick out. */
static int path_width(const struct listing *l)
{
    struct firn_photo photo;
    size_t widest = 0, n = firn_cache_count(l->cache);
    for (size_t i = 0; i < n; i++) {
        firn_cache_photo(l->cache, i, &photo);
        size_t width = strlen(photo.name) + (l->absolute ? strlen(photo.root) + 1 : 0);
        widest = width > widest && width <= 60 ? width : widest;
    }
    return (int)widest;
}

static enum firn_colour state_colour(enum firn_state state)
{
    return state == FIRN_SKIPPED ? FIRN_YELLOW : FIRN_RED;
}

static void put(const struct listing *l, const char *text)
{
    if (l->zero) {
        fputs(text, stdout);
    } else {
        firn_cli_put(stdout, text);
    }
}

static int print(const struct listing *l, const struct firn_photo *photo)
{
    char *path = l->absolute ? firn_photo_path(photo) : strdup(photo->name);
    if (!path) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    if (l->aligned) {
        printf("%4d  ", photo->label);
        int columns = firn_cli_put(stdout, path);
        printf("%*s  %10llu  ", columns < l->width ? l->width - columns : 0, "",
               (unsigned long long)photo->size);
    } else {
        printf("%d\t", photo->label);
        put(l, path);
        printf("\t%llu\t", (unsigned long long)photo->size);
    }
    bool failed = photo->state != FIRN_DONE;
    const char *colour = failed ? firn_cli_colour(stdout, state_colour(photo->state)) : "";
    fputs(colour, stdout);
    fputs(firn_photo_state(photo->state), stdout);
    if (failed) {
        fputs(": ", stdout);
        put(l, photo->reason);
    }
    fputs(*colour ? firn_cli_colour(stdout, FIRN_PLAIN) : "", stdout);
    putchar(l->zero ? '\0' : '\n');
    free(path);
    return FIRN_OK;
}

static int print_json(const struct firn_photo *photo)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_photo_json(&j, photo);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static int ls(const struct firn_verb *verb, int argc, char **argv)
{
    struct listing l = {0};
    bool json = false, failed = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 'a', "absolute", NULL, "paths from the root directory on", &l.absolute,
         NULL},
        {FIRN_OPT_FLAG, 'f', "failed", NULL, "only what was skipped or is corrupt", &failed, NULL},
        {FIRN_OPT_FLAG, '0', "null", NULL, "raw bytes, each line ends in a NUL byte", &l.zero,
         NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "one JSON object a line", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO) {
        return status;
    }
    struct firn_cache *cache;
    struct firn_error err = {0};
    if (firn_cache_open(&cache, argv[0], &err)) {
        return firn_cli_fail(&err);
    }
    l.cache = cache;
    l.absolute = l.absolute || !one_root(cache);
    l.aligned = isatty(STDOUT_FILENO) && !l.zero;
    l.width = l.aligned ? path_width(&l) : 0;
    size_t n = firn_cache_count(cache);
    status = FIRN_OK;
    for (size_t i = 0; i < n && status == FIRN_OK && !ferror(stdout); i++) {
        struct firn_photo photo;
        firn_cache_photo(cache, i, &photo);
        if (!failed || photo.state != FIRN_DONE) {
            status = json ? print_json(&photo) : print(&l, &photo);
        }
    }
    firn_cache_close(cache);
    return status;
}

const struct firn_verb firn_verb_ls = {
    .name = "ls",
    .args = "[options] CACHE",
    .summary = "list the photographs of a cache: label, path, size, state",
    .more = "Label -1 means: no class. The order is that of torchvision's ImageFolder.\n"
            "Columns are separated by tabs when standard output is not a terminal. Paths\n"
            "are shown below the directory that was extracted, or in full when there is\n"
            "more than one such directory.\n",
    .min_args = 1,
    .max_args = 1,
    .run = ls,
};
