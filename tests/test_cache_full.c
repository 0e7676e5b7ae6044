/* SPDX-License-Identifier: MIT */
/**
 * Disks of 1 to 64 MB filled to the brim: what was acknowledged is there when the disk is full, and
 * when there is room again the next run goes on. Needs root, in a mount namespace of its own.
 */
#include <sched.h>
#include <sys/mount.h>

#include "cache_growth.h"

/* Adds photographs until a commit fails; returns how many are acknowledged. `blind`: it is not
 * known how much room there is, so that the writes themselves meet the end of the disk. */
static unsigned fill(const char *dir, unsigned from, unsigned most, unsigned each, bool blind)
{
    struct firn_disk disk = firn_disk_system;
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer_settings settings = {.disk = &disk, .segment_bytes = 300 << 10};
    struct firn_error err = {0};
    struct firn_writer *w;
    unsigned id = from, done = from;
    uint32_t root;
    disk.room = blind ? NULL : disk.room;
    int result = firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err);
    if (result == 0) {
        CHECK_INT(test_root(w, &root, &err), 0);
        while (result == 0 && id < most) {
            for (unsigned k = 0; k < each; k++)
                CHECK_INT(test_add(w, id++, root, &err), 0);
            result = firn_writer_commit(w, &err);
            done = result == 0 ? id : done;
        }
        int closed = firn_writer_close(w, &err);
        CHECK(closed == 0 || closed == -FIRN_IO, "%d %s", closed, err.text);
    }
    CHECK(result == 0 || result == -FIRN_IO || result == -FIRN_CANTCREATE, "%d %s", result,
          err.text);
    return done;
}

static void test_size(const char *disk, unsigned megabytes, unsigned long long *state)
{
    char dir[4300], ballast[4300], options[64];
    unsigned each = (unsigned)(check_random(state) % 200) + 1;
    unsigned long long room = check_random(state) % 1500000 + 300000;
    snprintf(options, sizeof options, "size=%um", megabytes);
    snprintf(dir, sizeof dir, "%s/cache", disk);
    snprintf(ballast, sizeof ballast, "%s/ballast", disk);
    CHECK(mount("tmpfs", disk, "tmpfs", 0, options) == 0, "%s", strerror(errno));
    int fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    unsigned long long all = (unsigned long long)megabytes << 20;
    if (all > room)
        CHECK_INT(posix_fallocate(fd, 0, (off_t)(all - room)), 0);
    close(fd);
    unsigned done = fill(dir, 0, 100000, each, megabytes % 4 != 0);
    CHECK(done < 100000, "%u MB never were full", megabytes);
    check_prefix(dir, done);
    unlink(ballast);
    snprintf(options, sizeof options, "size=%um", megabytes + 8);
    CHECK(mount(NULL, disk, NULL, MS_REMOUNT, options) == 0, "%s", strerror(errno));
    CHECK(fill(dir, done, done + 500, 100, false) >= done + 500, "%u MB: no way on", megabytes);
    check_prefix(dir, done + 500);
    check_clean(dir);
    CHECK_INT(umount(disk), 0);
}

int main(void)
{
    char *disk = test_dir();
    unsigned long long state = 5;
    int sizes = test_times(16, 200);
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", disk, "tmpfs", 0, "size=1m") != 0) {
        rmdir(disk);
        CHECK_SKIP("not root, or nothing can be mounted");
    }
    CHECK_INT(umount(disk), 0);
    for (int i = 0; i < sizes && check_failed == 0; i++)
        test_size(disk, (unsigned)(i * 63 / (sizes - 1)) + 1, &state);
    umount(disk);
    rmdir(disk);
    free(disk);
    printf("%d disks\n", sizes);
    CHECK_DONE();
}
