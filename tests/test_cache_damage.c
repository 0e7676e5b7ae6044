/* SPDX-License-Identifier: MIT */
/**
 * Damaged caches: cut at every byte, flipped bits, spliced pieces. No crash, no lie, small loss.
 */
#include <sys/resource.h>

#include "cache_util.h"

enum { MOST_KB = 256 << 10 };

static unsigned photographs; /* of the cache under test */

/* A closed cache of two runs with every kind of block, as bytes of its one segment. */
static uint8_t *make_cache(char *dir, size_t *size)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    char path[4200];
    for (unsigned run = 0; run < 2; run++) {
        struct firn_writer *w;
        struct firn_run facts = {.start = 1, .version = "0"};
        uint32_t root;
        CHECK(firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, &err) == 0, "%s", err.text);
        CHECK_INT(test_root(w, &root, &err), 0);
        for (unsigned id = run * photographs / 2; id < (run + 1) * photographs / 2; id++) {
            CHECK_INT(test_add(w, id, root, &err), 0);
            if (id % 10 == 9)
                CHECK_INT(firn_writer_commit(w, &err), 0);
        }
        CHECK_INT(firn_writer_run(w, &facts, &err), 0);
        CHECK_INT(firn_writer_close(w, &err), 0);
    }
    snprintf(path, sizeof path, "%s/seg-00000001.firn", dir);
    return slurp(path, size);
}

/* Opens what is there and reads all of it: each feature is right or refused. Returns how many
 * are right. */
static size_t read_all(const char *dir)
{
    struct firn_cache *c;
    struct firn_error err = {0};
    size_t right = 0;
    int result = firn_cache_open(&c, dir, &err);
    if (result != 0) {
        CHECK(result == -FIRN_DATA || result == -FIRN_NOINPUT || result == -FIRN_CONFIG, "%d %s",
              result, err.text);
        return 0;
    }
    for (size_t i = 0; i < firn_cache_count(c); i++) {
        struct firn_photo p;
        float feature[DIM];
        firn_cache_photo(c, i, &p);
        if (p.state != FIRN_DONE || firn_cache_features(c, &i, 1, feature, &err) != 0)
            continue;
        CHECK(same_feature(feature, (unsigned)atoi(strchr(p.name, '/') + 1)));
        right++;
    }
    firn_cache_close(c);
    return right;
}

static bool verify_finds(const char *dir)
{
    struct firn_verify_result result = {0};
    struct firn_error err = {0};
    int status = firn_verify(dir, 1, NULL, NULL, &result, &err);
    CHECK(status == 0 || status == -FIRN_DATA || status == -FIRN_CONFIG, "%d %s", status,
          err.text);
    return status != 0 || result.findings > 0;
}

/* A writer heals what a reader would miss: afterwards every photograph is there again. */
static void heal(const char *dir)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    uint32_t root;
    int result = firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, &err);
    if (result != 0) {
        CHECK(result == -FIRN_DATA || result == -FIRN_CONFIG, "%d %s", result, err.text);
        return;
    }
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = 0; id < photographs; id++) {
        char name[64];
        float f[DIM];
        struct firn_record r = test_record(id, root, name, f);
        if (firn_writer_known(w, root, name, r.size, r.mtime_ns, r.ctime_ns) == FIRN_UNKNOWN)
            CHECK(firn_writer_add(w, &r, &err) == 0, "%s", err.text);
    }
    CHECK(firn_writer_close(w, &err) == 0, "%s", err.text);
    CHECK_INT(read_all(dir), photographs);
}

/* The cache under test: what its segment and LOCK held when it was whole, and room for a copy. */
struct victim {
    char *dir, path[4200], lock[4200];
    uint8_t *whole, *bytes, *lock_bytes;
    size_t size, lock_size;
    unsigned long long state; /* of the random numbers */
};

static void remove_other_segments(const char *dir)
{
    char path[4200];
    for (int i = 2; i < 5; i++) {
        snprintf(path, sizeof path, "%s/seg-%08d.firn", dir, i);
        unlink(path);
    }
}

