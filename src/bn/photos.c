/* SPDX-License-Identifier: MIT */
#include "bn/photos.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/thread.h"
#include "cache/order.h"
#include "pipeline/imagefolder.h"
#include "pipeline/names.h"

static bool append(struct firn_bn_photos *l, const char *path, size_t name, size_t root, int label)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 256;
        void *more = realloc(l->photo, room * sizeof *l->photo);
        if (!more)
            return false;
        l->photo = more;
        l->room = room;
    }
    char *copy = strdup(path);
    if (!copy)
        return false;
    l->photo[l->n++] = (struct firn_bn_photo){.path = copy, .name = name, .root = root,
                                              .label = label};
    return true;
}

/* ---- the walk ---- */

struct walk {
    struct firn_bn_photos *list;
    size_t root;
    int label;
    bool full; /* memory is out */
};

static bool on_file(void *user, const char *path, size_t name)
{
    struct walk *w = user;
    w->full = !append(w->list, path, name, w->root, w->label);
    return !w->full;
}

static void on_unreadable(void *user, const char *path, int error)
{
    struct walk *w = user;
    char reason[256];
    snprintf(reason, sizeof reason, "this directory cannot be read: %s; its photographs are "
             "missing", strerror(error));
    if (w->list->on_failure)
        w->list->on_failure(w->list->user, path, FIRN_SKIPPED, reason);
}

static void on_loop(void *user, const char *path)
{
    (void)user, (void)path; /* its target is walked where it stands */
}

/* The names of the classes of all roots, sorted, each once: a class's label is its place there. */
struct classes {
    const char **name; /* of the roots */
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int list_classes(struct classes *c, const struct firn_roots *roots, struct firn_error *err)
{
    size_t all = 0, kept = 0;
    for (size_t r = 0; r < roots->n; r++)
        all += roots->root[r].n_classes;
    *c = (struct classes){.name = calloc(all + 1, sizeof *c->name)};
    if (!c->name)
        return firn_fail_nomem(err, "the names of classes");
    for (size_t r = 0; r < roots->n; r++)
        for (size_t i = 0; i < roots->root[r].n_classes; i++)
            c->name[c->n++] = roots->root[r].classes[i];
    qsort(c->name, c->n, sizeof *c->name, by_name);
    for (size_t i = 0; i < c->n; i++)
        if (kept == 0 || strcmp(c->name[kept - 1], c->name[i]) != 0)
            c->name[kept++] = c->name[i];
    c->n = kept;
    return 0;
}

static int label_of(const struct classes *c, const char *name)
{
    const char **at = bsearch(&name, c->name, c->n, sizeof *c->name, by_name);
    return (int)(at - c->name);
}

static int walk_root(struct firn_bn_photos *l, size_t r, const struct classes *classes,
                     struct firn_error *err)
{
    const struct firn_scan_root *root = &l->roots.root[r];
    struct walk w = {.list = l, .root = r, .label = -1};
    const struct firn_imagefolder_events events = {
        .user = &w, .file = on_file, .unreadable = on_unreadable, .loop = on_loop};
    int status = 0;
    if (root->n_classes == 0)
        status = firn_imagefolder_walk(root->path, NULL, &events, err);
    for (size_t i = 0; i < root->n_classes && !status; i++) {
        w.label = label_of(classes, root->classes[i]);
        status = firn_imagefolder_walk(root->path, root->classes[i], &events, err);
    }
    return !status && w.full ? firn_fail_nomem(err, "the list of photographs") : status;
}

/* ---- names ---- */

static int add_path(struct firn_bn_photos *l, const char *path, struct firn_error *err)
{
    return append(l, path, 0, l->roots.n, -1) ? 0 : firn_fail_nomem(err, "the list of photographs");
}

static bool is_stopped(void *list)
{
    return firn_is_set(((struct firn_bn_photos *)list)->stop);
}

static int read_list(struct firn_bn_photos *l, const char *list, bool zero,
                     struct firn_error *err)
{
    struct firn_names *names;
    char path[PATH_MAX];
    int status = firn_names_open(&names, list, zero, err), next = 0;
    while (!status && (next = firn_names_next(names, is_stopped, l, path, err)) > 0) {
        status = add_path(l, path, err);
        if (!status && next == FIRN_NAMES_LONG) {
            l->photo[l->n - 1].cut = true;
            firn_bn_photo_fail(&l->photo[l->n - 1], FIRN_SKIPPED, strerror(ENAMETOOLONG));
        }
    }
    firn_names_close(names);
    if (!status && next == FIRN_NAMES_END && is_stopped(l))
        return firn_fail(err, FIRN_INTERRUPTED, "stopped");
    return status ? status : next;
}

/* ---- order ---- */

static int by_place(const void *a, const void *b)
{
    const struct firn_bn_photo *x = a, *y = b;
    const char *p = x->path + x->name, *q = y->path + y->name;
    const char *ps = strrchr(p, '/'), *qs = strrchr(q, '/');
    size_t pd = ps ? (size_t)(ps - p) : 0, qd = qs ? (size_t)(qs - q) : 0;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    if (x->root != y->root)
        return x->root < y->root ? -1 : 1;
    int c = firn_compare_text(p, pd, q, qd);
    return c ? c : firn_compare_text(p + pd, strlen(p + pd), q + qd, strlen(q + qd));
}

static int by_rank(const void *a, const void *b)
{
    const struct firn_bn_photo *x = a, *y = b;
    if (!x->state != !y->state)
        return x->state ? 1 : -1;
    int c = memcmp(x->rank, y->rank, sizeof x->rank);
    return c ? c : strcmp(x->path, y->path);
}

void firn_bn_photos_shuffle(struct firn_bn_photos *l, uint64_t seed)
{
    for (size_t i = 0; i < l->n; i++) {
        uint8_t keyed[8 + sizeof l->photo->content];
        for (int k = 0; k < 8; k++)
            keyed[k] = (uint8_t)(seed >> 8 * k);
        memcpy(keyed + 8, l->photo[i].content, sizeof l->photo->content);
        firn_hash(keyed, sizeof keyed, l->photo[i].rank);
    }
    if (l->n)
        qsort(l->photo, l->n, sizeof *l->photo, by_rank);
}

static void forget(struct firn_bn_photo *photo)
{
    free(photo->path);
    free(photo->reason);
}

void firn_bn_photos_unite(struct firn_bn_photos *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++)
        if (kept && !l->photo[i].state && !l->photo[kept - 1].state &&
            memcmp(l->photo[i].content, l->photo[kept - 1].content, 32) == 0)
            forget(&l->photo[i]);
        else
            l->photo[kept++] = l->photo[i];
    l->n = kept;
}

