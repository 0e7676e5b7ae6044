/* SPDX-License-Identifier: MIT */
/** Compaction, repair and merging: nothing is lost that was there, nothing comes back. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "cache/upkeep.h"
#include "cache_util.h"

static const struct firn_writer_settings small = {.segment_bytes = 24 << 10};

static void run_in(const char *dir, const char *root_path, unsigned first, unsigned last)
{
    static const char *const classes[] = {"ants", "bees"};
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    uint32_t root;
    CHECK(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &small, &err) == 0, "%s",
          err.text);
    CHECK_INT(firn_writer_root(w, root_path, classes, 2, &root, &err), 0);
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

static void run(const char *dir, unsigned first, unsigned last)
{
    run_in(dir, "/photos", first, last);
}

/* Photographs 0..n-1 of each of `roots` roots are done and right, and there is no other. */
static void check_contents(const char *dir, unsigned n, unsigned roots)
{
    struct firn_cache *c = open_reader(dir);
    struct firn_error err = {0};
    size_t done = 0;
    for (size_t i = 0; i < firn_cache_count(c); i++) {
        struct firn_photo p;
        float feature[DIM];
        firn_cache_photo(c, i, &p);
        if (p.state != FIRN_DONE)
            continue;
        unsigned id = (unsigned)atoi(strchr(p.name, '/') + 1);
        CHECK(firn_cache_features(c, &i, 1, feature, &err) == 0, "%s", err.text);
        CHECK(id < n && same_feature(feature, id));
        done++;
    }
    CHECK_INT(done, n * roots);
    firn_cache_close(c);
    check_clean(dir);
}

static void add_superseded_and_gone(const char *dir)
{
    struct firn_writer *w = open_writer(dir);
    struct firn_error err = {0};
    char name[64];
    float f[DIM];
    uint32_t root;
    CHECK_INT(test_root(w, &root, &err), 0);
    struct firn_record r = test_record(5, root, name, f), old;
    test_feature(7777, f);
    test_content(7777, r.content);
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_commit(w, &err), 0);
    old = test_record(5, root, name, f); /* and back again: 7777 is superseded */
    CHECK_INT(firn_writer_add(w, &old, &err), 0);
    CHECK_INT(test_add_gone(w, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
}

static void test_compact(void)
{
    char *dir = test_dir();
    struct firn_upkeep done;
    struct firn_error err = {0};
    struct firn_cache_stat stat;
    float feature[DIM];
    run(dir, 0, 200);
    run(dir, 200, 300);
    CHECK(firn_compact_with(dir, &small, &done, &err) == 0, "%s", err.text);
    CHECK_INT(done.rows, 300);
    add_superseded_and_gone(dir);
    struct firn_cache *before = open_reader(dir);
    firn_cache_stat(before, &stat);
    CHECK_INT(stat.rows, 301);
    CHECK_INT(stat.gone, 1);
    CHECK(firn_compact_with(dir, &small, &done, &err) == 0, "%s", err.text);
    CHECK_INT(done.gone, 1);
    CHECK_INT(done.rows_before, 301);
    CHECK_INT(done.rows, 300);
    CHECK_INT(done.photographs, 300);
    check_contents(dir, 300, 1);
    for (size_t i = 0; i < firn_cache_count(before); i++) { /* who had it open reads on */
        struct firn_photo p;
        firn_cache_photo(before, i, &p);
        CHECK(p.state == FIRN_GONE || firn_cache_features(before, &i, 1, feature, &err) == 0, "%s",
              err.text);
    }
    firn_cache_close(before);
    struct firn_cache *after = open_reader(dir);
    firn_cache_stat(after, &stat);
    CHECK_INT(stat.gone, 0);
    firn_cache_close(after);
    struct firn_upkeep again;
    CHECK(firn_compact_with(dir, &small, &again, &err) == 0, "%s", err.text);
    CHECK_INT(again.photographs, 0); /* nothing to do */
    CHECK_INT(again.bytes, done.bytes);
    run(dir, 0, 330);
    check_contents(dir, 330, 1);
    CHECK_INT(firn_compact_with("/nonexistent", &small, &done, &err), -FIRN_NOINPUT);
    remove_dir(dir);
    free(dir);
}

/* So many commits of 50 photographs each, from `first` on. */
static void finish(const char *dir, const struct firn_writer_settings *settings, unsigned first,
                   unsigned commits, bool gone)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    uint32_t root;
    CHECK(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, settings, &err) == 0, "%s",
          err.text);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned k = 0; k < commits; k++) {
        for (unsigned id = first + 50 * k; id < first + 50 * (k + 1); id++)
            CHECK_INT(test_add(w, id, root, &err), 0);
        CHECK_INT(firn_writer_commit(w, &err), 0);
    }
    if (gone)
        CHECK_INT(test_add_gone(w, &err), 0);
    CHECK(firn_writer_finish(w, &err) == 0, "%s", err.text);
}

