/* SPDX-License-Identifier: MIT */
#include "watch/settle.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"

#define MOST_NS 2000000000
#define AGAIN_NS 100000000 /* when nobody could take a settled file */

/* What tells one state of a file from the next one. */
struct signature {
    off_t size;
    ino_t ino;
    struct timespec mtime, ctime;
};

struct waiting {
    uint64_t hash; /* of path */
    size_t root, name;
    char *path;
    struct signature seen;
    int64_t due, wait;
};

struct firn_settle {
    int64_t wait_ns;
    size_t n, limit;
    struct waiting file[];
};

int firn_settle_create(struct firn_settle **out, size_t limit, int64_t wait_ns,
                       struct firn_error *err)
{
    struct firn_settle *s = calloc(1, sizeof *s + limit * sizeof s->file[0]);
    *out = s;
    if (!s)
        return firn_fail_nomem(err, "the list of new files");
    s->limit = limit;
    s->wait_ns = wait_ns;
    return 0;
}

void firn_settle_destroy(struct firn_settle *s)
{
    for (size_t i = 0; s && i < s->n; i++)
        free(s->file[i].path);
    free(s);
}

/* FNV-1a: only to tell most paths apart quickly. */
static uint64_t hash_of(const char *path)
{
    uint64_t h = 0xcbf29ce484222325;
    for (; *path; path++)
        h = (h ^ (uint8_t)*path) * 0x100000001b3;
    return h;
}

static struct waiting *find(const struct firn_settle *s, const char *path)
{
    uint64_t hash = hash_of(path);
    for (size_t i = 0; i < s->n; i++)
        if (s->file[i].hash == hash && strcmp(s->file[i].path, path) == 0)
            return (struct waiting *)&s->file[i];
    return NULL;
}

static void forget(struct firn_settle *s, struct waiting *file)
{
    free(file->path);
    *file = s->file[--s->n];
}

/* False when there is nothing to wait for. An empty file is one that somebody begins. */
static bool look(const char *path, struct signature *seen)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return false;
    memset(seen, 0, sizeof *seen);
    seen->size = st.st_size;
    seen->ino = st.st_ino;
    seen->mtime = st.st_mtim;
    seen->ctime = st.st_ctim;
    return true;
}

bool firn_settle_note(struct firn_settle *s, size_t root, const char *path, size_t name,
                      int64_t now_ns)
{
    struct signature seen;
    struct waiting *file = find(s, path);
    if (!look(path, &seen)) {
        if (file)
            forget(s, file);
        return true;
    }
    if (!file) {
        char *copy = s->n < s->limit ? strdup(path) : NULL;
        if (!copy)
            return false;
        file = &s->file[s->n++];
        *file = (struct waiting){.hash = hash_of(path), .root = root, .name = name, .path = copy};
    }
    file->seen = seen;
    file->wait = s->wait_ns;
    file->due = now_ns + s->wait_ns;
    return true;
}

bool firn_settle_has(const struct firn_settle *s, const char *path)
{
    return find(s, path) != NULL;
}

int64_t firn_settle_due(const struct firn_settle *s)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < s->n; i++)
        due = s->file[i].due < due ? s->file[i].due : due;
    return due;
}

void firn_settle_step(struct firn_settle *s, int64_t now_ns, firn_settled_fn *ready, void *user)
{
    for (size_t i = 0; i < s->n;) {
        struct waiting *file = &s->file[i];
        struct signature seen;
        if (file->due > now_ns) {
            i++;
        } else if (!look(file->path, &seen)) {
            forget(s, file);
        } else if (memcmp(&seen, &file->seen, sizeof seen) != 0) {
            file->seen = seen;
            file->wait = 2 * file->wait < MOST_NS ? 2 * file->wait : MOST_NS;
            file->due = now_ns + file->wait;
            i++;
        } else if (ready(user, file->root, file->path, file->name)) {
            forget(s, file);
        } else {
            file->due = now_ns + AGAIN_NS;
            i++;
        }
    }
}

size_t firn_settle_count(const struct firn_settle *s)
{
    return s->n;
}