static int count_classes(const struct firn_bn_photos *l)
{
    int n = 0;
    for (size_t i = 0; i < l->n; i++) /* sorted by label */
        n += l->photo[i].label >= 0 && (i == 0 || l->photo[i].label != l->photo[i - 1].label);
    return n;
}

int firn_bn_photos_list(struct firn_bn_photos *l, const char *const *paths, size_t n,
                        const char *files_from, bool zero, struct firn_error *err)
{
    struct classes classes = {0};
    int status = firn_roots_resolve(&l->roots, paths, n, err);
    if (!status)
        status = list_classes(&classes, &l->roots, err);
    for (size_t r = 0; !status && r < l->roots.n; r++)
        status = walk_root(l, r, &classes, err);
    free(classes.name);
    if (!status && l->n)
        qsort(l->photo, l->n, sizeof *l->photo, by_place);
    l->classes = count_classes(l);
    for (size_t i = 0; !status && i < l->roots.n_files; i++)
        status = add_path(l, l->roots.file[i], err);
    if (!status && files_from)
        status = read_list(l, files_from, zero, err);
    return status || l->n ? status : firn_fail_empty(n ? paths[0] : NULL, files_from, err);
}

void firn_bn_photos_clear(struct firn_bn_photos *l)
{
    for (size_t i = 0; i < l->n; i++)
        forget(&l->photo[i]);
    free(l->photo);
    firn_roots_clear(&l->roots);
    *l = (struct firn_bn_photos){0};
}

void firn_bn_set_add(uint64_t set[4], const uint8_t content[32])
{
    unsigned __int128 carry = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t word;
        memcpy(&word, content + 8 * i, 8);
        carry += (unsigned __int128)set[i] + word;
        set[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

void firn_bn_photo_fail(struct firn_bn_photo *photo, enum firn_state state, const char *reason)
{
    if (photo->state)
        return;
    photo->state = (int)state;
    photo->reason = strdup(reason);
}

void firn_bn_photos_report(struct firn_bn_photos *l, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        struct firn_bn_photo *p = &l->photo[i];
        if (p->reason && l->on_failure)
            l->on_failure(l->user, p->path, (enum firn_state)p->state, p->reason);
        free(p->reason);
        p->reason = NULL;
    }
}