static int full(void *user, const char *path)
{
    (void)user, (void)path;
    errno = ENOSPC;
    return -1;
}

/* At the end of a run gaps are closed, when that is possible, drops nothing and pays. */
static void test_finish(void)
{
    struct firn_writer_settings from = {.tidy_from = 1};
    struct firn_disk disk = firn_disk_system;
    char *dir = test_dir(), one[4200], two[4200];
    struct firn_cache_stat stat;
    float feature[DIM];
    struct firn_error err = {0};
    snprintf(one, sizeof one, "%s/seg-00000001.firn", dir);
    snprintf(two, sizeof two, "%s/seg-00000002.firn", dir);
    finish(dir, &from, 0, 1, false); /* one commit leaves as much as is left then */
    CHECK(access(one, F_OK) == 0 && access(two, F_OK) != 0);
    finish(dir, &(struct firn_writer_settings){0}, 50, 3, false); /* too small to matter */
    CHECK(access(one, F_OK) == 0 && access(two, F_OK) != 0);
    disk.create = full;
    from.disk = &disk;
    finish(dir, &from, 200, 3, false); /* no room: it stays as it is */
    CHECK(access(one, F_OK) == 0 && access(two, F_OK) != 0);
    check_contents(dir, 350, 1);
    from.disk = NULL;
    struct firn_cache *before = open_reader(dir);
    finish(dir, &from, 350, 3, false);
    CHECK(access(one, F_OK) != 0 && access(two, F_OK) == 0);
    check_contents(dir, 500, 1);
    for (size_t i = 0; i < firn_cache_count(before); i++) /* who had it open reads on */
        CHECK(firn_cache_features(before, &i, 1, feature, &err) == 0, "%s", err.text);
    firn_cache_stat(before, &stat);
    CHECK_INT(stat.records, 350);
    firn_cache_close(before);
    finish(dir, &from, 500, 3, true); /* what is gone may come back */
    CHECK(access(two, F_OK) == 0);
    check_contents(dir, 650, 1);
    struct firn_cache *c = open_reader(dir);
    firn_cache_stat(c, &stat);
    CHECK(stat.segments == 1 && stat.gone == 1, "%zu, %zu", stat.segments, stat.gone);
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

/* Compactions that are killed at any moment, one after the other. */
static void test_kill(void)
{
    char *dir = test_dir();
    unsigned long long state = 11;
    struct firn_upkeep done;
    struct firn_error err = {0};
    run(dir, 0, 300);
    for (int round = 0, rounds = test_times(40, 1000); round < rounds; round++) {
        int status;
        add_superseded_and_gone(dir);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            firn_compact_with(dir, &small, &done, &err);
            kill(getpid(), SIGKILL);
        }
        struct timespec t = {0, (long)(check_random(&state) % 8000) * 1000};
        nanosleep(&t, NULL);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        check_contents(dir, 300, 1);
    }
    CHECK(firn_compact_with(dir, &small, &done, &err) == 0, "%s", err.text);
    CHECK_INT(done.rows, 300);
    check_contents(dir, 300, 1);
    remove_dir(dir);
    free(dir);
}

static unsigned lost_told;

static void count_lost(void *user, const char *path, const char *what)
{
    (void)user;
    CHECK(strncmp(path, "/photos/", 8) == 0 && *what);
    lost_told++;
}

