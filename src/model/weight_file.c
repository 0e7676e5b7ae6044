/* SPDX-License-Identifier: MIT */
#include "model/weight_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

int firn_weight_file_open(struct firn_weight_file *file, const char *path, struct firn_error *err)
{
    file->path = path;
    /* Not blocking: a FIFO without a writer would hang here instead of being refused below. */
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->fd < 0)
        return firn_fail_errno(err, FIRN_NOINPUT, path);
    struct stat st;
    int rc = 0;
    if (fstat(file->fd, &st) < 0)
        rc = firn_fail(err, FIRN_IO, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        rc = firn_fail(err, FIRN_NOINPUT, "%s: not a regular file", path);
    else if (st.st_size == 0)
        rc = firn_fail(err, FIRN_DATA, "%s: the file is empty", path);
    else
        file->size = (uint64_t)st.st_size;
    if (rc)
        firn_weight_file_close(file);
    return rc;
}

void firn_weight_file_close(struct firn_weight_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

int firn_weight_file_read(const struct firn_weight_file *file, uint64_t pos, void *bytes, size_t n,
                          struct firn_error *err)
{
    if (pos > file->size || n > file->size - pos)
        return firn_fail(err, FIRN_DATA, "%s: truncated: it should go on beyond its %llu bytes",
                         file->path, (unsigned long long)file->size);
    char *p = bytes;
    while (n > 0) {
        ssize_t got = pread(file->fd, p, n, (off_t)pos);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return firn_fail(err, FIRN_IO, "%s: %s", file->path, strerror(errno));
        if (got == 0)
            return firn_fail(err, FIRN_IO, "%s: the file became shorter while it was being read",
                             file->path);
        p += got;
        pos += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

const char *firn_printable(const void *name, size_t n, char *text, size_t room)
{
    const unsigned char *p = name;
    size_t keep = n < room ? n : room - 1;
    for (size_t i = 0; i < keep; i++)
        text[i] = (char)(p[i] >= ' ' && p[i] <= '~' ? p[i] : '?');
    text[keep] = 0;
    if (keep < n && keep >= 3)
        memcpy(text + keep - 3, "...", 3);
    return text;
}
