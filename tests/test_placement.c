/* SPDX-License-Identifier: MIT */
/** In which order files are read: the kernel's answers about the disk are made up. */
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "pipeline/placement.h"
#include "test_pipeline.h"

enum { FILES = 9 };
enum { NOWHERE = 0, REFUSED = -1, UNKNOWN = -2 }; /* answers that are no place */

static char spinning;        /* what sysfs says of the disk: '0', '1' or 0, which is nothing */
static bool partition;       /* sysfs says it of the disk that the partition is on */
static int64_t place[FILES]; /* of files in the order of their inodes */
static ino_t inode[FILES];
static int asked;

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (strncmp(path, "/sys/dev/block/", 15) != 0)
        return __real_open64(path, flags, mode);
    if (spinning && partition == (strstr(path, "/../") != NULL))
        return __real_open64(in_tree("rotational"), flags);
    errno = ENOENT;
    return -1;
}

/* FIEMAP of one of the files. */
static int tell(int fd, struct fiemap *map)
{
    struct stat st;
    int k = 0;
    CHECK(fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && map->fm_extent_count == 1);
    while (k < FILES - 1 && inode[k] != st.st_ino)
        k++;
    asked++;
    errno = EOPNOTSUPP;
    map->fm_mapped_extents = place[k] != NOWHERE;
    map->fm_extents[0] = (struct fiemap_extent){
        .fe_physical = (uint64_t)place[k],
        .fe_flags = place[k] == UNKNOWN ? FIEMAP_EXTENT_UNKNOWN : 0};
    return place[k] == REFUSED ? -1 : 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    void *argument = va_arg(ap, void *);
    va_end(ap);
    return request == FS_IOC_FIEMAP ? tell(fd, argument) : __real_ioctl(fd, request, argument);
}

static int by_inode(const void *a, const void *b)
{
    const ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;
    return (x > y) - (x < y);
}

static void make_files(void)
{
    struct stat st;
    make_dir("photos");
    make_dir("photos/class"); /* an entry, too, that is never asked about */
    for (int i = 0; i < FILES; i++) {
        char name[40];
        snprintf(name, sizeof name, "photos/%c.jpg", "hbeagcdfi"[i]);
        make_file(name, "x", 1);
        CHECK(stat(in_tree("%s", name), &st) == 0);
        inode[i] = st.st_ino;
    }
    qsort(inode, FILES, sizeof *inode, by_inode);
}

/* What the order is of the files, as numbers of their inodes: "012345678" is by inode. */
static const char *order(void)
{
    static struct firn_placement p;
    static char text[FILES + 1];
    int n = 0;
    DIR *dir = opendir(in_tree("photos"));
    const struct dirent *entry;
    make_file("rotational", &spinning, 1);
    asked = 0;
    for (p.n = 0; dir && (entry = readdir(dir)); p.n++)
        memcpy(&p.entry[p.n], entry, offsetof(struct dirent, d_name) + strlen(entry->d_name) + 1);
    CHECK_INT(p.n, FILES + 3);
    firn_placement_order(&p, dirfd(dir));
    for (size_t i = 0; i < p.n; i++)
        for (int k = 0; k < FILES; k++)
            if (p.entry[p.order[i].i].d_ino == inode[k])
                text[n++] = (char)('0' + k);
    CHECK_INT(n, FILES);
    closedir(dir);
    return text;
}

static void test_inodes(void)
{
    for (int k = 0; k < FILES; k++)
        place[k] = 1000 - k; /* the reverse, if anybody asked */
    static const char answers[] = {0, '0', '?'};
    for (int i = 0; i < 3; i++) {
        spinning = answers[i];
        CHECK_STR(order(), "012345678");
        CHECK(asked == 0, "(%d questions to a disk that does not spin)", asked);
    }
}

static void test_places(void)
{
    spinning = '1';
    for (int half = 0; half < 2; half++) {
        partition = half;
        CHECK_STR(order(), "876543210");
        CHECK_INT(asked, FILES);
    }
    for (int k = 0; k < FILES; k++)
        place[k] = ((int64_t)1 << 40) + k * 4 % FILES; /* beyond 32 bits */
    CHECK_STR(order(), "075318642"); /* 0 4 8 3 7 2 6 1 5 */
}

/* Where nobody says, it is by inode again, before the others. */
static void test_silence(void)
{
    static const int64_t answers[] = {NOWHERE, REFUSED, UNKNOWN};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < FILES; k++)
            place[k] = answers[i];
        CHECK_STR(order(), "012345678");
        place[2] = 20;
        place[5] = 10;
        CHECK_STR(order(), "013467852");
    }
}

int main(void)
{
    tree_create();
    make_files();
    test_inodes();
    test_places();
    test_silence();
    tree_remove();
    CHECK_DONE();
}
