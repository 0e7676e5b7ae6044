/* SPDX-License-Identifier: MIT */
#include "watch/dirs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

/*
 * A file counts when it is closed or moved here, not when it is created. IN_CREATE is wanted for
 * directories, and for links, which come without a close.
 */
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM | \
                IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)
#define BUCKETS 4096
#define USUAL_LIMIT 8192 /* the kernel's smallest default */

/* A directory has as many names as links lead to it, and one watch. */
struct node {
    struct node *next;
    int wd;
    size_t root;
    char path[];
};

struct firn_dirs {
    pthread_mutex_t mutex; /* one thread reads events while another walks */
    int fd;
    size_t watched, unwatched, limit;
    struct node *bucket[BUCKETS]; /* by wd */
};

static size_t half_of_system_limit(void)
{
    unsigned long n = USUAL_LIMIT;
    FILE *f = fopen("/proc/sys/fs/inotify/max_user_watches", "re");
    if (f && fscanf(f, "%lu", &n) != 1)
        n = USUAL_LIMIT;
    if (f)
        fclose(f);
    return n / 2;
}

int firn_dirs_create(struct firn_dirs **out, size_t limit, struct firn_error *err)
{
    struct firn_dirs *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t)
        return firn_fail_nomem(err, "the watched directories");
    t->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (t->fd < 0) {
        int error = errno;
        free(t);
        return firn_fail(err, FIRN_NOMEM, "inotify: %s%s", strerror(error), error == EMFILE ?
                         "; raise the limit (ulimit -n), or fs.inotify.max_user_instances "
                         "(sysctl)" : "");
    }
    pthread_mutex_init(&t->mutex, NULL);
    t->limit = limit ? limit : half_of_system_limit();
    *out = t;
    return 0;
}

void firn_dirs_destroy(struct firn_dirs *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct node *node = t->bucket[i], *next; node; node = next) {
            next = node->next;
            free(node);
        }
    close(t->fd);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

int firn_dirs_fd(const struct firn_dirs *t)
{
    return t->fd;
}

/* The first name of `wd` behind `node` (NULL: of all). */
static struct node *next_name(const struct firn_dirs *t, int wd, const struct node *node)
{
    struct node *next = node ? node->next : t->bucket[(unsigned)wd % BUCKETS];
    while (next && next->wd != wd)
        next = next->next;
    return next;
}

static void unlink_node(struct firn_dirs *t, struct node **at)
{
    struct node *node = *at;
    *at = node->next;
    if (!next_name(t, node->wd, NULL))
        t->watched--;
    free(node);
}

static enum firn_dirs_add refuse(struct firn_dirs *t, int wd)
{
    if (wd >= 0 && !next_name(t, wd, NULL))
        inotify_rm_watch(t->fd, wd);
    t->unwatched++;
    return FIRN_DIRS_UNWATCHED;
}

static enum firn_dirs_add add(struct firn_dirs *t, size_t root, const char *path)
{
    int wd = inotify_add_watch(t->fd, path, EVENTS);
    if (wd < 0 && errno != ENOSPC && errno != ENOMEM)
        return FIRN_DIRS_NEW; /* it is gone, or not ours to read: the walk will say so */
    const struct node *name = wd < 0 ? NULL : next_name(t, wd, NULL);
    bool is_new = !name;
    for (; name; name = next_name(t, wd, name))
        if (name->root == root && strcmp(name->path, path) == 0)
            return FIRN_DIRS_KNOWN;
    size_t size = strlen(path) + 1;
    struct node *node = wd >= 0 && (!is_new || t->watched < t->limit)
                            ? malloc(sizeof *node + size) : NULL;
    if (!node)
        return refuse(t, wd);
    struct node **bucket = &t->bucket[(unsigned)wd % BUCKETS];
    *node = (struct node){.next = *bucket, .wd = wd, .root = root};
    memcpy(node->path, path, size);
    *bucket = node;
    t->watched += is_new;
    return FIRN_DIRS_NEW;
}

enum firn_dirs_add firn_dirs_add(struct firn_dirs *t, size_t root, const char *path)
{
    pthread_mutex_lock(&t->mutex);
    enum firn_dirs_add added = add(t, root, path);
    pthread_mutex_unlock(&t->mutex);
    return added;
}

bool firn_dirs_find(struct firn_dirs *t, int wd, size_t i, size_t *root, char path[PATH_MAX])
{
    pthread_mutex_lock(&t->mutex);
    const struct node *name = next_name(t, wd, NULL);
    while (name && i-- > 0)
        name = next_name(t, wd, name);
    if (name) {
        *root = name->root;
        snprintf(path, PATH_MAX, "%s", name->path);
    }
    pthread_mutex_unlock(&t->mutex);
    return name != NULL;
}

void firn_dirs_forget(struct firn_dirs *t, int wd)
{
    pthread_mutex_lock(&t->mutex);
    for (struct node **at = &t->bucket[(unsigned)wd % BUCKETS]; *at;) {
        if ((*at)->wd == wd)
            unlink_node(t, at);
        else
            at = &(*at)->next;
    }
    pthread_mutex_unlock(&t->mutex);
}

void firn_dirs_remove(struct firn_dirs *t, const char *path)
{
    size_t n = strlen(path);
    pthread_mutex_lock(&t->mutex);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct node **at = &t->bucket[i]; *at;) {
            const char *p = (*at)->path;
            if (strncmp(p, path, n) == 0 && (p[n] == '/' || p[n] == '\0')) {
                int wd = (*at)->wd;
                unlink_node(t, at);
                if (!next_name(t, wd, NULL))
                    inotify_rm_watch(t->fd, wd);
            } else {
                at = &(*at)->next;
            }
        }
    pthread_mutex_unlock(&t->mutex);
}

void firn_dirs_recount(struct firn_dirs *t)
{
    pthread_mutex_lock(&t->mutex);
    t->unwatched = 0;
    pthread_mutex_unlock(&t->mutex);
}

void firn_dirs_count(struct firn_dirs *t, struct firn_dirs_counts *counts)
{
    pthread_mutex_lock(&t->mutex);
    *counts = (struct firn_dirs_counts){t->watched, t->unwatched, t->limit};
    pthread_mutex_unlock(&t->mutex);
}
