/* SPDX-License-Identifier: MIT */
#include "cache/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"

enum { TEXT = 320 }; /* bytes of the LOCK file, always all of them */

static void boot_id(char id[37])
{
    ssize_t n = -1;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, id, 36);
        close(fd);
    }
    if (n != 36)
        strcpy(id, "unknown");
    else
        id[36] = 0;
}

static bool parse(const char *text, struct firn_published *p)
{
    uint64_t sum;
    int used = 0;
    if (sscanf(text,
               "firn lock 1\npid %d\nhost %64s\nboot %36s\nnumber %" SCNu32 "\nsegment %" SCNx64
               "\noffset %" SCNu64 "\n%nsum %" SCNx64,
               &p->pid, p->host, p->boot, &p->number, &p->segment, &p->offset, &used, &sum) != 7)
        return false;
    return used > 0 && firn_checksum(text, (size_t)used) == sum;
}

static bool read_text(int fd, struct firn_published *p)
{
    char text[TEXT + 1] = "";
    bool good = false;
    /* A writer may be in the middle of its pwrite: look again before giving up. */
    for (int tries = 0; tries < 3 && !good; tries++) {
        ssize_t n = pread(fd, text, TEXT, 0);
        text[n > 0 ? n : 0] = 0;
        good = parse(text, p);
    }
    if (!good)
        memset(p, 0, sizeof *p);
    return good;
}

static void write_text(int fd, uint32_t number, uint64_t segment, uint64_t offset,
                       const char *boot)
{
    char text[TEXT + 1], host[65] = "", *c;
    if (gethostname(host, sizeof host - 1) != 0 || !*host)
        strcpy(host, "unknown");
    for (c = host; *c; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
    int n = snprintf(text, sizeof text,
                     "firn lock 1\npid %d\nhost %s\nboot %s\nnumber %" PRIu32 "\nsegment %016"
                     PRIx64 "\noffset %" PRIu64 "\n",
                     (int)getpid(), host, boot, number, segment, offset);
    n += snprintf(text + n, sizeof text - (size_t)n, "sum %016" PRIx64,
                  firn_checksum(text, (size_t)n));
    memset(text + n, '\n', sizeof text - (size_t)n);
    /* Readers fall back on what was published before; see firn_publish(). */
    if (pwrite(fd, text, TEXT, 0) != TEXT)
        return;
}

bool firn_published_read(const char *dir, struct firn_published *published)
{
    char path[4096];
    memset(published, 0, sizeof *published);
    if (snprintf(path, sizeof path, "%s/LOCK", dir) >= (int)sizeof path)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool good = read_text(fd, published);
    close(fd);
    return good;
}

bool firn_published_is_live(const struct firn_published *published)
{
    char boot[37];
    boot_id(boot);
    return published->segment != 0 && strcmp(boot, published->boot) == 0 &&
           strcmp(boot, "unknown") != 0;
}

/* 1: ours; 0: somebody's; -1: errno. */
static int try_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 1;
    return errno == EAGAIN || errno == EACCES ? 0 : -1;
}

/* Somebody may have replaced the file between our open and our lock. */
static bool is_still(int fd, const char *path)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

/* What shares an open file shares its lock. */
int firn_lock_hold(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? 0 : copy;
}

int firn_lock(const char *dir, int held, int *out, struct firn_published *published,
              struct firn_error *err)
{
    char path[4096];
    *out = -1;
    memset(published, 0, sizeof *published);
    if (snprintf(path, sizeof path, "%s/LOCK", dir) >= (int)sizeof path)
        return firn_fail(err, FIRN_CANTCREATE, "%.200s...: the path is too long", dir);
    for (int tries = 0; tries < 10; tries++) {
        int fd = held ? firn_lock_hold(held) : 0;
        held = 0;
        if (!fd)
            fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (fd < 0)
            return firn_fail_errno(err, FIRN_CANTCREATE, path);
        int locked = try_lock(fd), saved = errno;
        if (locked == 1 && is_still(fd, path)) {
            read_text(fd, published);
            write_text(fd, published->number, published->segment, published->offset,
                       published->segment ? published->boot : "unknown");
            *out = fd;
            return 0;
        }
        if (locked == 0) {
            struct firn_published holder;
            read_text(fd, &holder);
            close(fd);
            return firn_fail(err, FIRN_LOCKED,
                             "%s: another writer is at work on this cache (process %d on %s); "
                             "wait for it or stop it",
                             dir, holder.pid, holder.pid ? holder.host : "an unknown host");
        }
        close(fd);
        if (locked < 0)
            return firn_fail(err, FIRN_CANTCREATE, "%s: cannot be locked: %s", path,
                             strerror(saved));
    }
    return firn_fail(err, FIRN_CANTCREATE, "%s: is replaced again and again", path);
}

void firn_publish(int fd, uint32_t number, uint64_t segment, uint64_t offset)
{
    char boot[37];
    boot_id(boot);
    write_text(fd, number, segment, offset, boot);
}

void firn_lock_settle(int fd)
{
    if (fdatasync(fd) != 0)
        return; /* nothing durable depends on it */
}
