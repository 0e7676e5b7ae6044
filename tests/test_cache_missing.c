/* SPDX-License-Identifier: MIT */
/** Segments that were removed, replaced or cut, and those that killed runs leave behind. */
#include <signal.h>
#include <sys/wait.h>

#include "cache_util.h"

enum { PHOTOS = 240 };

/* Adds photographs first..last-1 unless they are known, to segments of about 24 KiB. */
static void run(const char *dir, unsigned first, unsigned last)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer_settings settings = {.segment_bytes = 24 << 10};
    struct firn_error err = {0};
    struct firn_writer *w;
    uint32_t root;
    CHECK(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err) == 0, "%s",
          err.text);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = first; id < last; id++) {
        char name[64];
        float f[DIM];
        struct firn_record r = test_record(id, root, name, f);
        if (firn_writer_known(w, root, name, r.size, r.mtime_ns, r.ctime_ns) != FIRN_KNOWN_DONE)
            CHECK(firn_writer_add(w, &r, &err) == 0, "%s", err.text);
        if (id % 30 == 29)
            CHECK(firn_writer_commit(w, &err) == 0, "%s", err.text);
    }
    CHECK(firn_writer_close(w, &err) == 0, "%s", err.text);
}

static size_t findings(const char *dir, int expected)
{
    struct firn_verify_result v = {0};
    struct firn_error err = {0};
    CHECK_INT(firn_verify(dir, 1, NULL, NULL, &v, &err), expected);
    return v.findings;
}

static size_t lost_segments(const char *dir, size_t *records)
{
    struct firn_cache_stat stat;
    struct firn_cache *c = open_reader(dir);
    firn_cache_stat(c, &stat);
    firn_cache_close(c);
    *records = stat.records;
    return stat.lost_segments;
}

static unsigned count_segments(const char *dir, unsigned last)
{
    char path[4200];
    unsigned n = 0;
    for (unsigned k = 1; k <= last; k++) {
        snprintf(path, sizeof path, "%s/seg-%08u.firn", dir, k);
        n += access(path, F_OK) == 0;
    }
    return n;
}

/* Every segment in turn: away, cut to half, to nothing, and exchanged for another. */
static void test_each(const char *dir, unsigned segments, bool with_lock)
{
    char path[4200], other[4200], lock[4200];
    size_t size, lock_size, records;
    snprintf(lock, sizeof lock, "%s/LOCK", dir);
    uint8_t *lock_bytes = slurp(lock, &lock_size);
    for (unsigned k = 1; k <= segments; k++)
        for (int how = 0; how < 4; how++) {
            snprintf(path, sizeof path, "%s/seg-%08u.firn", dir, k);
            snprintf(other, sizeof other, "%s/seg-%08u.firn", dir, k == 1 ? 2 : 1);
            uint8_t *bytes = slurp(path, &size), *wrong;
            size_t wrong_size;
            if (!with_lock)
                unlink(lock);
            unlink(path);
            wrong = slurp(other, &wrong_size);
            if (how == 1 || how == 2)
                spill(path, bytes, how == 1 ? size / 2 : 0);
            else if (how == 3)
                spill(path, wrong, wrong_size);
            bool seen = with_lock || k < segments;
            if (seen) {
                CHECK(lost_segments(dir, &records) == 1, "segment %u, way %d", k, how);
                CHECK(records < PHOTOS);
            }
            if (seen || how == 1)
                CHECK(findings(dir, -FIRN_DATA) > 0);
            /* Left as it is, and computed again by the next run: that ends the matter. */
            if (how == 0 && with_lock && k == 2) {
                run(dir, 0, PHOTOS);
                CHECK_INT(lost_segments(dir, &records), 0);
                CHECK_INT(records, PHOTOS);
                CHECK_INT(findings(dir, 0), 0);
                free(bytes);
                free(wrong);
                free(lock_bytes);
                return;
            }
            spill(path, bytes, size);
            spill(lock, lock_bytes, lock_size);
            CHECK_INT(findings(dir, 0), 0);
            free(bytes);
            free(wrong);
        }
    free(lock_bytes);
}

static void test_missing(void)
{
    char *dir = test_dir();
    unsigned segments = 0;
    run(dir, 0, PHOTOS);
    segments = count_segments(dir, 30);
    CHECK(segments > 2, "%u", segments);
    test_each(dir, segments, false);
    test_each(dir, segments, true);
    remove_dir(dir);
    free(dir);
}

/* Everything is away but LOCK. */
static void test_all_missing(void)
{
    char *dir = test_dir(), path[4200];
    struct firn_cache *c;
    struct firn_error err = {0};
    run(dir, 0, 20);
    snprintf(path, sizeof path, "%s/seg-00000001.firn", dir);
    unlink(path);
    CHECK_INT(firn_cache_open(&c, dir, &err), -FIRN_DATA);
    CHECK(findings(dir, -FIRN_DATA) > 0);
    run(dir, 0, 20);
    CHECK_INT(findings(dir, 0), 0);
    snprintf(path, sizeof path, "%s/seg-00000002.firn", dir);
    CHECK(access(path, F_OK) == 0, "numbers are not used again");
    remove_dir(dir);
    free(dir);
}

static void kill_writer(const char *dir, unsigned photographs)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct firn_writer *w = open_writer(dir);
        struct firn_error err = {0};
        uint32_t root;
        if (test_root(w, &root, &err) != 0)
            _exit(1);
        for (unsigned id = 0; id < photographs; id++)
            if (test_add(w, id, root, &err) != 0 || firn_writer_commit(w, &err) != 0)
                _exit(1);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
}

/* Runs that are killed before they have stored anything leave nothing, whatever was there. */
static void test_killed_early(void)
{
    char *dir = test_dir(), path[4200];
    for (int i = 0; i < 5; i++)
        kill_writer(dir, 0);
    CHECK_INT(count_segments(dir, 30), 1);
    CHECK_INT(findings(dir, 0), 0);
    kill_writer(dir, 3);
    for (int i = 0; i < 5; i++)
        kill_writer(dir, 0);
    unsigned n = count_segments(dir, 30);
    CHECK(n <= 2, "%u", n);
    snprintf(path, sizeof path, "%s/seg-00000029.firn", dir); /* created, and no more */
    spill(path, (const uint8_t *)"", 0);
    run(dir, 0, 60);
    CHECK(access(path, F_OK) != 0, "an empty file is still there");
    CHECK_INT(findings(dir, 0), 0);
    size_t records;
    CHECK_INT(lost_segments(dir, &records), 0);
    CHECK_INT(records, 60);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    test_missing();
    test_all_missing();
    test_killed_early();
    CHECK_DONE();
}
