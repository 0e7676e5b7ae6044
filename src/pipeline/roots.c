/* SPDX-License-Identifier: MIT */
#include "pipeline/roots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "pipeline/imagefolder.h"

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Appends a copy of `text` to a list that has room for 2^k entries. */
static bool append(char ***list, size_t *n, const char *text)
{
    if ((*n & (*n - 1)) == 0) {
        char **more = realloc(*list, (*n ? *n * 2 : 1) * sizeof **list);
        if (!more)
            return false;
        *list = more;
    }
    (*list)[*n] = strdup(text);
    return (*list)[*n] && ++*n;
}

static void clear_list(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

static int list_entry(struct firn_scan_root *root, DIR *dir, const struct dirent *entry,
                      struct firn_error *err)
{
    struct stat st;
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (fstatat(dirfd(dir), name, &st, 0) == 0 && S_ISDIR(st.st_mode)) {
        if (!append(&root->classes, &root->n_classes, name))
            return firn_fail_nomem(err, "the names of classes");
    } else if (firn_is_photograph(name)) {
        root->ignored++;
    }
    return 0;
}

static int list_classes(struct firn_scan_root *root, struct firn_error *err)
{
    DIR *dir = opendir(root->path);
    if (!dir)
        return firn_fail_errno(err, FIRN_NOINPUT, root->path);
    int status = 0;
    struct dirent *entry;
    while (!status && (errno = 0, entry = readdir(dir)))
        status = list_entry(root, dir, entry, err);
    if (!status && errno)
        status = firn_fail_errno(err, FIRN_NOINPUT, root->path);
    closedir(dir);
    root->empty = root->n_classes == 0 && root->ignored == 0;
    if (root->n_classes)
        qsort(root->classes, root->n_classes, sizeof *root->classes, by_bytes);
    else
        root->ignored = 0; /* no classes, so nothing stands beside them */
    return status;
}

static int add_directory(struct firn_roots *roots, const char *path, struct firn_error *err)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return firn_fail_errno(err, FIRN_NOINPUT, path);
    for (size_t i = 0; i < roots->n; i++)
        if (strcmp(roots->root[i].path, real) == 0)
            return 0;
    struct firn_scan_root *root = &roots->root[roots->n];
    *root = (struct firn_scan_root){.path = strdup(real)};
    if (!root->path)
        return firn_fail_nomem(err, "the names of directories");
    roots->n++;
    return list_classes(root, err);
}

static int add_path(struct firn_roots *roots, const char *path, struct firn_error *err)
{
    struct stat st;
    char name[PATH_MAX];
    if (stat(path, &st) != 0)
        return firn_fail_errno(err, FIRN_NOINPUT, path);
    if (S_ISDIR(st.st_mode))
        return add_directory(roots, path, err);
    if (!firn_absolute(path, name))
        return firn_fail(err, FIRN_NOINPUT, "%s: %s", path, strerror(ENAMETOOLONG));
    if (!append(&roots->file, &roots->n_files, name))
        return firn_fail_nomem(err, "the names of files");
    return 0;
}

static bool lies_inside(const char *path, const char *root)
{
    size_t n = strlen(root);
    return strncmp(path, root, n) == 0 && (path[n] == '/' || n == 1);
}

/* Its photographs would be there twice, of two classes. */
static int refuse_nested(const struct firn_roots *roots, struct firn_error *err)
{
    for (size_t i = 0; i < roots->n; i++)
        for (size_t k = 0; k < roots->n; k++)
            if (i != k && lies_inside(roots->root[i].path, roots->root[k].path))
                return firn_fail(err, FIRN_USAGE, "%s: lies inside %s, which is walked as well; "
                                 "name one of them", roots->root[i].path, roots->root[k].path);
    return 0;
}

/* The same file by several names, such as a.jpg and ./a.jpg, is one photograph. */
static void drop_repeated(struct firn_roots *roots)
{
    size_t kept = 0;
    if (roots->n_files)
        qsort(roots->file, roots->n_files, sizeof *roots->file, by_bytes);
    for (size_t i = 0; i < roots->n_files; i++) {
        if (kept && strcmp(roots->file[kept - 1], roots->file[i]) == 0)
            free(roots->file[i]);
        else
            roots->file[kept++] = roots->file[i];
    }
    roots->n_files = kept;
}

int firn_roots_resolve(struct firn_roots *roots, const char *const *paths, size_t n,
                       struct firn_error *err)
{
    *roots = (struct firn_roots){.root = calloc(n ? n : 1, sizeof *roots->root)};
    if (!roots->root)
        return firn_fail_nomem(err, "the names of directories");
    int status = 0;
    for (size_t i = 0; i < n && !status; i++)
        status = add_path(roots, paths[i], err);
    drop_repeated(roots);
    return status ? status : refuse_nested(roots, err);
}

int firn_root_list(struct firn_scan_root *fresh, const struct firn_scan_root *root,
                   struct firn_error *err)
{
    *fresh = (struct firn_scan_root){.path = strdup(root->path), .id = root->id};
    return fresh->path ? list_classes(fresh, err) : firn_fail_nomem(err, "the name of a root");
}

void firn_root_clear(struct firn_scan_root *root)
{
    clear_list(root->classes, root->n_classes);
    free(root->path);
    *root = (struct firn_scan_root){0};
}

void firn_roots_clear(struct firn_roots *roots)
{
    for (size_t i = 0; i < roots->n; i++)
        firn_root_clear(&roots->root[i]);
    clear_list(roots->file, roots->n_files);
    free(roots->root);
    *roots = (struct firn_roots){0};
}

bool firn_absolute(const char *path, char out[PATH_MAX])
{
    char directory[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof directory)
        return false;
    memcpy(directory, path, length);
    directory[length] = '\0';
    if (!realpath(length ? directory : slash ? "/" : ".", real)) {
        /* Its directory is not there: the name as given says best what is missing. */
        if (path[0] == '/' || !getcwd(real, sizeof real))
            return snprintf(out, PATH_MAX, "%s", path) < PATH_MAX;
        return snprintf(out, PATH_MAX, "%s/%s", real, path) < PATH_MAX;
    }
    const char *name = slash ? slash + 1 : path;
    return snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") ? real : "", name) < PATH_MAX;
}

int firn_roots_refuse(const struct firn_roots *roots, const char *cache, struct firn_error *err)
{
    char given[PATH_MAX], real[PATH_MAX];
    size_t n = strlen(cache);
    while (n > 1 && cache[n - 1] == '/')
        n--;
    snprintf(given, sizeof given, "%.*s", (int)n, cache);
    if (!realpath(given, real) && !firn_absolute(given, real))
        return firn_fail(err, FIRN_CANTCREATE, "%s: the name is too long", cache);
    for (size_t i = 0; i < roots->n; i++) {
        const char *root = roots->root[i].path;
        size_t k = strlen(root);
        if (strncmp(real, root, k) == 0 && (real[k] == '/' || real[k] == '\0' || k == 1))
            return firn_fail(err, FIRN_USAGE,
                             "%s: lies inside %s, where it would be taken for a class of "
                             "photographs; put the cache elsewhere", cache, root);
    }
    return 0;
}

int firn_fail_empty(const char *path, const char *list, struct firn_error *err)
{
    if (!path)
        return firn_fail(err, FIRN_NOINPUT, "%s: no names are in this list", list);
    return firn_fail(err, FIRN_NOINPUT, "%s: no photographs found; a directory with files or "
                     "sub-directories of .jpg is wanted", path);
}
