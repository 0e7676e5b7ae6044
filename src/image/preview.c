/* SPDX-License-Identifier: MIT */
/** firn_preview(): one file in, one crop out. */
#include "firn/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"
#include "image/image.h"
#include "image/limits.h"

/* Not blocking, so that a FIFO nobody writes to is refused instead of waited for. */
static int open_file(const char *path, struct stat *st, struct firn_error *err)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return firn_fail(err, FIRN_NOINPUT, "%s: cannot open: %s", path, strerror(errno));
    int rc = 0;
    if (fstat(fd, st))
        rc = firn_fail(err, FIRN_IO, "%s: cannot stat: %s", path, strerror(errno));
    else if (!S_ISREG(st->st_mode))
        rc = firn_fail(err, FIRN_NOINPUT, "%s: not a regular file: name a photograph", path);
    else if (st->st_size > (off_t)FIRN_MAX_FILE_BYTES)
        rc = firn_fail(err, FIRN_CONFIG, "%s: %lld bytes are more than the limit of %zu MiB", path,
                       (long long)st->st_size, FIRN_MAX_FILE_BYTES >> 20);
    if (!rc)
        return fd;
    close(fd);
    return rc;
}

/* The size is what fstat() said: a file that grows meanwhile is read as it was, one that shrinks
 * ends early and is then judged by the decoder. */
static int read_file(int fd, const char *path, uint8_t *bytes, size_t *size, struct firn_error *err)
{
    size_t have = 0;
    while (have < *size) {
        const ssize_t n = read(fd, bytes + have, *size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return firn_fail(err, FIRN_IO, "%s: cannot read: %s", path, strerror(errno));
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *size = have;
    return 0;
}

static int decode_bytes(const char *path, const struct firn_image_spec *spec, const uint8_t *bytes,
                        size_t size, uint8_t *rgb, struct firn_image_info *info,
                        struct firn_error *err)
{
    struct firn_decoder *decoder;
    int rc = firn_decoder_create(&decoder, spec, err);
    if (rc)
        return rc;
    rc = firn_decode(decoder, bytes, size, rgb, info, err);
    firn_decoder_destroy(decoder);
    return rc ? firn_fail_in(err, rc, "%s", path) : 0;
}

int firn_preview(const char *path, const struct firn_image_spec *spec, uint8_t *rgb,
                 struct firn_image_info *info, uint8_t content[32], struct firn_error *err)
{
    struct firn_error own;
    struct stat st;
    err = err ? err : &own;
    const int fd = open_file(path, &st, err);
    if (fd < 0)
        return fd;
    size_t size = (size_t)st.st_size;
    uint8_t *bytes = firn_alloc(size, 1);
    int rc = bytes ? read_file(fd, path, bytes, &size, err) : firn_fail_nomem(err, path);
    close(fd);
    if (!rc && content)
        firn_hash(bytes, size, content);
    if (!rc)
        rc = decode_bytes(path, spec, bytes, size, rgb, info, err);
    firn_free(bytes);
    return rc;
}