/* There is nothing more to repair; what is lost until it is computed again is said every time. */
static void check_again(const char *dir, size_t lost)
{
    struct firn_upkeep_options o = {.on_photograph = count_lost};
    struct firn_upkeep u;
    struct firn_error err = {0};
    for (int i = 0; i < 4; i++) {
        o.yes = i > 0;
        o.requeue = i > 1;
        lost_told = 0;
        CHECK(firn_repair(dir, &o, &u, &err) == 0, "%s", err.text);
        CHECK_INT(u.damaged, 0);
        CHECK_INT(u.lost, i < 3 ? lost : 0);
        CHECK_INT(u.lost, lost_told);
    }
}

/* A flipped byte, a cut, a missing segment: repair keeps the rest, extract adds what is lost. */
static void test_repair(void)
{
    for (int how = 0; how < 6; how++) {
        char *dir = test_dir(), path[4200], aside[4300];
        struct firn_upkeep_options o = {.on_photograph = count_lost, .requeue = how % 2};
        struct firn_upkeep u;
        struct firn_error err = {0};
        size_t size;
        run(dir, 0, 300);
        CHECK(firn_repair(dir, &o, &u, &err) == 0, "%s", err.text);
        CHECK_INT(u.damaged, 0);
        snprintf(path, sizeof path, "%s/seg-%08u.firn", dir, how < 2 ? 1 : 2);
        snprintf(aside, sizeof aside, "%s.damaged", path);
        uint8_t *bytes = slurp(path, &size);
        unlink(path);
        if (how < 4) {
            bytes[how < 2 ? 9000 : size / 2] ^= 4;
            spill(path, bytes, how < 2 ? size : size - 5000);
        }
        free(bytes);
        lost_told = 0;
        CHECK(firn_repair(dir, &o, &u, &err) == 0, "%s", err.text);
        CHECK_INT(u.damaged, 1);
        CHECK_INT(u.lost, lost_told);
        size_t lost = u.lost;
        CHECK(how >= 4 || lost > 0, "way %d", how);
        CHECK(access(aside, F_OK) != 0, "a dry run changes nothing");
        o.yes = true;
        CHECK(firn_repair(dir, &o, &u, &err) == 0, "%s", err.text);
        CHECK_INT(u.lost, lost);
        CHECK_INT(access(aside, F_OK) == 0, how < 4);
        struct firn_verify_result v = {0};
        firn_verify(dir, 1, NULL, NULL, &v, &err);
        CHECK_INT(v.findings, o.requeue || lost == 0 ? 0 : 1); /* that features are lost */
        struct firn_cache_stat stat;
        struct firn_cache *c = open_reader(dir);
        firn_cache_stat(c, &stat);
        CHECK_INT(stat.lost_segments, 0);
        CHECK_INT(stat.skipped, lost);
        CHECK_INT(stat.records + lost, how < 4 ? 300 : stat.records);
        firn_cache_close(c);
        check_again(dir, o.requeue ? 0 : lost);
        run(dir, 0, 300);
        check_contents(dir, 300, 1);
        unlink(aside);
        remove_dir(dir);
        free(dir);
    }
}

static unsigned conflicts;

static void count_conflict(void *user, const char *path, const char *what)
{
    (void)user, (void)path, (void)what;
    conflicts++;
}

