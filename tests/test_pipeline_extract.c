/* SPDX-License-Identifier: MIT */
/*
 * firn_extract() over real photographs, trunk and cache: the same features whatever the threads,
 * the batch, the way of reading, the order, and the moments at which it was stopped or killed.
 */
#include <signal.h>
#include <sys/wait.h>

#include "../tools/sample_set.h"
#include "base/hash.h"
#include "firn/extract.h"
#include "test_pipeline.h"

/* Loading a model is most of a run, and ten times that under a sanitizer: fewer runs then. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS 1
#define WAYS 2
#else
#define ROUNDS 3
#define WAYS 5
#endif

#define GOOD 42 /* photographs that decode */
#define BAD 4

static char photos[PATH_MAX], bad[PATH_MAX]; /* the second: the same and bad ones among them */

static void make_photos(const char *dir, bool with_bad)
{
    static const char *const classes[] = {"ants", "bees", "empty", "wasps"};
    char name[128];
    make_dir(dir);
    for (int c = 0; c < 4; c++) {
        snprintf(name, sizeof name, "%s/%s", dir, classes[c]);
        make_dir(name);
    }
    for (int i = 0; i < GOOD; i++) {
        const char *class_name = classes[i % 3 == 2 ? 3 : i % 3];
        snprintf(name, sizeof name, "%s/%s/%02d.jpg", dir, class_name, i);
        if (firn_sample_write(in_tree("%s", name), 90 + 7 * i, 240 - 3 * i, i % 4, (uint64_t)i))
            abort();
    }
    if (!with_bad)
        return;
    snprintf(name, sizeof name, "%s/ants/00 zero.jpg", dir);
    make_file(name, "", 0);
    snprintf(name, sizeof name, "%s/ants/text.jpg", dir);
    make_file(name, "this is no photograph\n", 22);
    snprintf(name, sizeof name, "%s/bees/00 cut.jpg", dir);
    make_file(name, "", 0);
    if (firn_sample_write(in_tree("%s", name), 300, 200, 1, 99) ||
        truncate(in_tree("%s", name), 3000) != 0)
        abort();
    snprintf(name, sizeof name, "%s/wasps/fifo.jpg", dir);
    if (mkfifo(in_tree("%s", name), 0666) != 0)
        abort();
}

static struct firn_extract_options usual(const char *cache, const char *const *path)
{
    return (struct firn_extract_options){.model = "untrained:resnet18", .cache = cache,
                                         .paths = path, .n_paths = 1, .resize = 72, .crop = 64,
                                         .threads = 2, .batch = 8};
}

static int extract(const struct firn_extract_options *o, struct firn_progress *result)
{
    struct firn_error err = {0};
    int status = firn_extract(o, result, &err);
    CHECK(status == 0 || (int)err.code == -status, "(%d: %s)", status, err.text);
    CHECK(status == 0 || status == -FIRN_PARTIAL || status == -FIRN_INTERRUPTED, "(%s)", err.text);
    return status;
}

/* All that a cache says of photographs that are done, and how many these are. */
struct digest {
    uint8_t hash[FIRN_HASH_SIZE];
    size_t done, failed;
};

static void add_photo(struct firn_hasher *h, struct digest *d, const struct firn_cache *cache,
                      size_t i, int dim)
{
    struct firn_photo photo;
    struct firn_error err;
    float feature[512];
    firn_cache_photo(cache, i, &photo);
    d->done += photo.state == FIRN_DONE;
    d->failed += photo.state != FIRN_DONE;
    if (photo.state != FIRN_DONE)
        return;
    CHECK(dim == 512 && firn_cache_features(cache, &i, 1, feature, &err) == 0, "(%s)", err.text);
    firn_hash_update(h, photo.name, strlen(photo.name) + 1);
    if (photo.class_name)
        firn_hash_update(h, photo.class_name, strlen(photo.class_name) + 1);
    firn_hash_update(h, &photo.label, sizeof photo.label);
    firn_hash_update(h, photo.content, sizeof photo.content);
    firn_hash_update(h, feature, sizeof feature);
}

static struct digest digest_of(const char *dir)
{
    struct digest d = {0};
    struct firn_cache *cache;
    struct firn_cache_stat stat;
    struct firn_hasher h;
    struct firn_error err;
    int status = firn_cache_open(&cache, dir, &err);
    CHECK(status == 0, "(%s)", err.text);
    if (status)
        return d;
    firn_cache_stat(cache, &stat);
    firn_hash_init(&h);
    for (size_t i = 0; i < firn_cache_count(cache); i++)
        add_photo(&h, &d, cache, i, stat.dim);
    firn_hash_final(&h, d.hash);
    firn_cache_close(cache);
    return d;
}

