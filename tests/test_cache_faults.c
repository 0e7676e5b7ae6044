/* SPDX-License-Identifier: MIT */
/**
 * Every call of the write path fails once, or from then on, or is the last that a process makes:
 * nothing is acknowledged falsely, and nothing stays behind for ever.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "cache/upkeep.h"
#include "cache_kept.h"

enum crash { NO_CRASH, BEFORE, HALF_WAY, AFTER };

/* The real disk, but for call number `fail_at`. */
struct bad_disk {
    long calls, fail_at; /* fail_at 0: never */
    bool forever;
    int error;           /* 0: a short write, ENOSPC for the rest */
    enum crash crash;    /* instead, the process is killed at that call */
};

static bool fails(struct bad_disk *d)
{
    d->calls++;
    if (d->crash)
        return d->crash == BEFORE && d->calls == d->fail_at && kill(getpid(), SIGKILL) == 0;
    if (d->fail_at == 0 || d->calls < d->fail_at || (d->calls > d->fail_at && !d->forever))
        return false;
    errno = d->error ? d->error : ENOSPC;
    return true;
}

/* What a call returns, when the process lives to see it. */
static int done(const struct bad_disk *d, int result)
{
    if (d->crash == AFTER && d->calls == d->fail_at)
        kill(getpid(), SIGKILL);
    return result;
}

static int bad_mkdir(void *user, const char *path)
{
    return fails(user) ? -1 : done(user, firn_disk_system.mkdir(NULL, path));
}

static int bad_create(void *user, const char *path)
{
    return fails(user) ? -1 : done(user, firn_disk_system.create(NULL, path));
}

static int bad_open(void *user, const char *path)
{
    return fails(user) ? -1 : done(user, firn_disk_system.open(NULL, path));
}

static ssize_t bad_pwrite(void *user, int fd, const void *bytes, size_t n, uint64_t offset)
{
    struct bad_disk *d = user;
    bool bad = fails(d);
    if (d->crash == HALF_WAY && d->calls == d->fail_at) {
        firn_disk_system.pwrite(NULL, fd, bytes, n / 2, offset);
        kill(getpid(), SIGKILL);
    }
    if (!bad)
        return done(d, (int)firn_disk_system.pwrite(NULL, fd, bytes, n, offset));
    return d->error ? -1 : firn_disk_system.pwrite(NULL, fd, bytes, n / 8 + 1, offset);
}

static int bad_fdatasync(void *user, int fd)
{
    return fails(user) ? -1 : done(user, firn_disk_system.fdatasync(NULL, fd));
}

static int bad_reserve(void *user, int fd, uint64_t offset, uint64_t n)
{
    return fails(user) ? -1 : done(user, firn_disk_system.reserve(NULL, fd, offset, n));
}

static int bad_truncate(void *user, int fd, uint64_t size)
{
    return fails(user) ? -1 : done(user, firn_disk_system.truncate(NULL, fd, size));
}

static int bad_sync_dir(void *user, const char *path)
{
    return fails(user) ? -1 : done(user, firn_disk_system.sync_dir(NULL, path));
}

static int bad_unlink(void *user, const char *path)
{
    return fails(user) ? -1 : done(user, firn_disk_system.unlink(NULL, path));
}

static int bad_rename(void *user, const char *from, const char *to)
{
    return fails(user) ? -1 : done(user, firn_disk_system.rename(NULL, from, to));
}

static int bad_close(void *user, int fd)
{
    return fails(user) ? (close(fd), -1) : close(fd);
}

static struct firn_disk table(struct bad_disk *d)
{
    return (struct firn_disk){
        .user = d, .mkdir = bad_mkdir, .create = bad_create, .open = bad_open,
        .pwrite = bad_pwrite, .fdatasync = bad_fdatasync, .reserve = bad_reserve,
        .truncate = bad_truncate, .sync_dir = bad_sync_dir, .unlink = bad_unlink,
        .rename = bad_rename,
        .close = bad_close};
}

enum { PHOTOS = 120, RUNS = 3, EACH = 7, INDEX = 50 };

