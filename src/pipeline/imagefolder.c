/* SPDX-License-Identifier: MIT */
/**
 * Depth first with one open directory at a time: a directory is read to its end, its
 * sub-directories go onto a stack, the topmost is next.
 *
 *     stack, growing ->   root* | a | b* | b/x | b/y*        (* entered)
 *
 * An entered directory stays below its children until they are done, so the entered ones on the
 * stack are exactly the ancestors of the topmost: that is where a symbolic link that leads back
 * is noticed, by device and inode. The stack is the only memory that grows with the input. What is
 * directly in a directory comes in windows, each in the order of the files on the disk.
 */
#include "pipeline/imagefolder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "pipeline/placement.h"

struct node {
    size_t parent;  /* length of the path that `name` is appended to */
    size_t name;    /* where its name begins in walk.names */
    bool entered;
    dev_t dev;      /* once entered */
    ino_t ino;
};

struct walk {
    const struct firn_imagefolder_events *events;
    bool deep; /* follow sub-directories */
    size_t below; /* where names relative to the root begin */
    struct node *nodes;
    size_t n, nodes_room;
    char *names;
    size_t used, names_room;
    char path[PATH_MAX];
    struct firn_placement *window; /* of the directory that is open */
    int shortage;                  /* errno of what ended the walk */
};

bool firn_is_photograph(const char *name)
{
    static const char endings[][6] = {".jpg", ".jpeg", ".png", ".ppm", ".bmp",
                                      ".pgm", ".tif",  ".tiff", ".webp"};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t k = strlen(endings[i]);
        if (n >= k && strcasecmp(name + n - k, endings[i]) == 0)
            return true;
    }
    return false;
}

static bool grow(void **p, size_t *room, size_t need, size_t size)
{
    if (need <= *room)
        return true;
    size_t more = *room ? *room * 2 : 256;
    while (more < need)
        more *= 2;
    void *q = realloc(*p, more * size);
    if (!q)
        return false;
    *p = q;
    *room = more;
    return true;
}

static bool push(struct walk *w, size_t parent, const char *name)
{
    size_t length = strlen(name) + 1;
    if (!grow((void **)&w->nodes, &w->nodes_room, w->n + 1, sizeof *w->nodes) ||
        !grow((void **)&w->names, &w->names_room, w->used + length, 1))
        return false;
    w->nodes[w->n++] = (struct node){.parent = parent, .name = w->used};
    memcpy(w->names + w->used, name, length);
    w->used += length;
    return true;
}

/* Appends a component to the path at `length`; the new length, or 0 when it is too long. */
static size_t append(struct walk *w, size_t length, const char *name)
{
    size_t n = strlen(name);
    bool slash = n && length && w->path[length - 1] != '/';
    if (length + slash + n >= sizeof w->path)
        return 0;
    if (slash)
        w->path[length++] = '/';
    memcpy(w->path + length, name, n + 1);
    return length + n;
}

