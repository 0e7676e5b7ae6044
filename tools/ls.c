/* SPDX-License-Identifier: MIT */
/** `firn ls`: one line a photograph. */
#include "cli.h"
#include "photo.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORGET 65536 /* photographs after which their memory is given back */

/** Which photographs are asked for. */
struct choice {
    bool all;        /* gone ones too */
    bool failed;     /* skipped and corrupt ones only */
    bool duplicates; /* only those that share their contents with another */
};

struct listing {
    struct firn_cache *cache;
    struct choice choice;
    size_t *index; /* photographs to show, in this order; NULL: all that are chosen */
    size_t n;      /* of them, or of all */
    bool json;
    bool absolute; /* paths from / on; else below their root when there is one root only */
    bool zero;     /* lines end in NUL */
    bool aligned;  /* columns for eyes; tabs otherwise */
    int width;     /* of the path column when aligned */
};

static bool is_chosen(const struct choice *c, enum firn_state state)
{
    if (c->duplicates)
        return state == FIRN_DONE;
    if (state == FIRN_GONE)
        return c->all && !c->failed;
    return !c->failed || state != FIRN_DONE;
}

/** The next photograph to show, *at being 0 at first; false after the last. */
static bool next(const struct listing *l, size_t *at, struct firn_photo *photo)
{
    for (; *at < l->n; ++*at) {
        size_t i = l->index ? l->index[*at] : *at;
        if (!l->index && !is_chosen(&l->choice, firn_cache_state(l->cache, i)))
            continue;
        if (*at % FORGET == 0)
            firn_cache_forget(l->cache);
        firn_cache_photo(l->cache, i, photo);
        ++*at;
        return true;
    }
    return false;
}

static bool one_root(const struct listing *l)
{
    struct firn_cache_stat stat;
    struct firn_photo photo;
    char *first = NULL;
    bool one = true;
    firn_cache_stat(l->cache, &stat);
    if (stat.roots <= 1)
        return true;
    for (size_t at = 0; one && next(l, &at, &photo);) {
        if (!first)
            first = strdup(photo.root);
        one = first && strcmp(photo.root, first) == 0;
    }
    free(first);
    return one;
}

/** Wide enough for most paths; a few long ones may stick out. */
static int path_width(const struct listing *l)
{
    struct firn_photo photo;
    size_t widest = 0;
    for (size_t at = 0; next(l, &at, &photo);) {
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
    if (l->zero)
        fputs(text, stdout);
    else
        firn_cli_put(stdout, text);
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
    if (photo->reason[0]) {
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

struct content {
    uint8_t key[32];
    size_t i;     /* of the photograph */
    size_t first; /* of its group */
};

static int by_key(const void *a, const void *b)
{
    const struct content *x = a, *y = b;
    int c = memcmp(x->key, y->key, sizeof(x->key));
    return c ? c : (x->i > y->i) - (x->i < y->i);
}

static int by_group(const void *a, const void *b)
{
    const struct content *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

/** Keeps those whose contents occur more than once, together; groups in order of their first. */
static bool keep_duplicates(struct listing *l)
{
    size_t *index = calloc(l->n + 1, sizeof(*index)), n = 0, kept = 0;
    struct content *content = calloc(l->n + 1, sizeof(*content));
    struct firn_photo photo;
    if (!content || !index) {
        free(content);
        free(index);
        return false;
    }
    for (size_t at = 0; next(l, &at, &photo); n++) {
        memcpy(content[n].key, photo.content, sizeof(content[n].key));
        content[n].i = at - 1;
    }
    l->index = index;
    l->n = n;
    qsort(content, l->n, sizeof(*content), by_key);
    for (size_t i = 0, end; i < l->n; i = end) {
        for (end = i + 1; end < l->n && !memcmp(content[i].key, content[end].key, 32); end++) {
        }
        for (size_t k = i; end - i > 1 && k < end; k++) {
            content[kept] = content[k];
            content[kept++].first = content[i].i;
        }
    }
    qsort(content, kept, sizeof(*content), by_group);
    for (size_t i = 0; i < kept; i++)
        l->index[i] = content[i].i;
    l->n = kept;
    free(content);
    return true;
}

static int print_all(struct listing *l)
{
    struct firn_photo photo, before = {0};
    int status = FIRN_OK;
    l->n = firn_cache_count(l->cache);
    if (l->choice.duplicates && !keep_duplicates(l)) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    l->absolute = l->absolute || !one_root(l);
    l->aligned = isatty(STDOUT_FILENO) && !l->zero;
    l->width = l->aligned ? path_width(l) : 0;
    for (size_t at = 0; status == FIRN_OK && !ferror(stdout) && next(l, &at, &photo);) {
        if (l->choice.duplicates && !l->json && at > 1 &&
            memcmp(photo.content, before.content, 32))
            putchar(l->zero ? '\0' : '\n');
        status = l->json ? print_json(&photo) : print(l, &photo);
        before = photo;
    }
    return status;
}

static int ls(const struct firn_verb *verb, int argc, char **argv)
{
    struct listing l = {0};
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 'a', "absolute", NULL, "paths from the root directory on", &l.absolute,
         NULL},
        {FIRN_OPT_FLAG, 0, "all", NULL, "also those that are gone from their directory",
         &l.choice.all, NULL},
        {FIRN_OPT_FLAG, 'd', "duplicates", NULL, "only equal files, group by group",
         &l.choice.duplicates, NULL},
        {FIRN_OPT_FLAG, 'f', "failed", NULL, "only what was skipped or is corrupt",
         &l.choice.failed, NULL},
        {FIRN_OPT_FLAG, '0', "null", NULL, "raw bytes, each line ends in a NUL byte", &l.zero,
         NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "one JSON object a line", &l.json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    struct firn_cache *cache;
    status = firn_open_cache(&cache, argv[0]);
    if (status)
        return status;
    l.cache = cache;
    status = print_all(&l);
    firn_cache_close(cache);
    free(l.index);
    return status;
}

const struct firn_verb firn_verb_ls = {
    .name = "ls",
    .args = "[options] CACHE",
    .summary = "list the photographs of a cache: label, path, size, state",
    .more = "Label -1 means: no class. The order is that of torchvision's ImageFolder.\n"
            "Columns are separated by tabs when standard output is not a terminal. Paths\n"
            "are shown below the directory that was extracted, or in full when there is\n"
            "more than one such directory. --duplicates puts an empty line between groups.\n",
    .min_args = 1,
    .max_args = 1,
    .run = ls,
};
