/* SPDX-License-Identifier: MIT */
#include "cache/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

static int disk_mkdir(void *user, const char *path)
{
    (void)user;
    return mkdir(path, 0777);
}

static int disk_create(void *user, const char *path)
{
    (void)user;
    return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
}

static int disk_open(void *user, const char *path)
{
    (void)user;
    return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

static ssize_t disk_pwrite(void *user, int fd, const void *bytes, size_t n, uint64_t offset)
{
    (void)user;
    return pwrite(fd, bytes, n, (off_t)offset);
}

static int disk_fdatasync(void *user, int fd)
{
    (void)user;
    return fdatasync(fd);
}

static int disk_reserve(void *user, int fd, uint64_t offset, uint64_t n)
{
    (void)user;
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)n);
}

static int disk_truncate(void *user, int fd, uint64_t size)
{
    (void)user;
    return ftruncate(fd, (off_t)size);
}

static int disk_sync_dir(void *user, const char *path)
{
    (void)user;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fsync(fd), saved = errno;
    close(fd);
    errno = saved;
    /* Some file systems cannot sync a directory and need not: they say EINVAL. */
    return result != 0 && saved == EINVAL ? 0 : result;
}

static int disk_unlink(void *user, const char *path)
{
    (void)user;
    return unlink(path);
}

static int disk_rename(void *user, const char *from, const char *to)
{
    (void)user;
    return rename(from, to);
}

static int disk_close(void *user, int fd)
{
    (void)user;
    return close(fd);
}

/* Those whose locks depend on options and servers. Numbers from statfs(2). */
static const char *disk_network(void *user, const char *path)
{
    static const struct {
        unsigned long type;
        const char *name;
    } kinds[] = {
        {0x6969, "NFS"}, {0xFF534D42, "CIFS"}, {0xFE534D42, "SMB"}, {0x517B, "SMB"},
        {0x01021997, "9P"}, {0x00C36400, "Ceph"}, {0x5346414F, "AFS"}, {0x6B414653, "AFS"},
        {0x73757245, "Coda"},
    };
    struct statfs st;
    (void)user;
    if (statfs(path, &st) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].type == ((unsigned long)st.f_type & 0xFFFFFFFFu))
            return kinds[i].name;
    return NULL;
}

static uint64_t disk_room(void *user, const char *path)
{
    struct statvfs st;
    (void)user;
    return statvfs(path, &st) == 0 ? (uint64_t)st.f_bavail * st.f_frsize : UINT64_MAX;
}

const struct firn_disk firn_disk_system = {
    .mkdir = disk_mkdir,
    .create = disk_create,
    .open = disk_open,
    .pwrite = disk_pwrite,
    .fdatasync = disk_fdatasync,
    .reserve = disk_reserve,
    .truncate = disk_truncate,
    .sync_dir = disk_sync_dir,
    .unlink = disk_unlink,
    .rename = disk_rename,
    .close = disk_close,
    .network = disk_network,
    .room = disk_room,
};