static struct digest reference;

#define CHECK_SAME(dir, failures)                                                                  \
    do {                                                                                           \
        struct digest d = digest_of(dir);                                                          \
        CHECK_INT(d.done, GOOD);                                                                   \
        CHECK_INT(d.failed, failures);                                                             \
        CHECK(memcmp(d.hash, reference.hash, sizeof d.hash) == 0);                                 \
    } while (0)

/* ---- killed: in processes of their own, before this one has threads ---- */

static int extract_in_child(const char *cache, unsigned long long *seed, unsigned kill_after_us)
{
    int status;
    const char *path = photos;
    struct firn_extract_options o = usual(cache, &path);
    o.threads = 1 + (int)(check_random(seed) % 3);
    o.batch = 1 + (int)(check_random(seed) % 6);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(-firn_extract(&o, NULL, NULL));
    if (kill_after_us) {
        usleep(kill_after_us);
        kill(child, SIGKILL);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_killed(int rounds, char caches[][PATH_MAX])
{
    unsigned long long seed = 7;
    for (int r = 0; r < rounds; r++) {
        strcpy(caches[r], in_tree("killed%d", r));
        for (int k = 0; k < ROUNDS; k++) {
            unsigned us = 1 + (unsigned)(check_random(&seed) % 400000);
            int status = extract_in_child(caches[r], &seed, us);
            CHECK(status == -1 || status == 0, "(%d)", status);
        }
        CHECK_INT(extract_in_child(caches[r], &seed, 0), 0);
    }
}

/* ---- everything else ---- */

static void test_reference(void)
{
    const char *path = photos, *cache = in_tree("reference");
    struct firn_progress p;
    struct firn_extract_options o = usual(cache, &path);
    o.threads = 1;
    o.batch = 1;
    o.io = FIRN_IO_THREADS;
    CHECK_INT(extract(&o, &p), 0);
    CHECK_INT(p.done, GOOD);
    CHECK(p.bytes_written > 0 && p.bytes_read > 0);
    reference = digest_of(cache);
    CHECK_INT(reference.done, GOOD);
    CHECK_INT(reference.failed, 0);

    /* Again: nothing is read, nothing is written. */
    CHECK_INT(extract(&o, &p), 0);
    CHECK_INT(p.known, GOOD);
    CHECK_INT(p.done + p.bytes_read + p.bytes_written, 0);

    /* A copy under another name is known by its content. */
    const char *copy = in_tree("copy.jpg");
    CHECK(link(in_tree("photos/ants/00.jpg"), copy) == 0);
    o.paths = &copy;
    CHECK_INT(extract(&o, &p), 0);
    CHECK_INT(p.done, 1);
    CHECK_INT(p.reused, 1);
}

static void test_same(void)
{
    static const struct {
        int threads, batch;
        enum firn_io io;
        enum firn_memory memory;
    } ways[5] = {{2, 2, FIRN_IO_PROBE, FIRN_MEMORY_SMALL}, {3, 5, FIRN_IO_THREADS, 0},
                {4, 32, FIRN_IO_PROBE, 0}, {1, 16, FIRN_IO_THREADS, FIRN_MEMORY_SMALL},
                {4, 1, FIRN_IO_PROBE, 0}};
    const char *path = photos;
    for (size_t i = 0; i < WAYS; i++) {
        const char *cache = in_tree("same%zu", i);
        struct firn_progress p;
        struct firn_extract_options o = usual(cache, &path);
        o.threads = ways[i].threads;
        o.batch = ways[i].batch;
        o.io = ways[i].io;
        o.memory = ways[i].memory;
        CHECK_INT(extract(&o, &p), 0);
        CHECK_SAME(cache, 0);
    }
}

/* Class after class, in an order of their own: rows and labels are the cache's business. */
static void test_order(void)
{
    const char *paths[] = {in_tree("photos/wasps/38.jpg"), photos}, *cache = in_tree("order");
    struct firn_progress p;
    struct firn_extract_options o = usual(cache, paths);
    CHECK_INT(extract(&o, &p), 0);
    o.paths = paths + 1;
    CHECK_INT(extract(&o, &p), 0);
    CHECK_INT(p.done, GOOD);
    CHECK_INT(p.reused, 1);
    struct digest d = digest_of(cache); /* one more: the one by name */
    CHECK_INT(d.done, GOOD + 1);
}

static int failures;

static void on_failure(void *user, const char *path, enum firn_state state, const char *reason)
{
    (void)user;
    failures++;
    CHECK(strstr(path, "fifo") ? state == FIRN_SKIPPED : state == FIRN_CORRUPT, "(%s: %s)", path,
          reason);
    CHECK(path[0] == '/' && reason[0], "(%s: %s)", path, reason);
}

static void test_bad(void)
{
    const char *path = bad, *cache = in_tree("with bad");
    struct firn_progress p;
    struct firn_extract_options o = usual(cache, &path);
    o.on_failure = on_failure;
    CHECK_INT(extract(&o, &p), -FIRN_PARTIAL);
    CHECK_INT(failures, BAD);
    CHECK_INT(p.corrupt, BAD - 1);
    CHECK_INT(p.skipped, 1);
    CHECK_SAME(cache, BAD);
    CHECK_INT(extract(&o, &p), -FIRN_PARTIAL);
    CHECK_INT(p.known_corrupt, BAD - 1);
    CHECK_INT(p.done, 0);
    CHECK_INT(failures, 2 * BAD);
}

/* Stops a while after the work has begun, as a signal handler would. */
struct stopper {
    volatile int stop;
    unsigned after_us;
    bool set;
};

static void stop_soon(void *user, const struct firn_progress *p)
{
    struct stopper *s = user;
    (void)p;
    if (s->set)
        return;
    s->set = true;
    usleep(s->after_us); /* the calling thread sleeps, the others work */
    s->stop = 1;
}

static void test_stopped(int rounds)
{
    unsigned long long seed = 3;
    const char *path = photos;
    int interrupted = 0;
    for (int r = 0; r < rounds; r++) {
        const char *cache = in_tree("stopped%d", r);
        struct firn_progress p;
        int status = -FIRN_INTERRUPTED;
        for (int k = 0; k < 20 && status == -FIRN_INTERRUPTED; k++) {
            struct stopper s = {.after_us = 1 + (unsigned)(check_random(&seed) % 60000)};
            struct firn_extract_options o = usual(cache, &path);
            o.threads = 1 + (int)(check_random(&seed) % 4);
            o.batch = 1 + (int)(check_random(&seed) % 8);
            o.io = check_random(&seed) % 2 ? FIRN_IO_PROBE : FIRN_IO_THREADS;
            o.on_progress = k < 4 ? stop_soon : NULL;
            o.user = &s;
            o.stop = &s.stop;
            status = extract(&o, &p);
            interrupted += status == -FIRN_INTERRUPTED;
        }
        CHECK_INT(status, 0);
        CHECK_SAME(cache, 0);
    }
    printf("%d runs were interrupted\n", interrupted);
}

static void test_conflict(void)
{
    const char *path = photos, *cache = in_tree("same0");
    struct firn_error err;
    struct firn_fingerprint a, b;
    struct firn_extract_options o = usual(cache, &path);
    CHECK_INT(firn_extract_fingerprint(&o, &a, &err), 0);
    CHECK(strstr(a.part[FIRN_PART_NUMERIC], " store=f32"), "(%s)", a.part[FIRN_PART_NUMERIC]);
    for (int i = 0; i < FIRN_PARTS; i++)
        CHECK(a.part[i][0], "(part %d is empty)", i);
    o.store = FIRN_STORE_F16;
    CHECK_INT(firn_extract_fingerprint(&o, &b, &err), 0);
    CHECK(strcmp(a.part[FIRN_PART_NUMERIC], b.part[FIRN_PART_NUMERIC]) != 0);
    CHECK_INT(firn_extract(&o, NULL, &err), -FIRN_CONFIG);
    o = usual(cache, &path);
    o.resize = 80;
    CHECK_INT(firn_extract(&o, NULL, &err), -FIRN_CONFIG);
    o = usual(cache, &path);
    o.cpu = "abacus";
    CHECK_INT(firn_extract(&o, NULL, &err), -FIRN_USAGE);
    o = usual(cache, &path);
    o.model = "untrained:resnet17";
    CHECK(firn_extract(&o, NULL, &err) < 0);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    char killed[64][PATH_MAX];
    rounds = rounds < 64 ? rounds : 64;
    tree_create();
    make_photos("photos", false);
    make_photos("bad", true);
    strcpy(photos, in_tree("photos"));
    strcpy(bad, in_tree("bad"));
    test_killed(rounds, killed);
    test_reference();
    for (int r = 0; r < rounds; r++)
        CHECK_SAME(killed[r], 0);
    test_same();
    test_order();
    test_bad();
    test_stopped(rounds);
    test_conflict();
    tree_remove();
    CHECK_DONE();
}
