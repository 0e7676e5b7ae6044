/* SPDX-License-Identifier: MIT */
/**
 * The system calls of the durable write path, behind one table: tests put a disk there that
 * fails, tears and forgets. Nothing else in this folder creates or changes a file but the lock,
 * on whose contents nothing depends that must last.
 */
#ifndef FIRN_SRC_CACHE_DISK_H
#define FIRN_SRC_CACHE_DISK_H

#include <stdint.h>
#include <sys/types.h>

/** Each returns as the system call of its name, with errno; `user` is the table's. */
struct firn_disk {
    void *user;
    int (*mkdir)(void *user, const char *path);
    int (*create)(void *user, const char *path); /* new file or EEXIST; read and write, cloexec */
    int (*open)(void *user, const char *path);   /* existing file; read and write, cloexec */
    ssize_t (*pwrite)(void *user, int fd, const void *bytes, size_t n, uint64_t offset);
    int (*fdatasync)(void *user, int fd);
    int (*reserve)(void *user, int fd, uint64_t offset, uint64_t n); /* blocks beyond the end */
    int (*truncate)(void *user, int fd, uint64_t size);
    int (*sync_dir)(void *user, const char *path);
    int (*unlink)(void *user, const char *path);
    int (*rename)(void *user, const char *from, const char *to);
    int (*close)(void *user, int fd);
    /** The kind of network file system that holds `path`, NULL: none. May itself be NULL. */
    const char *(*network)(void *user, const char *path);
    /** Bytes that may be written there, UINT64_MAX: unknown. May itself be NULL. */
    uint64_t (*room)(void *user, const char *path);
};

/** The real one. */
extern const struct firn_disk firn_disk_system;

#endif
