/* SPDX-License-Identifier: MIT */
#include "firn/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static void release(struct firn_output *out)
{
    if (out->file)
        fclose(out->file);
    free(out->path);
    free(out->temp);
    *out = (struct firn_output){0};
}

static int fail_to_create(struct firn_error *err, const char *path, int error)
{
    return firn_fail(err, firn_is_shortage(error) ? FIRN_NOMEM : FIRN_CANTCREATE,
                     "%s: cannot create: %s", path, strerror(error));
}

static int check_name(const char *path, struct firn_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISREG(st.st_mode)
                   ? 0
                   : firn_fail(err, FIRN_CANTCREATE,
                               "%s: exists and is not a regular file; give another name", path);
    if (errno == ENAMETOOLONG) /* else it would show when all is written */
        return fail_to_create(err, path, errno);
    if (lstat(path, &st) == 0)
        return firn_fail(err, FIRN_CANTCREATE, "%s: is a link that leads nowhere; remove it", path);
    return 0;
}

/** What a link leads to stays where it is, and is replaced there. */
static char *follow(const char *path)
{
    struct stat st;
    char *real = lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? realpath(path, NULL) : NULL;
    return real ? real : strdup(path);
}

/** In the same directory, and not longer than a name may be. */
static char *name_until_then(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char *name;
    int n = asprintf(&name, "%.*s%.200s.tmp.%ld", (int)(base - path), path, base, (long)getpid());
    return n < 0 ? NULL : name;
}

/** The directory of a path; NULL: memory is out. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
}

int firn_output_check(const char *path, struct firn_error *err)
{
    char *real = follow(path), *folder = real ? folder_of(real) : NULL;
    int result = folder ? check_name(path, err) : firn_fail_nomem(err, "a file's name");
    if (result == 0 && access(folder, W_OK | X_OK) != 0)
        result = fail_to_create(err, path, errno);
    free(folder);
    free(real);
    return result;
}

/** How a file without a name is found. */
static void name_of_descriptor(const struct firn_output *out, char name[static 40])
{
    snprintf(name, 40, "/proc/self/fd/%d", fileno(out->file));
}

/**
 * A file without a name where the system has such, so that not even a run that is killed leaves
 * anything behind; else one under a name of its own.
 */
static FILE *open_temporary(struct firn_output *out)
{
    char *folder = folder_of(out->path), name[40];
    int fd = folder ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666) : -1;
    free(folder);
    out->file = fd < 0 ? NULL : fdopen(fd, "w+b");
    if (out->file) {
        name_of_descriptor(out, name);
        out->nameless = access(name, F_OK) == 0; /* /proc is there */
        if (!out->nameless)
            fclose(out->file);
    } else if (fd >= 0) {
        close(fd);
    }
    if (!out->nameless)
        out->file = fopen(out->temp, "w+bxe");
    return out->file;
}

int firn_output_open(struct firn_output *out, const char *path, struct firn_error *err)
{
    *out = (struct firn_output){0};
    int status = check_name(path, err);
    if (status)
        return status;
    out->path = follow(path);
    out->temp = out->path ? name_until_then(out->path) : NULL;
    if (!out->temp) {
        release(out);
        return firn_fail_nomem(err, "a file's name");
    }
    if (!open_temporary(out)) {
        int code = errno;
        release(out);
        return fail_to_create(err, path, code);
    }
    return 0;
}

void firn_output_write(struct firn_output *out, const void *bytes, size_t n)
{
    if (!out->failure && fwrite(bytes, 1, n, out->file) != n)
        out->failure = errno ? errno : EIO;
    out->offset += n;
}

void firn_output_patch(struct firn_output *out, uint64_t offset, const void *bytes, size_t n)
{
    const char *p = bytes;
    if (!out->failure && fflush(out->file))
        out->failure = errno;
    while (n > 0 && !out->failure) {
        ssize_t done = pwrite(fileno(out->file), p, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            out->failure = done < 0 ? errno : EIO;
            break;
        }
        p += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
}

/** A name can only be given, not taken from another file: that is left to the renaming. */
static bool give_name(struct firn_output *out)
{
    char name[40];
    name_of_descriptor(out, name);
    return !out->nameless || linkat(AT_FDCWD, name, AT_FDCWD, out->temp, AT_SYMLINK_FOLLOW) == 0;
}

int firn_output_commit(struct firn_output *out, struct firn_error *err)
{
    if (!out->failure && (fflush(out->file) || fsync(fileno(out->file)) || !give_name(out)))
        out->failure = errno;
    if (!out->failure && rename(out->temp, out->path))
        out->failure = errno;
    int result = 0;
    if (out->failure) {
        unlink(out->temp);
        result = firn_fail(err, FIRN_IO, "%s: cannot write: %s; nothing was left behind",
                           out->path, strerror(out->failure));
    }
    release(out);
    return result;
}

void firn_output_discard(struct firn_output *out)
{
    unlink(out->temp);
    release(out);
}