static void test_merge(void)
{
    char *a = test_dir(), *b = test_dir(), *out = test_dir(), name[64];
    const char *in[] = {a, b};
    struct firn_upkeep_options o = {.on_photograph = count_conflict};
    struct firn_upkeep u;
    struct firn_error err = {0};
    float f[DIM];
    uint32_t root;
    run(a, 0, 150);
    run(b, 100, 300);
    run_in(b, "/more", 0, 300);
    CHECK(firn_merge(out, in, 2, &o, &u, &err) == 0, "%s", err.text);
    CHECK_INT(u.rows, 300);
    CHECK_INT(u.conflicts, 0);
    check_contents(out, 300, 2);
    CHECK(firn_merge(out, in, 2, &o, &u, &err) == 0, "%s", err.text);
    CHECK_INT(u.photographs, 0); /* idempotent */
    check_contents(out, 300, 2);
    CHECK_INT(firn_merge(a, in, 1, &o, &u, &err), -FIRN_USAGE);

    /* Another feature of the same contents, and other contents of the same name. */
    char *c = test_dir();
    struct firn_writer *w = open_writer(c);
    CHECK_INT(test_root(w, &root, &err), 0);
    struct firn_record r = test_record(3, root, name, f);
    f[0] += 1;
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    r = test_record(4, root, name, f);
    test_content(4444, r.content);
    r.mtime_ns--;
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    in[0] = c;
    conflicts = 0;
    CHECK_INT(firn_merge(out, in, 1, &o, &u, &err), -FIRN_PARTIAL);
    CHECK_INT(conflicts, 2);
    CHECK_INT(u.conflicts, 2);
    check_contents(out, 300, 2);

    struct firn_fingerprint fp = test_fingerprint();
    char *d = test_dir();
    strcpy(fp.part[FIRN_PART_PREPROCESS], "resize=232 crop=224 mean=imagenet");
    CHECK_INT(firn_writer_open(&w, d, &fp, DIM, FIRN_STORE_F32, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    in[0] = a;
    in[1] = d;
    CHECK_INT(firn_merge(out, in, 2, &o, &u, &err), -FIRN_CONFIG);
    CHECK(strstr(err.text, "resize") != NULL, "%s", err.text);
    char *dirs[] = {a, b, c, d, out};
    for (int i = 0; i < 5; i++) {
        remove_dir(dirs[i]);
        free(dirs[i]);
    }
}

static const char *is_network(void *user, const char *path)
{
    (void)user, (void)path;
    return "NFS";
}

static uint64_t no_room(void *user, const char *path)
{
    (void)path;
    return *(uint64_t *)user;
}

/* Who waits for a cache to be opened may give up. */
static void test_stop(void)
{
    volatile int stop = 1;
    struct firn_writer_settings settings = {.stop = &stop};
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    char *dir = test_dir();
    run(dir, 0, 30);
    CHECK_INT(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err),
              -FIRN_INTERRUPTED);
    CHECK(w == NULL && strstr(err.text, "stopped"), "%s", err.text);
    stop = 0;
    CHECK_INT(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err), 0);
    stop = 1; /* it is open now: that is for others to heed */
    CHECK_INT(firn_writer_close(w, &err), 0);
    check_contents(dir, 30, 1);
    remove_dir(dir);
    free(dir);
}

static void test_refusals(void)
{
    char *dir = test_dir();
    struct firn_disk disk = firn_disk_system;
    struct firn_writer_settings settings = {.disk = &disk};
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    uint64_t room = 1 << 30;
    uint32_t root;
    disk.network = is_network;
    CHECK_INT(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err),
              -FIRN_CANTCREATE);
    CHECK(strstr(err.text, "NFS") && strstr(err.text, "--allow-network-fs"), "%s", err.text);
    settings.allow_network = true;
    disk.user = &room;
    disk.room = no_room;
    CHECK(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err) == 0, "%s",
          err.text);
    CHECK_INT(test_root(w, &root, &err), 0);
    CHECK_INT(test_add(w, 0, root, &err), 0);
    CHECK_INT(firn_writer_commit(w, &err), 0);
    for (unsigned id = 1; id < 30000; id++)
        CHECK_INT(test_add(w, id, root, &err), 0);
    room = 1 << 20; /* not enough, and what is reserved neither: nothing is tried, nothing torn */
    CHECK_INT(firn_writer_commit(w, &err), -FIRN_IO);
    CHECK(strstr(err.text, "full") && strstr(err.text, "29999"), "%s", err.text);
    room = 1 << 30;
    CHECK_INT(firn_writer_commit(w, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    check_contents(dir, 30000, 1);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    test_compact();
    test_finish();
    test_kill();
    test_repair();
    test_merge();
    test_stop();
    test_refusals();
    CHECK_DONE();
}