static bool is_directory(DIR *dir, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static bool leads_back(const struct walk *w, const struct stat *st)
{
    for (size_t i = 0; i + 1 < w->n; i++)
        if (w->nodes[i].entered && w->nodes[i].dev == st->st_dev && w->nodes[i].ino == st->st_ino)
            return true;
    return false;
}

/* 0, 1 to end the walk, or -FIRN_NOMEM. */
static int visit_entry(struct walk *w, DIR *dir, const struct dirent *entry, size_t length)
{
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    bool photograph = firn_is_photograph(name);
    if (!photograph && !w->deep)
        return 0;
    if (is_directory(dir, entry))
        return !w->deep || push(w, length, name) ? 0 : -FIRN_NOMEM;
    if (!photograph)
        return 0;
    int status = 0;
    if (!append(w, length, name))
        w->events->unreadable(w->events->user, w->path, ENAMETOOLONG);
    else if (!w->events->file(w->events->user, w->path, w->below))
        status = 1;
    w->path[length] = '\0';
    return status;
}

/* The next entries of the directory, in the order that suits its disk; false at the end. */
static bool next_window(struct walk *w, DIR *dir)
{
    struct dirent *entry = NULL;
    struct firn_placement *p = w->window;
    errno = 0;
    for (p->n = 0; p->n < FIRN_PLACEMENT_WINDOW && (entry = readdir(dir)); p->n++)
        memcpy(&p->entry[p->n], entry, offsetof(struct dirent, d_name) + strlen(entry->d_name) + 1);
    if (!entry && p->n < FIRN_PLACEMENT_WINDOW && errno)
        w->events->unreadable(w->events->user, w->path, errno);
    firn_placement_order(p, dirfd(dir));
    return p->n > 0;
}

static int read_directory(struct walk *w, DIR *dir, size_t length)
{
    while (next_window(w, dir))
        for (size_t i = 0; i < w->window->n; i++) {
            int status = visit_entry(w, dir, &w->window->entry[w->window->order[i].i], length);
            if (status)
                return status;
        }
    return 0;
}

/* A directory is left out; a shortage would leave out many, and they would seem to be gone. */
static int fail_to_enter(struct walk *w, int error)
{
    if (!firn_is_shortage(error)) {
        w->events->unreadable(w->events->user, w->path, error);
        return 0;
    }
    w->shortage = error;
    return -FIRN_NOMEM;
}

/* Enters the topmost directory, whose path is complete. */
static int enter(struct walk *w, size_t length)
{
    struct stat st;
    DIR *dir = opendir(w->path);
    int status = 0, error = dir && fstat(dirfd(dir), &st) == 0 ? 0 : errno;
    if (error) {
        if (dir)
            closedir(dir);
        return fail_to_enter(w, error);
    }
    struct node *top = &w->nodes[w->n - 1];
    top->dev = st.st_dev;
    top->ino = st.st_ino;
    if (leads_back(w, &st))
        w->events->loop(w->events->user, w->path);
    else if (!w->events->enter || w->events->enter(w->events->user, w->path))
        status = read_directory(w, dir, length);
    closedir(dir);
    return status;
}

static int walk_on(struct walk *w)
{
    while (w->n) {
        struct node *top = &w->nodes[w->n - 1];
        if (top->entered) {
            w->used = top->name;
            w->n--;
            continue;
        }
        top->entered = true;
        w->path[top->parent] = '\0';
        size_t length = append(w, top->parent, w->names + top->name);
        if (!length) {
            w->events->unreadable(w->events->user, w->path, ENAMETOOLONG);
            continue;
        }
        int status = enter(w, length);
        if (status)
            return status;
    }
    return 0;
}

/* What is above the first directory: a link back to it is a loop, too. */
static bool push_ancestor(struct walk *w, size_t parent, const char *name)
{
    struct stat st;
    if (!push(w, parent, name))
        return false;
    struct node *node = &w->nodes[w->n - 1];
    node->entered = true;
    if (append(w, parent, name) && stat(w->path, &st) == 0) {
        node->dev = st.st_dev;
        node->ino = st.st_ino;
    }
    return true;
}

/* The root, each directory on the way, and the one to begin with, which alone is to be entered. */
static bool seed(struct walk *w, const char *root, const char *first)
{
    char name[NAME_MAX + 1];
    size_t length = strlen(root);
    if (!first)
        return push(w, 0, root);
    if (!push_ancestor(w, 0, root))
        return false;
    for (const char *slash; (slash = strchr(first, '/')); first = slash + 1) {
        if (snprintf(name, sizeof name, "%.*s", (int)(slash - first), first) >= (int)sizeof name)
            return true; /* no such name: nothing to enter */
        if (!push_ancestor(w, length, name))
            return false;
        length = strlen(w->path);
    }
    return push(w, length, first);
}

int firn_imagefolder_walk(const char *root, const char *class_name,
                          const struct firn_imagefolder_events *events, struct firn_error *err)
{
    struct walk w = {.events = events, .deep = class_name != NULL};
    size_t length = append(&w, 0, root);
    if (!length)
        return firn_fail(err, FIRN_NOINPUT, "%s: %s", root, strerror(ENAMETOOLONG));
    w.below = w.path[length - 1] == '/' ? length : length + 1;
    w.window = malloc(sizeof *w.window);
    int status = w.window && seed(&w, root, class_name) ? walk_on(&w) : -FIRN_NOMEM;
    free(w.window);
    free(w.nodes);
    free(w.names);
    errno = w.shortage;
    return status != -FIRN_NOMEM ? 0
           : w.shortage          ? firn_fail_errno(err, FIRN_NOMEM, w.path)
                                 : firn_fail_nomem(err, "the walk through a directory");
}
