/* SPDX-License-Identifier: MIT */
/** The file INDEX: with it a reader says exactly what it says without it, or that it is damaged. */
#include "cache/reader.h"
#include "cache/upkeep.h"
#include "same_snapshot.h"

enum { FIRST = 700, NEVER = 1 << 30 };
static int views = 1; /* in a row */

static struct firn_writer *writer(const char *dir, size_t index_from, const struct firn_disk *disk)
{
    struct firn_writer_settings settings = {.index_from = index_from, .disk = disk,
                                            .segment_bytes = 40 << 10, .views = views,
                                            .footer_blocks = 6};
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer *w = NULL;
    if (firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, NULL) != 0)
        abort();
    return w;
}

static void add_root(struct firn_writer *w, const char *path, uint32_t *root)
{
    static const char *const classes[] = {"ants", "bees"};
    CHECK_INT(firn_writer_root(w, path, classes, 2, root, NULL), 0);
}

/* Photograph `id` under `root`, with contents number `content`; some fail, some are twins. */
static void add(struct firn_writer *w, uint32_t root, unsigned id, unsigned content)
{
    char name[64];
    float feature[DIM];
    struct firn_record r = test_record(content, root, name, feature);
    snprintf(name, sizeof name, "%s/%s%05u.jpg", id % 3 ? "bees" : id % 7 ? "ants" : "other",
             id % 5 ? "" : "deep/er/", id);
    if (id % 31 == 7) {
        r.state = id % 2 ? FIRN_CORRUPT : FIRN_SKIPPED;
        r.reason = "made up";
        r.feature = NULL;
    }
    if (id % 62 == 7)
        memset(r.content, 0, sizeof r.content);
    CHECK_INT(firn_writer_add(w, &r, NULL), 0);
}

static void add_some(struct firn_writer *w, uint32_t root, unsigned from, unsigned n, unsigned step)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned id = from + i * step;
        add(w, root, id, id % 41 == 3 ? 44 : id); /* 44 has many twins */
        if (i % 100 == 99)
            CHECK_INT(firn_writer_commit(w, NULL), 0);
    }
}

static char *path_in(const char *dir, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", dir, name) < 0)
        abort();
    return path;
}

