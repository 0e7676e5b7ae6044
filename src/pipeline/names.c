/* SPDX-License-Identifier: MIT */
#include "pipeline/names.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "pipeline/roots.h"

struct firn_names {
    const char *list;
    char end;              /* of a name */
    int fd;
    int ahead;             /* the answer that was peeked at, or FIRN_NAMES_END */
    char path[PATH_MAX];   /* ... and its path */
    size_t length;         /* of the name being collected */
    char name[PATH_MAX + 1]; /* with a carriage return behind it */
    size_t at, filled;     /* in the chunk */
    char chunk[64 * 1024];
};

int firn_names_open(struct firn_names **out, const char *list, bool zero, struct firn_error *err)
{
    struct stat st;
    struct firn_names *n = calloc(1, sizeof *n);
    *out = n;
    if (!n)
        return firn_fail_nomem(err, "a list of names");
    n->list = list;
    n->end = zero ? '\0' : '\n';
    /* A FIFO is opened at once: who writes to it is waited for in fill(). */
    n->fd = strcmp(list, "-") == 0 ? STDIN_FILENO : open(list, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int status = 0;
    if (n->fd < 0 || fstat(n->fd, &st) != 0)
        status = firn_fail_errno(err, FIRN_NOINPUT, list);
    else if (S_ISDIR(st.st_mode))
        status = firn_fail(err, FIRN_NOINPUT, "%s: is a directory, not a list of files", list);
    if (status) {
        firn_names_close(n);
        *out = NULL;
    }
    return status;
}

void firn_names_close(struct firn_names *n)
{
    if (n && n->fd > STDIN_FILENO)
        close(n->fd);
    free(n);
}

/* False: there is no more, or (*failed) no reading. */
static bool fill(struct firn_names *n, firn_names_stopped *stopped, void *user, bool *failed)
{
    struct pollfd wait = {.fd = n->fd, .events = POLLIN};
    *failed = false;
    while (!stopped(user)) {
        int ready = poll(&wait, 1, 100);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        ssize_t got = read(n->fd, n->chunk, sizeof n->chunk);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        *failed = got < 0;
        n->at = 0;
        n->filled = got > 0 ? (size_t)got : 0;
        return got > 0;
    }
    n->length = 0; /* half a name is none */
    return false;
}

/* A whole name has been collected, or none. */
static int finish(struct firn_names *n, char path[PATH_MAX])
{
    size_t length = n->length;
    if (n->end == '\n' && length > 0 && length < sizeof n->name && n->name[length - 1] == '\r')
        length--; /* of a list that came from Windows */
    n->length = 0;
    if (length == 0)
        return FIRN_NAMES_END;
    n->name[length < PATH_MAX ? length : PATH_MAX - 1] = '\0';
    if (length < PATH_MAX && firn_absolute(n->name, path))
        return FIRN_NAMES_ONE;
    memcpy(path, n->name, PATH_MAX);
    return FIRN_NAMES_LONG;
}

static int read_name(struct firn_names *n, firn_names_stopped *stopped, void *user,
                     char path[PATH_MAX], struct firn_error *err)
{
    bool failed;
    int name;
    do {
        while (n->at < n->filled) {
            char c = n->chunk[n->at++];
            if (c == n->end && (name = finish(n, path)) != FIRN_NAMES_END)
                return name;
            if (c == '\0' && c != n->end)
                return firn_fail(err, FIRN_USAGE, "%s: a NUL byte is in this list of lines; names "
                                 "that end in NUL, as of find -print0, are taken with -0", n->list);
            if (c != n->end && n->length < sizeof n->name)
                n->name[n->length++] = c; /* full: too long, the rest is of no interest */
        }
    } while (fill(n, stopped, user, &failed));
    if (failed)
        return firn_fail_errno(err, FIRN_IO, n->list);
    return finish(n, path);
}

int firn_names_next(struct firn_names *n, firn_names_stopped *stopped, void *user,
                    char path[PATH_MAX], struct firn_error *err)
{
    int ahead = n->ahead;
    if (ahead == FIRN_NAMES_END)
        return read_name(n, stopped, user, path, err);
    memcpy(path, n->path, PATH_MAX);
    n->ahead = FIRN_NAMES_END;
    return ahead;
}

int firn_names_peek(struct firn_names *n, firn_names_stopped *stopped, void *user,
                    struct firn_error *err)
{
    if (n->ahead == FIRN_NAMES_END) {
        int status = read_name(n, stopped, user, n->path, err);
        if (status < 0)
            return status;
        n->ahead = status;
    }
    return n->ahead;
}
