/* SPDX-License-Identifier: MIT */
#include "pipeline/placement.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What the kernel says of the disk, or of the one that a partition is on; no by default. */
static bool spins(int fd)
{
    static const char *const forms[] = {"/sys/dev/block/%u:%u/queue/rotational",
                                        "/sys/dev/block/%u:%u/../queue/rotational"};
    struct stat st;
    char path[96], answer = '0';
    if (fstat(fd, &st))
        return false;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(path, sizeof path, forms[i], major(st.st_dev), minor(st.st_dev));
        const int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            continue;
        const bool told = read(file, &answer, 1) == 1;
        close(file);
        if (told)
            break;
    }
    return answer == '1';
}

/* Where the first byte of a file lies on the disk; 0 when nobody says. */
static uint64_t physical(int directory, const char *name)
{
    union {
        struct fiemap map;
        char bytes[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
    } ask = {.map = {.fm_length = 1, .fm_extent_count = 1}};
    struct fiemap_extent extent;
    const int fd = openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    const int failed = ioctl(fd, FS_IOC_FIEMAP, &ask.map);
    close(fd);
    if (failed || ask.map.fm_mapped_extents == 0)
        return 0;
    memcpy(&extent, ask.bytes + sizeof ask.map, sizeof extent);
    return extent.fe_flags & FIEMAP_EXTENT_UNKNOWN ? 0 : extent.fe_physical;
}

/* By place, then inode, the first two numbers of an element of the order. */
static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    const int by_place = (x[0] > y[0]) - (x[0] < y[0]);
    return by_place ? by_place : (x[1] > y[1]) - (x[1] < y[1]);
}

static void sort(struct firn_placement *p)
{
    qsort(p->order, p->n, sizeof *p->order, compare);
}

void firn_placement_order(struct firn_placement *p, int fd)
{
    for (size_t i = 0; i < p->n; i++) {
        p->order[i].at = 0;
        p->order[i].inode = p->entry[i].d_ino;
        p->order[i].i = i;
    }
    sort(p); /* by inode also before asking: inodes are read in doing so */
    if (!spins(fd))
        return;
    for (size_t i = 0; i < p->n; i++) {
        const struct dirent *entry = &p->entry[p->order[i].i];
        if (entry->d_type == DT_REG)
            p->order[i].at = physical(fd, entry->d_name);
    }
    sort(p);
}