/* Adds what is not known yet, commits now and then; marks what was acknowledged. The last run
 * closes the gaps. Returns the first failure. */
static int run(const char *dir, const struct firn_disk *disk, unsigned from, unsigned to,
               bool *acknowledged)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer_settings settings = {.disk = disk, .segment_bytes = 24 << 10,
                                            .footer_blocks = 5, .index_from = INDEX,
                                            .tidy_from = 1};
    struct firn_error err = {0};
    struct firn_writer *w;
    uint32_t root;
    unsigned since = from;
    int result = firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err);
    if (result != 0) {
        CHECK(result == -FIRN_IO || result == -FIRN_CANTCREATE, "%d %s", result, err.text);
        CHECK(err.code == (enum firn_code)-result && *err.text, "says why");
        return result;
    }
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = from; id < to && result == 0; id++) {
        CHECK(test_add(w, id, root, &err) == 0, "%s", err.text);
        if (id % EACH != EACH - 1)
            continue;
        result = firn_writer_commit(w, &err);
        for (; result == 0 && since <= id; since++)
            acknowledged[since] = true;
    }
    CHECK(result == 0 || (result == -FIRN_IO && strstr(err.text, "not stored")), "%d %s", result,
          err.text);
    int closed = to == PHOTOS ? firn_writer_finish(w, &err) : firn_writer_close(w, &err);
    CHECK(closed == 0 || closed == -FIRN_IO, "%d %s", closed, err.text);
    for (; result == 0 && closed == 0 && since < to; since++)
        acknowledged[since] = true;
    return result ? result : closed;
}

static void say_finding(void *user, const struct firn_finding *f)
{
    fprintf(stderr, "%s: %s at %llu: %s\n", (const char *)user, f->file,
            (unsigned long long)f->offset, f->what);
}

/* Something to drop, and a compaction that drops it. */
static int tidy(const char *dir, const struct firn_disk *disk)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer_settings settings = {.disk = disk, .segment_bytes = 24 << 10,
                                            .footer_blocks = 5, .index_from = INDEX};
    struct firn_error err = {0};
    struct firn_upkeep done;
    struct firn_writer *w;
    int result = firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err);
    if (result == 0) {
        result = test_add_gone(w, &err);
        int closed = firn_writer_close(w, &err);
        result = result ? result : closed;
    }
    if (result == 0)
        result = firn_compact_with(dir, &settings, &done, &err);
    CHECK(result == 0 || result == -FIRN_IO || result == -FIRN_CANTCREATE ||
          result == -FIRN_NOINPUT, "%d %s", result, err.text);
    return result;
}

/* One life of a cache on a disk that fails at one place. Returns the calls it made. */
static long live(struct bad_disk d, int *failures)
{
    char *base = test_dir(), *dir, when[100];
    bool acknowledged[PHOTOS] = {false};
    struct firn_disk disk = table(&d);
    struct firn_verify_result verified;
    struct firn_error err = {0};
    if (asprintf(&dir, "%s/cache", base) < 0)
        abort();
    snprintf(when, sizeof when, "call %ld fails%s with %s", d.fail_at,
             d.forever ? " for ever" : "", d.error ? strerror(d.error) : "a short write");
    for (unsigned k = 0; k < RUNS; k++) {
        *failures += run(dir, &disk, k * PHOTOS / RUNS, (k + 1) * PHOTOS / RUNS,
                         acknowledged) != 0;
        check_kept(dir, acknowledged, PHOTOS, false, when);
    }
    *failures += tidy(dir, &disk) != 0;
    check_kept(dir, acknowledged, PHOTOS, false, when);
    /* The disk is well again: the next run puts all in order. */
    CHECK_INT(run(dir, NULL, 0, PHOTOS, acknowledged), 0);
    for (int id = 0; id < PHOTOS; id++)
        CHECK(acknowledged[id]);
    check_kept(dir, acknowledged, PHOTOS, false, when);
    CHECK_INT(tidy(dir, NULL), 0);
    check_kept(dir, acknowledged, PHOTOS, false, when);
    CHECK(firn_verify(dir, 1, say_finding, when, &verified, &err) == 0, "%s: %s", when, err.text);
    remove_dir(dir);
    rmdir(base);
    free(dir);
    free(base);
    return d.calls;
}

