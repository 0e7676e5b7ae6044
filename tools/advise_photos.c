/* SPDX-License-Identifier: MIT */
#include "advise_photos.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firn/cache.h"
#include "firn/probe.h"
#include "output.h"
#include "photo.h"
#include "scratch.h"

#define DEPTH 32 /* of directories; deeper ones are a loop of links */

/** "a/b", malloc'ed; NULL when memory is out, with `err` filled. */
static char *join(const char *a, const char *b, struct firn_error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", a, b) < 0) {
        firn_output_fail(err, FIRN_NOMEM, "out of memory");
        return NULL;
    }
    return path;
}

/** What is done with a file at `path`, called `name` below the directory where the walk began. */
typedef int visit_fn(void *user, const char *path, const char *name, struct firn_error *err);

static int no_dots(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int walk(const char *path, const char *name, int depth, visit_fn *visit, void *user,
                struct firn_error *err);

static int visit_entry(const char *dir, const char *below, const char *entry, int depth,
                       visit_fn *visit, void *user, struct firn_error *err)
{
    struct stat st;
    char *path = join(dir, entry, err);
    char *name = path ? *below ? join(below, entry, err) : strdup(entry) : NULL;
    int result = name ? 0 : firn_output_fail(err, FIRN_NOMEM, "out of memory");
    if (result == 0 && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            result = depth < DEPTH ? walk(path, name, depth + 1, visit, user, err) : 0;
        else if (S_ISREG(st.st_mode))
            result = visit(user, path, name, err);
    }
    free(path);
    free(name);
    return result;
}

/** Visits all files, those of a directory sorted by name. */
static int walk(const char *path, const char *name, int depth, visit_fn *visit, void *user,
                struct firn_error *err)
{
    struct dirent **entries;
    int n = scandir(path, &entries, no_dots, alphasort), result = 0;
    if (n < 0)
        return firn_output_fail(err, FIRN_NOINPUT, "%s: cannot read: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (result == 0)
            result = visit_entry(path, name, entries[i]->d_name, depth, visit, user, err);
        free(entries[i]);
    }
    free(entries);
    return result;
}

int firn_advise_classes(const char *dir, int least, struct firn_error *err)
{
    struct dirent **entries;
    struct stat st;
    int n = scandir(dir, &entries, no_dots, NULL), classes = 0;
    if (n < 0)
        return firn_output_fail(err, FIRN_NOINPUT, "%s: cannot read: %s", dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        char *path = join(dir, entries[i]->d_name, err);
        classes += path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return classes >= least ? 0 : firn_output_fail(err, FIRN_NOINPUT, "%s: has %s; one "
                                                   "sub-directory a class is wanted", dir,
                                                   classes ? "one class only" : "no classes");
}

static int count_file(void *user, const char *path, const char *name, struct firn_error *err)
{
    (void)path;
    (void)name;
    (void)err;
    ++*(size_t *)user;
    return 0;
}

int firn_advise_count(const char *dir, size_t *n, struct firn_error *err)
{
    *n = 0;
    return walk(dir, "", 0, count_file, n, err);
}

/** Links `to`/`name` to the file at `path`; a link that is there already is fine. */
static int link_file(const char *to, const char *name, const char *path, struct firn_error *err)
{
    char *real = realpath(path, NULL), *link = join(to, name, err), *slash;
    int result = 0;
    if (!real || !link) {
        result = firn_output_fail(err, FIRN_NOINPUT, "%s: %s", path, strerror(errno));
    } else if ((slash = strrchr(link, '/'))) {
        *slash = '\0';
        result = firn_scratch_mkdir(link, err);
        *slash = '/';
        if (result == 0 && symlink(real, link) && errno != EEXIST)
            result = firn_output_fail(err, FIRN_CANTCREATE, "%s: cannot create: %s", link,
                                      strerror(errno));
    }
    free(real);
    free(link);
    return result;
}

struct sampling {
    const char *to;
    double part, sum; /* the file at which the sum of parts passes a whole number is taken */
};

static int sample_file(void *user, const char *path, const char *name, struct firn_error *err)
{
    struct sampling *s = user;
    double before = s->sum;
    s->sum += s->part;
    return (long)s->sum > (long)before ? link_file(s->to, name, path, err) : 0;
}

int firn_advise_sample(const char *from, const char *to, double part, struct firn_error *err)
{
    struct sampling s = {to, part, 0.5};
    int result = firn_scratch_mkdir(to, err);
    return result ? result : walk(from, "", 0, sample_file, &s, err);
}

int firn_advise_split(const char *name, int percent, const char *train, const char *val,
                      struct firn_error *err)
{
    struct firn_cache *cache;
    int result = firn_cache_open(&cache, name, err);
    if (result)
        return result;
    for (size_t i = 0; i < firn_cache_count(cache) && result == 0; i++) {
        struct firn_photo photo;
        firn_cache_photo(cache, i, &photo);
        if (photo.state != FIRN_DONE)
            continue;
        char *path = firn_photo_path(&photo);
        const char *to = firn_probe_holds_out(photo.content, percent) ? val : train;
        result = path ? link_file(to, photo.name, path, err)
                      : firn_output_fail(err, FIRN_NOMEM, "out of memory");
        free(path);
    }
    firn_cache_close(cache);
    return result;
}
