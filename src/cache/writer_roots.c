/* SPDX-License-Identifier: MIT */
/** The roots and classes of a cache that is written. */
#include "base/error.h"
#include "cache/writer_state.h"

static bool same_classes(const struct firn_root *root, const char *const *classes, size_t n)
{
    if (root->n_classes != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(root->classes[i], classes[i]) != 0)
            return false;
    return true;
}

static int declare(struct firn_writer *w, uint32_t id, const char *path,
                   const char *const *classes, size_t n)
{
    struct firn_buffer bytes = {0};
    struct firn_root root;
    uint32_t again, *p = realloc(w->pending.root, (w->pending.n_root + 1) * sizeof *p);
    if (!p)
        return -1;
    w->pending.root = p;
    firn_root_put(&bytes, id, path, classes, n);
    int result = bytes.failed || bytes.size > FIRN_MAX_RAW ||
                         firn_root_get(bytes.data, bytes.size, &again, &root) != 0
                     ? -1
                     : firn_index_root(&w->loaded.index, id, &root);
    free(bytes.data);
    for (size_t i = 0; i < w->pending.n_root; i++)
        if (p[i] == id)
            return result; /* its newest form is written anyway */
    if (result == 0)
        p[w->pending.n_root++] = id;
    return result;
}

/* n_root when it is not there. */
static uint32_t find_root(const struct firn_index *index, const char *root)
{
    uint32_t i = 0;
    while (i < index->n_root && (!index->root[i].path || strcmp(index->root[i].path, root) != 0))
        i++;
    return i;
}

bool firn_writer_knows_root(struct firn_writer *w, const char *root, uint32_t *id)
{
    pthread_mutex_lock(&w->mutex);
    *id = find_root(&w->loaded.index, root);
    bool known = *id < w->loaded.index.n_root;
    pthread_mutex_unlock(&w->mutex);
    return known;
}

const char *firn_writer_root_path(struct firn_writer *w, uint32_t i)
{
    const struct firn_index *index = &w->loaded.index;
    const char *path = NULL;
    pthread_mutex_lock(&w->mutex);
    if (i < index->n_root)
        path = index->root[i].path ? index->root[i].path : "";
    pthread_mutex_unlock(&w->mutex);
    return path;
}

size_t firn_writer_root_count(struct firn_writer *w, uint32_t root)
{
    const struct firn_index *index = &w->loaded.index;
    size_t n = 0;
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < index->n_entry; i++)
        n += index->entry[i].root == root && index->entry[i].state != FIRN_GONE;
    pthread_mutex_unlock(&w->mutex);
    return n;
}

bool firn_writer_is_flat(struct firn_writer *w, uint32_t root)
{
    const struct firn_index *index = &w->loaded.index;
    bool flat = false;
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < index->n_entry && !flat; i++)
        flat = index->entry[i].root == root && index->entry[i].state != FIRN_GONE &&
               !strchr(index->entry[i].name, '/');
    pthread_mutex_unlock(&w->mutex);
    return flat;
}

/* Merges two sorted lists. */
static size_t renumbers(const struct firn_root *old, const char *const *classes, size_t n,
                        size_t *which, size_t *was)
{
    size_t found = 0;
    for (size_t i = 0, k = 0; i < old->n_classes && k < n;) {
        int order = strcmp(old->classes[i], classes[k]);
        if (order == 0 && i != k && found++ == 0) {
            *which = k;
            *was = i;
        }
        i += order <= 0;
        k += order >= 0;
    }
    return found;
}

size_t firn_writer_renumbers(struct firn_writer *w, const char *root, const char *const *classes,
                             size_t n_classes, size_t *which, size_t *was)
{
    const struct firn_index *index = &w->loaded.index;
    pthread_mutex_lock(&w->mutex);
    uint32_t i = find_root(index, root);
    size_t n = i < index->n_root ? renumbers(index->root + i, classes, n_classes, which, was) : 0;
    pthread_mutex_unlock(&w->mutex);
    return n;
}

int firn_writer_root(struct firn_writer *w, const char *root, const char *const *classes,
                     size_t n_classes, uint32_t *id, struct firn_error *err)
{
    for (size_t i = 0; i < n_classes; i++)
        if (!*classes[i] || strchr(classes[i], '/') ||
            (i > 0 && strcmp(classes[i - 1], classes[i]) >= 0))
            return firn_fail(err, FIRN_USAGE, "%s: class names are not sorted names", root);
    if (*root && *root != '/')
        return firn_fail(err, FIRN_USAGE, "%s: a root is an absolute path", root);
    pthread_mutex_lock(&w->mutex);
    const struct firn_index *index = &w->loaded.index;
    uint32_t i = find_root(index, root);
    int result = 0;
    *id = i;
    if (i == index->n_root || !same_classes(index->root + i, classes, n_classes))
        if (declare(w, i, root, classes, n_classes) != 0)
            result = firn_fail_nomem(err, "a root");
    pthread_mutex_unlock(&w->mutex);
    return result;
}