/* Heals, and takes back what that wrote. */
static void try_heal(const struct victim *v)
{
    heal(v->dir);
    remove_other_segments(v->dir);
    spill(v->lock, v->lock_bytes, v->lock_size);
}

/* Cut at every byte (every third in the short form): what LOCK says was acknowledged is missed
 * each time. */
static void test_cuts(const struct victim *v)
{
    size_t before = 0, step = (size_t)test_times(3, 1);
    for (size_t cut = 0; cut < v->size; cut += step) {
        spill(v->path, v->whole, cut);
        size_t right = read_all(v->dir);
        CHECK(right >= before, "cut at %zu", cut); /* a longer piece never holds less */
        before = right;
        if (cut > 0)
            CHECK(verify_finds(v->dir), "cut at %zu", cut);
        if (cut % 509 < step)
            try_heal(v);
    }
}

/* Flips: every one is found, and costs at most one block (10 photographs of a commit, or the
 * entries of its ledger). The head stands alone: without it there is no fingerprint. */
static void test_flips(struct victim *v)
{
    int flips = test_times(2000, 100000);
    for (int k = 0; k < flips; k++) {
        size_t at = check_random(&v->state) % v->size;
        memcpy(v->bytes, v->whole, v->size);
        v->bytes[at] ^= (uint8_t)(1u << (check_random(&v->state) & 7));
        spill(v->path, v->bytes, v->size);
        CHECK(verify_finds(v->dir), "flip at %zu", at);
        size_t right = read_all(v->dir);
        CHECK(right >= photographs - 10 || at < FIRN_PAGE, "flip at %zu leaves %zu", at, right);
        if (k % 50 == 0)
            try_heal(v);
    }
}

/* Splices: a piece of the file over another place of it, or noise. */
static void test_splices(struct victim *v)
{
    int splices = test_times(1000, 10000);
    for (int k = 0; k < splices; k++) {
        size_t from = check_random(&v->state) % v->size, to = check_random(&v->state) % v->size;
        size_t most = v->size - (from > to ? from : to);
        size_t piece = check_random(&v->state) % most + 1;
        if (k % 2)
            from &= ~(size_t)63, to &= ~(size_t)63; /* where blocks may start */
        if (k % 3 == 0 && piece > 64)
            piece = 64;
        memcpy(v->bytes, v->whole, v->size);
        memmove(v->bytes + to, v->bytes + from, piece);
        if (k % 5 == 0)
            for (size_t i = 0; i < piece; i++)
                v->bytes[to + i] = (uint8_t)check_random(&v->state);
        spill(v->path, v->bytes, v->size);
        bool same = memcmp(v->bytes, v->whole, v->size) == 0;
        CHECK(verify_finds(v->dir) != same, "splice %d", k);
        read_all(v->dir);
    }
}

int main(void)
{
    struct victim v = {.dir = test_dir(), .state = 42};
    photographs = (unsigned)test_times(60, 120);
    v.whole = make_cache(v.dir, &v.size);
    v.bytes = malloc(v.size);
    if (!v.bytes)
        return 1;
    snprintf(v.path, sizeof v.path, "%s/seg-00000001.firn", v.dir);
    snprintf(v.lock, sizeof v.lock, "%s/LOCK", v.dir);
    v.lock_bytes = slurp(v.lock, &v.lock_size);
    CHECK_INT(read_all(v.dir), photographs);
    CHECK(!verify_finds(v.dir));
    test_cuts(&v);
    test_flips(&v);
    test_splices(&v);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("a cache of %zu bytes: %zu cuts, %d flips, %d splices, %ld kB of memory\n", v.size,
           v.size / (size_t)test_times(3, 1), test_times(2000, 100000), test_times(1000, 10000),
           used.ru_maxrss);
    CHECK(used.ru_maxrss <= MOST_KB, "%ld kB", used.ru_maxrss);
    free(v.whole);
    free(v.bytes);
    free(v.lock_bytes);
    remove_dir(v.dir);
    free(v.dir);
    CHECK_DONE();
}