static bool has_file(const char *dir, const char *name)
{
    char *path = path_in(dir, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/* Compares a reader with INDEX, if `used`, to one without; how many photographs there are. */
static size_t compare(const char *dir, bool used)
{
    struct firn_cache *a = open_reader(dir), *b = NULL;
    struct firn_cache_stat stat;
    CHECK_INT(firn_cache_open_whole(&b, dir, NULL), 0);
    firn_cache_stat(a, &stat);
    CHECK_INT(stat.index_bytes > 0, used);
    same_facts(a, b);
    size_t n = firn_cache_count(b);
    CHECK_INT(firn_cache_count(a), n);
    for (size_t i = 0; i < n; i++) {
        same_photo(a, b, i);
        same_features(a, b, i);
        if (i % 300 == 0)
            firn_cache_forget(a);
    }
    same_rows(a, b);
    size_t i = 0;
    CHECK_INT(firn_cache_find(a, "no/such.jpg", &i, NULL), -FIRN_NOINPUT);
    CHECK_INT(firn_cache_find_content(a, (uint8_t[32]){1}, &i), -FIRN_NOINPUT);
    CHECK_INT(firn_cache_feature_of(a, (uint8_t[32]){1}, (float[DIM]){0}, NULL), -FIRN_NOINPUT);
    firn_cache_close(a);
    firn_cache_close(b);
    return n;
}

static char *make(void)
{
    char *dir = test_dir();
    uint32_t root, other;
    struct firn_writer *w = writer(dir, 1, NULL);
    struct firn_run run = {.start = 5, .seconds = 1, .done = 77};
    add_root(w, "/photos", &root);
    add_root(w, "/album", &other);
    add_some(w, root, 0, FIRST, 2);
    add_some(w, other, 0, FIRST / 4, 3);
    CHECK_INT(firn_writer_run(w, &run, NULL), 0);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    return dir;
}

static void mark_gone(struct firn_writer *w, uint32_t root, const struct firn_cache *c, size_t step)
{
    for (size_t i = 0; i < firn_cache_count(c); i += step) {
        struct firn_photo p;
        firn_cache_photo(c, i, &p);
        CHECK_INT(firn_writer_gone(w, root, p.name, NULL), 0);
    }
}

/* Everything that can happen to photographs, behind what INDEX knows. */
static void test_appended(void)
{
    char *dir = make();
    uint32_t root, other;
    CHECK(compare(dir, true) > FIRST);
    for (int round = 0; round < 3; round++) {
        struct firn_writer *w = writer(dir, NEVER, NULL);
        struct firn_cache *c = open_reader(dir);
        add_root(w, "/photos", &root);
        add_root(w, "/album", &other);
        add_some(w, root, 1, 60, 2);                              /* between the others */
        add_some(w, other, 100000u * ((unsigned)round + 1), 9, 1);/* and behind them */
        for (unsigned id = 0; id < 200; id += 22)                 /* changed since */
            add(w, root, id, id + 1000000 + (unsigned)round);
        for (unsigned id = 4; id < 90; id += 11)                  /* a twin of what INDEX has */
            add(w, other, 50000 + id, id);
        mark_gone(w, root, c, 13);
        CHECK_INT(firn_writer_commit(w, NULL), 0);
        firn_cache_close(c);
        compare(dir, true); /* while it is open */
        if (round == 1)
            firn_writer_destroy(w); /* killed: no footer */
        else
            CHECK_INT(firn_writer_close(w, NULL), 0);
        compare(dir, true);
    }
    struct firn_writer *w = writer(dir, 1, NULL); /* due */
    add_root(w, "/photos", &root);
    add(w, root, 777777, 777777);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    compare(dir, true);
    char *path = path_in(dir, "INDEX");
    CHECK_INT(unlink(path), 0);
    compare(dir, false);
    check_clean(dir);
    free(path);
    remove_dir(dir);
    free(dir);
}

/* States of the cache that INDEX is not of. */
static void test_misfits(void)
{
    static const char *const classes[] = {"ants", "bees", "cats", "other"};
    char *dir = make(), *path = path_in(dir, "INDEX");
    uint32_t root;
    size_t size;
    uint8_t *old = slurp(path, &size);
    struct firn_writer *w = writer(dir, NEVER, NULL);
    CHECK_INT(firn_writer_root(w, "/photos", classes, 4, &root, NULL), 0);
    add_some(w, root, 3, 20, 2);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    compare(dir, false); /* other classes: another order */
    CHECK(has_file(dir, "INDEX"));

    w = writer(dir, 1, NULL);
    add_some(w, root, 1003, 5, 2);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    compare(dir, true);
    spill(path, old, size); /* an old one comes back */
    compare(dir, false);

    struct firn_writer_settings settings = {.index_from = 1};
    struct firn_upkeep result;
    struct firn_cache *c = open_reader(dir);
    w = writer(dir, 1, NULL);
    mark_gone(w, root, c, 3);
    firn_cache_close(c);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    CHECK_INT(firn_compact_with(dir, &settings, &result, NULL), 0);
    CHECK(result.gone > 0);
    compare(dir, true); /* of what is there now */
    spill(path, old, size);
    compare(dir, false);
    settings.index_from = NEVER;
    CHECK_INT(firn_writer_close(writer(dir, NEVER, NULL), NULL), 0);
    CHECK(has_file(dir, "INDEX")); /* nothing was written */
    w = writer(dir, NEVER, NULL);
    add(w, root, 31337, 31337);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    CHECK(!has_file(dir, "INDEX")); /* too small a cache to keep a stale one */

    char *strange = make(), *other = path_in(strange, "INDEX");
    uint8_t *foreign = slurp(other, &size);
    spill(path, foreign, size);
    compare(dir, false);
    free(foreign);
    free(old);
    free(path);
    free(other);
    remove_dir(strange);
    remove_dir(dir);
    free(strange);
    free(dir);
}

/* A segment that was cut or taken away is missed with INDEX as without. */
static void test_lost_segment(void)
{
    struct firn_cache *c;
    struct firn_cache_stat stat;
    for (int how = 0; how < 3; how++) {
        char *dir = make(), *path = path_in(dir, "seg-00000002.firn");
        CHECK(how ? truncate(path, how == 1 ? 8192 : 100) == 0 : unlink(path) == 0);
        c = open_reader(dir);
        firn_cache_stat(c, &stat);
        CHECK_INT(stat.lost_segments, 1);
        CHECK_INT(stat.index_bytes, 0);
        firn_cache_close(c);
        free(path);
        remove_dir(dir);
        free(dir);
    }
}

/* What a reader may say when INDEX is damaged: what is right, or that it cannot. */
static void check_damaged(const char *dir, const struct firn_cache *whole)
{
    struct firn_cache *c;
    struct firn_error err = {0};
    size_t n = firn_cache_rows(whole), k, m;
    CHECK(firn_cache_open(&c, dir, &err) == 0, "%s", err.text);
    if (!c)
        return;
    CHECK_INT(firn_cache_rows(c), n);
    CHECK_INT(firn_cache_count(c), firn_cache_count(whole));
    int64_t *label = calloc(2 * n + 1, sizeof *label);
    firn_cache_labels(c, label);
    firn_cache_labels(whole, label + n);
    CHECK(memcmp(label, label + n, n * sizeof *label) == 0);
    free(label);
    for (size_t r = 0; r < n; r += 3) {
        struct firn_photo p, q;
        float x[DIM] = {0}, y[DIM] = {1};
        char path[600];
        CHECK_INT(firn_cache_row(c, r), firn_cache_row(whole, r));
        firn_cache_photo(c, firn_cache_row(c, r), &p);
        firn_cache_photo(whole, firn_cache_row(whole, r), &q);
        CHECK(strcmp(p.name, q.name) == 0 || strcmp(p.name, "?") == 0);
        CHECK_INT(firn_cache_range(whole, r, 1, y, NULL), 0);
        int result = firn_cache_range(c, r, 1, x, NULL);
        CHECK(result == -FIRN_DATA || (result == 0 && memcmp(x, y, sizeof x) == 0));
        result = firn_cache_feature_of(c, q.content, x, NULL);
        CHECK(result == -FIRN_DATA || (result == 0 && memcmp(x, y, sizeof x) == 0));
        snprintf(path, sizeof path, "%s/%s", q.root, q.name);
        CHECK_INT(firn_cache_find(whole, path, &m, NULL), 0);
        result = firn_cache_find(c, path, &k, NULL);
        CHECK(result == -FIRN_DATA || (result == 0 && k == m));
    }
    firn_cache_close(c);
}

static void find(void *user, const struct firn_finding *finding)
{
    *(int *)user += strcmp(finding->file, "INDEX") == 0;
}

static void test_damaged(void)
{
    char *dir = make(), *path = path_in(dir, "INDEX");
    size_t size, flips = (size_t)test_times(60, 6000), seen = 0;
    uint8_t *bytes = slurp(path, &size);
    unsigned long long state = 9;
    struct firn_cache *whole;
    struct firn_verify_result result;
    CHECK_INT(firn_cache_open_whole(&whole, dir, NULL), 0);
    for (size_t i = 0; i < flips; i++) {
        size_t at = i < size / FIRN_PAGE ? i * FIRN_PAGE + FIRN_HEADER + i
                                         : check_random(&state) % size;
        int found = 0;
        bytes[at] ^= 0x10;
        spill(path, bytes, size);
        check_damaged(dir, whole);
        CHECK_INT(firn_verify(dir, 1, find, &found, &result, NULL), 0); /* nothing is lost */
        CHECK_INT(result.findings, found);
        seen += (size_t)found;
        bytes[at] ^= 0x10;
    }
    for (size_t i = 0; i < 20; i++) {
        spill(path, bytes, i < 10 ? i * 100 : check_random(&state) % size);
        check_damaged(dir, whole);
    }
    CHECK(seen * 4 > flips * 3); /* the others hit padding between blocks */
    /* Whoever writes next makes it anew. */
    bytes[size / 2] ^= 1;
    spill(path, bytes, size);
    struct firn_writer *w = writer(dir, 1, NULL);
    uint32_t root;
    add_root(w, "/photos", &root);
    add(w, root, 424242, 424242);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    compare(dir, true);
    firn_cache_close(whole);
    free(bytes);
    free(path);
    remove_dir(dir);
    free(dir);
}

/* ---- a disk that fails while INDEX is written ---- */

static int countdown; /* calls that still succeed once INDEX.new is there; below 0: all */
static int aside = -1;

static bool may(int fd)
{
    return fd != aside || countdown < 0 || countdown-- > 0;
}

static int bad_create(void *user, const char *path)
{
    int fd = firn_disk_system.create(user, path);
    if (strstr(path, "INDEX.new"))
        aside = fd;
    return fd;
}

static ssize_t bad_pwrite(void *user, int fd, const void *bytes, size_t n, uint64_t offset)
{
    if (may(fd))
        return firn_disk_system.pwrite(user, fd, bytes, fd == aside && n > 7 ? n / 2 : n, offset);
    errno = ENOSPC;
    return -1;
}

static int bad_fdatasync(void *user, int fd)
{
    return may(fd) ? firn_disk_system.fdatasync(user, fd) : -1;
}

static int bad_rename(void *user, const char *from, const char *to)
{
    return may(aside) ? firn_disk_system.rename(user, from, to) : -1;
}

static void test_bad_disk(void)
{
    struct firn_disk disk = firn_disk_system;
    disk.create = bad_create;
    disk.pwrite = bad_pwrite;
    disk.fdatasync = bad_fdatasync;
    disk.rename = bad_rename;
    bool whole = false;
    for (int calls = 0; calls < 200 && !whole; calls++) {
        char *dir = test_dir();
        uint32_t root;
        aside = -1;
        countdown = calls;
        struct firn_writer *w = writer(dir, 1, &disk);
        add_root(w, "/photos", &root);
        add_some(w, root, 0, 50, 1);
        CHECK_INT(firn_writer_close(w, NULL), 0);
        CHECK(!has_file(dir, "INDEX.new"));
        whole = has_file(dir, "INDEX");
        compare(dir, whole);
        remove_dir(dir);
        free(dir);
    }
    CHECK(whole);
}

/* The next writer tidies up and makes INDEX, though it has nothing else to write. */
static void test_killed(void)
{
    char *dir = make(), *index = path_in(dir, "INDEX"), *aside_path = path_in(dir, "INDEX.new");
    CHECK_INT(rename(index, aside_path), 0);
    CHECK_INT(truncate(aside_path, 5000), 0);
    CHECK_INT(firn_writer_close(writer(dir, 1, NULL), NULL), 0);
    CHECK(!has_file(dir, "INDEX.new"));
    compare(dir, true);
    remove_dir(dir);
    free(aside_path);
    free(index);
    free(dir);
}

int main(void)
{
    test_appended();
    views = 4;
    test_appended();
    views = 1;
    test_misfits();
    test_lost_segment();
    test_damaged();
    test_bad_disk();
    test_killed();
    CHECK_DONE();
}
