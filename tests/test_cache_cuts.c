/* SPDX-License-Identifier: MIT */
/**
 * Power cuts on a real file system: an ext4 in a file is shut down while a writer is at work, as
 * xfstests does, then mounted again, which replays its journal. Needs root, in a mount namespace of
 * its own, so that whatever ends this program leaves no mount behind.
 */
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "cache_growth.h"

/* Of linux/fs.h since 6.x; 0: all is written, 1: the journal is, 2: nothing more is. */
#define SHUTDOWN _IOR('X', 125, uint32_t)
enum { WAYS = 3 };

static char image[4200], disk[4200];

static bool shell(const char *format, const char *a, const char *b)
{
    char command[9000];
    snprintf(command, sizeof command, format, a, b);
    return system(command) == 0;
}

static bool attach(void)
{
    return shell("mount -t ext4 -o loop '%s' '%s' 2>/dev/null", image, disk);
}

/* NULL, or why there can be no such disk here. */
static const char *make_disk(const char *base)
{
    snprintf(image, sizeof image, "%s/image", base);
    snprintf(disk, sizeof disk, "%s/disk", base);
    int fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (geteuid() != 0)
        return "not root";
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return "no mount namespace of its own";
    if (fd < 0 || ftruncate(fd, 64 << 20) != 0 || mkdir(disk, 0700) != 0)
        return "no room for a disk";
    close(fd);
    if (!shell("PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q -F '%s' 2>/dev/null%s", image, ""))
        return "no mkfs.ext4";
    return attach() ? NULL : "cannot mount an image";
}

static int cut_power(uint32_t way)
{
    int fd = open(disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -1 : ioctl(fd, SHUTDOWN, &way);
    if (fd >= 0)
        close(fd);
    return result;
}

/* The machine was started since LOCK was published. */
static void restart(const char *dir)
{
    char path[4400];
    struct firn_published p;
    size_t size;
    snprintf(path, sizeof path, "%s/LOCK", dir);
    if (!firn_published_read(dir, &p))
        return;
    uint8_t *text = slurp(path, &size);
    text[size] = 0;
    char *boot = strstr((char *)text, "\nboot "), *sum = strstr((char *)text, "\nsum ");
    if (boot && sum) {
        char digits[17];
        memset(boot + 6, '0', strcspn(boot + 6, "\n"));
        snprintf(digits, sizeof digits, "%016llx",
                 (unsigned long long)firn_checksum(text, (size_t)(sum + 1 - (char *)text)));
        memcpy(sum + 5, digits, 16);
        spill(path, text, size);
    }
    free(text);
    CHECK(firn_published_read(dir, &p) && !firn_published_is_live(&p));
}

static void empty(const char *dir)
{
    remove_dir(dir);
    CHECK(mkdir(dir, 0777) == 0 || errno == EEXIST);
}

static void say_finding(void *user, const struct firn_finding *f)
{
    fprintf(stderr, "round %d: %s at %llu: %s\n", *(int *)user, f->file,
            (unsigned long long)f->offset, f->what);
}

/* One power cut. False: this system has no such thing. */
static bool cut(const char *dir, int round, unsigned *acknowledged, unsigned long long *state)
{
    struct firn_verify_result result;
    struct firn_error err = {0};
    int from, status;
    if (round % 10 == 9) { /* a fresh one, so that its first moments are hit too */
        empty(dir);
        *acknowledged = 0;
    }
    pid_t child = start(dir, &from, (unsigned long long)round);
    if (round % 2)
        drain(from, true, acknowledged);
    nap(check_random(state) % 20000);
    /* What is said later nobody could hear; and a sync that the cut meets half-way may end well
     * in spite of it, since the kernel takes the transaction that was given up for one that is
     * over. */
    drain(from, false, acknowledged);
    bool can = cut_power((uint32_t)(round % WAYS)) == 0;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    close(from);
    CHECK(umount(disk) == 0, "%s", strerror(errno));
    CHECK(attach(), "cannot be mounted any more");
    if (!can)
        return false;
    restart(dir);
    unsigned n = check_prefix(dir, *acknowledged);
    CHECK(n == 0 || firn_verify(dir, 1, say_finding, &round, &result, &err) == 0,
          "round %d: %s", round, err.text);
    return true;
}

int main(void)
{
    char *base = test_dir(), dir[4300];
    const char *why = make_disk(base);
    unsigned acknowledged = 0;
    unsigned long long state = 3;
    int rounds = why ? 0 : test_times(20, 200);
    snprintf(dir, sizeof dir, "%s/cache", disk);
    if (!why)
        empty(dir);
    for (int round = 0; round < rounds && check_failed == 0; round++)
        if (!cut(dir, round, &acknowledged, &state)) {
            why = "this kernel shuts no file system down";
            rounds = 0;
        }
    umount(disk);
    rmdir(disk);
    unlink(image);
    rmdir(base);
    free(base);
    if (why && check_failed == 0)
        CHECK_SKIP(why);
    printf("%d power cuts, %u photographs at the end\n", rounds, acknowledged);
    CHECK_DONE();
}