/* Bytes of all files that are there. */
static uint64_t bytes_of(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    struct stat st;
    uint64_t bytes = 0;
    while (d && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
            bytes += (uint64_t)st.st_size;
    if (d)
        closedir(d);
    return bytes;
}

/* All runs and a compaction in a process that is killed at one call; 0: it lived. */
static int live_and_die(const char *dir, struct bad_disk d, bool *acknowledged)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct firn_disk disk = table(&d);
        int result = 0;
        for (unsigned k = 0; k < RUNS && result == 0; k++)
            result = run(dir, &disk, k * PHOTOS / RUNS, (k + 1) * PHOTOS / RUNS, acknowledged);
        _exit(result || tidy(dir, &disk) || check_failed);
    }
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) || status == 0, "a run ended with %#x", (unsigned)status);
    return status;
}

/* Killed before, in or after each call: what is acknowledged is there, and the next compaction
 * leaves no more behind than one that was never disturbed. Returns the points that there were. */
static int test_crashes(enum crash crash, long calls, bool *acknowledged)
{
    struct firn_writer_settings settings = {.segment_bytes = 24 << 10,
                                            .footer_blocks = 5, .index_from = INDEX};
    struct firn_upkeep done;
    struct firn_error err = {0};
    char *base = test_dir(), dir[4200], when[100];
    uint64_t least = 0;
    int points = 0;
    snprintf(dir, sizeof dir, "%s/cache", base);
    for (long n = 0; n <= calls; n++) {
        struct bad_disk d = {.crash = crash, .fail_at = n};
        memset(acknowledged, 0, PHOTOS * sizeof *acknowledged);
        points += live_and_die(dir, d, acknowledged) != 0;
        snprintf(when, sizeof when, "killed %s call %ld", crash == BEFORE ? "before" :
                 crash == AFTER ? "after" : "half-way through", n);
        check_kept(dir, acknowledged, PHOTOS, false, when);
        CHECK_INT(run(dir, NULL, 0, PHOTOS, acknowledged), 0);
        int result = firn_compact_with(dir, &settings, &done, &err);
        CHECK(result == 0, "%s: %s", when, err.text);
        check_kept(dir, acknowledged, PHOTOS, false, when);
        check_clean(dir);
        least = n == 0 ? bytes_of(dir) : least;
        CHECK(bytes_of(dir) <= least + 4 * FIRN_PAGE, "%s: %llu bytes, not %llu", when,
              (unsigned long long)bytes_of(dir), (unsigned long long)least);
        remove_dir(dir);
    }
    rmdir(base);
    free(base);
    return points;
}

int main(void)
{
    static const int errors[] = {EIO, ENOSPC, 0, EDQUOT, EOPNOTSUPP, EINTR};
    int failures = 0, points = 0, kinds = test_times(3, 6), step = test_times(4, 1);
    int crashes = 0;
    struct bad_disk never = {0};
    bool *shared = mmap(NULL, PHOTOS * sizeof *shared, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    long calls = live(never, &failures);
    CHECK_INT(failures, 0);
    CHECK(calls > 50, "the life has only %ld calls", calls);
    for (enum crash crash = BEFORE; crash <= AFTER; crash++)
        crashes += test_crashes(crash, calls, shared);
    munmap(shared, PHOTOS * sizeof *shared);
    for (int kind = 0; kind < kinds; kind++)
        for (int forever = 0; forever < 2; forever++)
            for (long n = 1 + kind; n <= calls + 2; n += kind ? step : 1) {
                if (errors[kind] == EINTR && forever)
                    continue; /* an interrupted write is tried again, and again */
                live((struct bad_disk){.fail_at = n, .forever = forever, .error = errors[kind]},
                     &failures);
                points++;
            }
    CHECK(failures > points / 4, "%d of %d were felt", failures, points);
    printf("%d points, %d failures felt; killed at %d points\n", points, failures, crashes);
    CHECK(crashes > calls, "%d", crashes);
    CHECK_DONE();
}
