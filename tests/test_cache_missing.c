/* SPDX-License-Identifier: MIT */
/** Segments that were removed, replaced or cut, and those that killed runs leave behind. */
#include <signal.h>
#include <sys/wait.h>

#include "cache/upkeep.h"
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

/* A writer that was killed leaves no footer; damage to the ledger is known all the same. */
static void test_damaged_ledger(void)
{
    char *dir = test_dir(), path[4200];
    size_t size, records;
    kill_writer(dir, 5);
    snprintf(path, sizeof path, "%s/seg-00000001.firn", dir);
    uint8_t *bytes = slurp(path, &size);
    for (size_t at = FIRN_PAGE; at < size; at += 64) {
        struct firn_block b;
        if (firn_header_decode(bytes + at, &b) != FIRN_HEADER_GOOD || b.type != FIRN_BLOCK_LEDGER)
            continue;
        for (size_t where = 0; where < 2; where++) { /* in its header, in its payload */
            bytes[at + 40 * where + 40] ^= 1;
            spill(path, bytes, size);
            CHECK_INT(lost_segments(dir, &records), 1);
            CHECK(records < 5, "%zu", records);
            struct firn_verify_result v;
            struct firn_error err;
            CHECK_INT(firn_verify(dir, 0, NULL, NULL, &v, &err), -FIRN_DATA);
            CHECK_INT(firn_verify(dir, 1, NULL, NULL, &v, &err), -FIRN_DATA);
            bytes[at + 40 * where + 40] ^= 1;
        }
    }
    spill(path, bytes, size);
    CHECK_INT(lost_segments(dir, &records), 0);
    CHECK_INT(records, 5);
    run(dir, 0, 60);
    CHECK_INT(findings(dir, 0), 0);
    free(bytes);
    remove_dir(dir);
    free(dir);
}

/* A segment of terabytes that are a hole is as quickly passed over as none. */
static void test_hole(void)
{
    char *dir = test_dir(), path[4200];
    size_t records;
    run(dir, 0, 60);
    snprintf(path, sizeof path, "%s/seg-00000001.firn", dir);
    if (truncate(path, (off_t)4 << 40) == 0) {
        CHECK_INT(lost_segments(dir, &records), 0);
        CHECK_INT(records, 60);
        CHECK_INT(findings(dir, 0), 0);
        run(dir, 0, 90);
        CHECK_INT(lost_segments(dir, &records), 0);
        CHECK_INT(records, 90);
    }
    remove_dir(dir);
    free(dir);
}

/* A segment of another cache, under a number below or above those of this one. */
static void test_stranger(unsigned number, bool with_lock)
{
    char *dir = test_dir(), *other = test_dir(), path[4200];
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_upkeep_options options = {.yes = true};
    struct firn_upkeep done;
    struct firn_error err = {0};
    struct firn_writer *w;
    size_t size, records;
    strcpy(fp.part[2], "resize=512 crop=448");
    CHECK_INT(firn_writer_open(&w, other, &fp, DIM + 1, FIRN_STORE_F32, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    snprintf(path, sizeof path, "%s/seg-00000001.firn", other);
    uint8_t *bytes = slurp(path, &size);
    run(dir, 0, PHOTOS);
    if (number == 1) { /* make room for it */
        struct firn_writer_settings settings = {.segment_bytes = 24 << 10};
        w = open_writer(dir);
        CHECK_INT(test_add_gone(w, &err), 0);
        CHECK_INT(firn_writer_close(w, &err), 0);
        CHECK(firn_compact_with(dir, &settings, &done, &err) == 0, "%s", err.text);
    }
    snprintf(path, sizeof path, "%s/seg-%08u.firn", dir, number);
    CHECK(access(path, F_OK) != 0);
    spill(path, bytes, size);
    free(bytes);
    snprintf(path, sizeof path, "%s/LOCK", dir);
    if (!with_lock)
        unlink(path);
    CHECK_INT(lost_segments(dir, &records), 0);
    CHECK_INT(records, PHOTOS);
    CHECK(firn_repair(dir, &options, &done, &err) == 0, "%s", err.text);
    CHECK_INT(lost_segments(dir, &records), 0);
    CHECK_INT(records, PHOTOS);
    run(dir, 0, PHOTOS + 20);
    CHECK_INT(lost_segments(dir, &records), 0);
    CHECK_INT(records, PHOTOS + 20);
    CHECK_INT(findings(dir, 0), 0);
    remove_dir(dir);
    remove_dir(other);
    free(dir);
    free(other);
}

static void count_missing(void *user, const struct firn_finding *f)
{
    int *n = user;
    n[0] += strstr(f->what, "the segment is missing") != NULL;
    n[1] += strstr(f->what, "let go of it") != NULL;
}

/*
 * A compaction lets go of segments with its last roster. When that is cut off nobody can say that
 * those which the first one names are missing, and when it is damaged only that they may be.
 */
static void test_let_go(void)
{
    char *dir = test_dir(), path[4200];
    struct firn_error err = {0};
    struct firn_upkeep done;
    struct firn_verify_result v;
    size_t size, roster = 0;
    run(dir, 0, PHOTOS);
    struct firn_writer *w = open_writer(dir);
    CHECK_INT(test_add_gone(w, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    const struct firn_upkeep_options options = {0};
    CHECK(firn_compact(dir, &options, &done, &err) == 0, "%s", err.text);
    check_clean(dir);
    unsigned number = 1;
    while (snprintf(path, sizeof path, "%s/seg-%08u.firn", dir, number), access(path, F_OK) != 0)
        number++;
    CHECK(number > 2);
    uint8_t *bytes = slurp(path, &size);
    for (int cut = 0; cut < 2; cut++) {
        int missing[2] = {0};
        if (cut) {
            spill(path, bytes, size * 9 / 10);
        } else {
            for (size_t at = 0; at + 64 < size; at += 64)
                if (memcmp(bytes + at, "\xF1RN\x1A", 4) == 0 && bytes[at + 5] == FIRN_BLOCK_ROSTER)
                    roster = at;
            CHECK(roster > 4096);
            bytes[roster + FIRN_HEADER] ^= 1;
            spill(path, bytes, size);
            bytes[roster + FIRN_HEADER] ^= 1;
        }
        CHECK_INT(firn_verify(dir, 1, count_missing, missing, &v, &err), -FIRN_DATA);
        CHECK(v.ledger_damaged || !cut);
        CHECK_INT(missing[0], 0);
        CHECK(cut ? missing[1] == 0 : missing[1] > 1, "(%d)", missing[1]);
    }
    run(dir, 0, PHOTOS);
    CHECK_INT(findings(dir, 0), 0);
    free(bytes);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    test_let_go();
    test_damaged_ledger();
    test_hole();
    for (int i = 0; i < 4; i++)
        test_stranger(i % 2 ? 1 : 99, i / 2);
    test_missing();
    test_all_missing();
    test_killed_early();
    CHECK_DONE();
}
