/* SPDX-License-Identifier: MIT */
#include "bn/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"

/* What the kernel thinks can be had without swapping. */
static uint64_t free_memory(void)
{
    char line[128];
    unsigned long long kilobytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    return kilobytes << 10;
}

static bool open_memory(struct firn_bn_store *s)
{
    /* Not firn_alloc(): pages that are not written yet cost nothing this way. */
    void *p = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    madvise(p, s->bytes, MADV_HUGEPAGE);
    s->memory = p;
    s->place = FIRN_BN_MEMORY;
    return true;
}

static int open_file(struct firn_bn_store *s, const char *dir, struct firn_error *err)
{
    char path[4096];
    struct statvfs v;
    if (statvfs(dir, &v) != 0 || (uint64_t)v.f_bavail * v.f_frsize / 2 < s->bytes)
        return 0;
    s->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0 && snprintf(path, sizeof path, "%s/firn-bn-XXXXXX", dir) < (int)sizeof path) {
        s->fd = mkostemp(path, O_CLOEXEC);
        if (s->fd >= 0)
            unlink(path);
    }
    if (s->fd < 0)
        return firn_fail(err, FIRN_CANTCREATE, "%s: cannot create a file for activations: %s", dir,
                         strerror(errno));
    s->place = FIRN_BN_FILE;
    return 0;
}

int firn_bn_store_open(struct firn_bn_store *s, size_t n, size_t slot, size_t budget,
                       const char *dir, struct firn_error *err)
{
    slot = (slot + 15) / 16 * 16;
    *s = (struct firn_bn_store){.place = FIRN_BN_NOWHERE, .slot = slot, .fd = -1};
    if (__builtin_mul_overflow((uint64_t)n, (uint64_t)slot * sizeof(float), &s->bytes))
        return firn_fail(err, FIRN_NOMEM, "too many photographs");
    if (s->bytes <= (budget ? budget : free_memory() / 2) && open_memory(s))
        return 0;
    int status = dir ? open_file(s, dir, err) : 0;
    if (s->place == FIRN_BN_NOWHERE)
        s->bytes = 0;
    return status;
}

void firn_bn_store_close(struct firn_bn_store *s)
{
    if (s->memory)
        munmap(s->memory, s->bytes);
    if (s->place == FIRN_BN_FILE)
        close(s->fd);
    *s = (struct firn_bn_store){.place = FIRN_BN_NOWHERE, .fd = -1};
}

static off_t place_of(const struct firn_bn_store *s, size_t i)
{
    return (off_t)(i * s->slot * sizeof(float));
}

float *firn_bn_store_get(const struct firn_bn_store *s, size_t i, size_t floats, float *buffer)
{
    if (s->place == FIRN_BN_MEMORY)
        return s->memory + i * s->slot;
    char *p = (char *)buffer;
    size_t left = s->place == FIRN_BN_FILE ? floats * sizeof(float) : 0;
    for (off_t at = place_of(s, i); left;) {
        ssize_t n = pread(s->fd, p, left, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return NULL;
        p += n, at += n, left -= (size_t)n;
    }
    return buffer;
}

bool firn_bn_store_put(const struct firn_bn_store *s, size_t i, size_t floats, const float *slot)
{
    const char *p = (const char *)slot;
    size_t left = s->place == FIRN_BN_FILE ? floats * sizeof(float) : 0;
    for (off_t at = place_of(s, i); left;) {
        ssize_t n = pwrite(s->fd, p, left, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n, at += n, left -= (size_t)n;
    }
    return true;
}
