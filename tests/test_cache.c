/* SPDX-License-Identifier: MIT */
/** The cache through its front doors: what goes in comes out, and who may not enter. */
#include <math.h>
#include <pthread.h>
#include <sys/wait.h>

#include "cache_util.h"

/* Photographs first..last-1 and nothing else, in their order, with their features. */
static void check_contents(const char *dir, unsigned first, unsigned last)
{
    struct firn_cache *c = open_reader(dir);
    size_t n = firn_cache_count(c), half = 0;
    CHECK_INT(n, last - first);
    for (size_t i = 0; i < n; i++) {
        struct firn_photo p;
        float feature[DIM];
        struct firn_error err = {0};
        firn_cache_photo(c, i, &p);
        unsigned id = (unsigned)atoi(strchr(p.name, '/') + 1);
        CHECK(id >= first && id < last);
        CHECK_STR(p.root, "/photos");
        CHECK_STR(p.class_name, id % 2 ? "bees" : "ants");
        CHECK_INT(p.label, id % 2);
        CHECK_INT(p.state, FIRN_DONE);
        CHECK_INT(p.size, 1000 + id);
        half += p.label == 0;
        CHECK(half == 0 || p.label == 0 || i >= half, "classes in order");
        CHECK(firn_cache_features(c, &i, 1, feature, &err) == 0, "%s", err.text);
        CHECK(same_feature(feature, id));
    }
    firn_cache_close(c);
}

static void test_round_trip(void)
{
    char *dir = test_dir();
    unsigned ends[] = {1, 7, 300, 301, 1000}, id = 0;
    for (size_t k = 0; k < 5; k++) {
        struct firn_writer *w = open_writer(dir);
        struct firn_error err = {0};
        uint32_t root;
        CHECK_INT(test_root(w, &root, &err), 0);
        for (unsigned i = 0; i < id; i++) {
            char name[64];
            float f[DIM];
            struct firn_record r = test_record(i, root, name, f);
            CHECK_INT(firn_writer_known(w, root, name, r.size, r.mtime_ns, r.ctime_ns),
                      FIRN_KNOWN_DONE);
            CHECK_INT(firn_writer_known(w, root, name, r.size, r.mtime_ns, r.ctime_ns + 1),
                      FIRN_UNKNOWN);
            CHECK(firn_writer_has(w, r.content));
        }
        for (; id < ends[k]; id++) {
            CHECK(test_add(w, id, root, &err) == 0, "%s", err.text);
            if (id % 64 == 63)
                CHECK_INT(firn_writer_commit(w, &err), 0);
        }
        CHECK_INT(firn_writer_close(w, &err), 0);
        check_contents(dir, 0, id);
        check_clean(dir);
    }
    struct firn_cache *c = open_reader(dir);
    struct firn_cache_stat stat;
    firn_cache_stat(c, &stat);
    CHECK_INT(stat.segments, 1); /* each run went on where the last one ended */
    CHECK_INT(stat.rows, 1000);
    CHECK_INT(stat.raw_bytes, 1000 * DIM * 4);
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

/* Gathering in any order, with repeats, gives each its own. */
static void test_gather(void)
{
    char *dir = test_dir();
    struct firn_writer *w = open_writer(dir);
    struct firn_error err = {0};
    uint32_t root;
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = 0; id < 3000; id++)
        CHECK_INT(test_add(w, id, root, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    struct firn_cache *c = open_reader(dir);
    unsigned long long state = 1;
    enum { N = 500 };
    static size_t index[N];
    static float out[N * DIM];
    for (size_t i = 0; i < N; i++)
        index[i] = check_random(&state) % 3000;
    CHECK_INT(firn_cache_features(c, index, N, out, &err), 0);
    for (size_t i = 0; i < N; i++) {
        struct firn_photo p;
        firn_cache_photo(c, index[i], &p);
        CHECK(same_feature(out + i * DIM, (unsigned)atoi(strchr(p.name, '/') + 1)));
    }
    index[7] = 3000;
    CHECK_INT(firn_cache_features(c, index, N, out, &err), -FIRN_USAGE);
    CHECK_INT(firn_cache_features(c, index, 0, out, &err), 0);
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

/* Rows are the photographs that have a feature: labels, paths, features, by number and contents. */
static void test_rows(void)
{
    char *dir = test_dir();
    struct firn_writer *w = open_writer(dir);
    struct firn_record bad = {.name = "ants/00000.bad", .state = FIRN_CORRUPT, .reason = "no JPEG"};
    struct firn_verify_result v;
    struct firn_error err = {0};
    uint32_t root;
    enum { N = 90 };
    static float out[N * DIM];
    int64_t label[N], row[3] = {N - 1, 0, N - 1};
    uint8_t content[32] = {1};
    size_t i;
    CHECK_INT(test_root(w, &root, &err), 0);
    bad.root = root;
    CHECK_INT(firn_writer_add(w, &bad, &err), 0);
    for (unsigned id = 0; id < N; id++)
        CHECK_INT(test_add(w, id, root, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    struct firn_cache *c = open_reader(dir);
    CHECK_INT(firn_cache_count(c), N + 1);
    CHECK_INT(firn_cache_rows(c), N);
    CHECK_INT(firn_cache_row(c, N), SIZE_MAX);
    firn_cache_labels(c, label);
    char *paths = malloc(firn_cache_paths(c, NULL)), *path = paths;
    CHECK(paths && firn_cache_paths(c, paths) > 0);
    CHECK_INT(firn_cache_range(c, 0, N, out, &err), 0);
    for (size_t r = 0; paths && r < N; r++, path += strlen(path) + 1) {
        struct firn_photo p;
        firn_cache_photo(c, firn_cache_row(c, r), &p);
        CHECK_INT(label[r], p.label);
        CHECK(strncmp(path, "/photos/", 8) == 0 && strcmp(path + 8, p.name) == 0, "%s", path);
        CHECK(same_feature(out + r * DIM, (unsigned)atoi(strchr(p.name, '/') + 1)));
        CHECK_INT(firn_cache_find_content(c, p.content, &i), 0);
        CHECK_INT(i, firn_cache_row(c, r));
        CHECK_INT(firn_cache_feature_of(c, p.content, out, &err), 0);
        CHECK(same_feature(out, (unsigned)atoi(strchr(p.name, '/') + 1)));
    }
    CHECK_INT(firn_cache_gather(c, row, 3, out, &err), 0);
    CHECK(memcmp(out, out + 2 * DIM, DIM * sizeof *out) == 0);
    row[1] = -1;
    CHECK_INT(firn_cache_gather(c, row, 3, out, &err), -FIRN_USAGE);
    CHECK_INT(firn_cache_range(c, 1, N, out, &err), -FIRN_USAGE);
    CHECK_INT(firn_cache_find_content(c, content, &i), -FIRN_NOINPUT);
    CHECK_INT(firn_cache_feature_of(c, content, out, &err), -FIRN_NOINPUT);
    firn_cache_close(c);
    free(paths);
    CHECK_INT(firn_verify(dir, 0, NULL, NULL, &v, &err), 0); /* a glance */
    CHECK(v.blocks > 2 && v.findings == 0 && v.segments == 1);
    remove_dir(dir);
    free(dir);
}

/* What test_identity() left: `name` with its second contents, a copy of its first, two failures. */
static void check_identity(const char *dir, const char *name)
{
    struct firn_cache *c = open_reader(dir);
    struct firn_cache_stat stat;
    struct firn_photo p;
    struct firn_error err = {0};
    float got[DIM];
    size_t i;
    firn_cache_stat(c, &stat);
    CHECK_INT(stat.records, 3);
    CHECK_INT(stat.rows, 2);
    CHECK_INT(stat.corrupt, 1);
    CHECK_INT(stat.skipped, 1);
    CHECK_INT(firn_cache_find(c, name, &i, &err), 0);
    CHECK_INT(firn_cache_features(c, &i, 1, got, &err), 0);
    CHECK(same_feature(got, 77));
    CHECK_INT(firn_cache_find(c, "copy2.jpg", &i, &err), 0);
    CHECK_INT(firn_cache_features(c, &i, 1, got, &err), 0);
    CHECK(same_feature(got, 2));
    CHECK_INT(firn_cache_find(c, "gone.jpg", &i, &err), 0);
    firn_cache_photo(c, i, &p);
    CHECK_INT(strlen(p.reason), 255);
    CHECK_INT(firn_cache_features(c, &i, 1, got, &err), -FIRN_NOINPUT);
    firn_cache_close(c);
}

/* Duplicates share a row, a changed file supersedes, failures are remembered with their reason. */
static void test_identity(void)
{
    char *dir = test_dir();
    struct firn_writer *w = open_writer(dir);
    struct firn_error err = {0};
    uint32_t root;
    float feature[DIM];
    char name[64];
    CHECK_INT(test_root(w, &root, &err), 0);
    struct firn_record r = test_record(2, root, name, feature);
    CHECK(!firn_writer_has(w, r.content));
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK(firn_writer_has(w, r.content));
    CHECK_INT(firn_writer_pending(w), 1);
    r.name = "ants/copy.jpg";
    r.feature = NULL; /* it is there already, though not yet on disk */
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_commit(w, &err), 0);
    CHECK_INT(firn_writer_pending(w), 0);
    r.name = "ants/copy2.jpg";
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_commit(w, &err), 0);

    struct firn_record bad = {.root = root, .name = "bees/bad.jpg", .size = 5, .mtime_ns = 6,
                              .ctime_ns = 7, .state = FIRN_CORRUPT, .reason = "not a JPEG"};
    CHECK_INT(firn_writer_add(w, &bad, &err), 0);
    CHECK_INT(firn_writer_known(w, root, bad.name, 5, 6, 7), FIRN_KNOWN_CORRUPT);
    CHECK_STR(firn_writer_reason(w, root, bad.name), "not a JPEG");
    CHECK_INT(firn_writer_known(w, root, bad.name, 4, 6, 7), FIRN_UNKNOWN);
    char reason[400];
    memset(reason, 'x', sizeof reason);
    reason[399] = 0;
    struct firn_record gone = {.root = root, .name = "bees/gone.jpg", .state = FIRN_SKIPPED,
                               .reason = reason};
    CHECK_INT(firn_writer_add(w, &gone, &err), 0);
    CHECK_INT(firn_writer_known(w, root, gone.name, 0, 0, 0), FIRN_UNKNOWN);

    r = test_record(2, root, name, feature); /* the file changed */
    test_feature(77, feature);
    test_content(77, r.content);
    r.mtime_ns++;
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);

    check_identity(dir, name);
    check_clean(dir);
    remove_dir(dir);
    free(dir);
}

/* What a complete walk did not meet is gone, and done again without work when it comes back. */
static void test_gone(void)
{
    char *dir = test_dir(), name[64];
    struct firn_error err = {0};
    struct firn_cache_stat stat;
    struct firn_photo p;
    float feature[DIM];
    uint32_t root;
    size_t gone, i;
    struct firn_writer *w = open_writer(dir);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = 0; id < 10; id++)
        CHECK_INT(test_add(w, id, root, &err), 0);
    CHECK_INT(firn_writer_sweep(w, root, "", &gone, &err), 0);
    CHECK_INT(gone, 0); /* what was added is there */
    CHECK_INT(firn_writer_close(w, &err), 0);

    w = open_writer(dir);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = 0; id < 9; id++) {
        struct firn_record r = test_record(id, root, name, feature);
        if (id < 7)
            firn_writer_known(w, root, name, r.size, r.mtime_ns, r.ctime_ns);
        else
            firn_writer_meet(w, root, name);
    }
    CHECK_INT(firn_writer_sweep(w, root + 1, "", &gone, &err), 0);
    CHECK_INT(gone, 0);
    CHECK_INT(firn_writer_sweep(w, root, "", &gone, &err), 0);
    CHECK_INT(gone, 1);
    CHECK_INT(firn_writer_close(w, &err), 0);
    struct firn_cache *c = open_reader(dir);
    firn_cache_stat(c, &stat);
    CHECK_INT(stat.records, 9);
    CHECK_INT(stat.gone, 1);
    CHECK_INT(firn_cache_find(c, "00009.jpg", &i, &err), 0);
    firn_cache_photo(c, i, &p);
    CHECK_INT(p.state, FIRN_GONE);
    CHECK_INT(firn_cache_features(c, &i, 1, feature, &err), -FIRN_NOINPUT);
    firn_cache_close(c);
    check_clean(dir);

    w = open_writer(dir);
    struct firn_record r = test_record(9, root, name, feature);
    CHECK_INT(firn_writer_known(w, root, name, r.size, r.mtime_ns, r.ctime_ns), FIRN_KNOWN_DONE);
    CHECK_INT(firn_writer_pending(w), 1);
    CHECK_INT(firn_writer_known(w, root, name, r.size, r.mtime_ns, r.ctime_ns), FIRN_KNOWN_DONE);
    CHECK_INT(firn_writer_pending(w), 1);
    CHECK_INT(firn_writer_close(w, &err), 0);
    check_contents(dir, 0, 10);
    remove_dir(dir);
    free(dir);
}

static void test_refusals(void)
{
    char *dir = test_dir();
    struct firn_writer *w = open_writer(dir), *again;
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_cache *c;
    uint32_t root;
    float feature[DIM];
    char name[64];
    CHECK_INT(test_root(w, &root, &err), 0);
    struct firn_record r = test_record(2, root, name, feature);
    feature[3] = NAN;
    CHECK_INT(firn_writer_add(w, &r, &err), -FIRN_INTERNAL);
    CHECK(strstr(err.text, name) != NULL, "%s", err.text);
    feature[3] = -1;
    CHECK_INT(firn_writer_add(w, &r, &err), -FIRN_INTERNAL);
    feature[3] = INFINITY;
    CHECK_INT(firn_writer_add(w, &r, &err), -FIRN_INTERNAL);
    r.feature = NULL;
    CHECK_INT(firn_writer_add(w, &r, &err), -FIRN_INTERNAL);
    r.root = 99;
    CHECK_INT(firn_writer_add(w, &r, &err), -FIRN_USAGE);
    static const char *const unsorted[] = {"b", "a"};
    CHECK_INT(firn_writer_root(w, "/x", unsorted, 2, &root, &err), -FIRN_USAGE);
    CHECK_INT(firn_writer_root(w, "x", NULL, 0, &root, &err), -FIRN_USAGE);
    CHECK_INT(firn_writer_close(w, &err), 0);

    strcpy(fp.part[FIRN_PART_PREPROCESS], "resize=232 crop=224 mean=imagenet");
    CHECK_INT(firn_writer_open(&again, dir, &fp, DIM, FIRN_STORE_F32, &err), -FIRN_CONFIG);
    CHECK(strstr(err.text, "resize is 256 in the cache and 232 now") != NULL, "%s", err.text);
    fp = test_fingerprint();
    CHECK_INT(firn_writer_open(&again, dir, &fp, DIM + 1, FIRN_STORE_F32, &err), -FIRN_CONFIG);
    CHECK_INT(firn_writer_open(&again, dir, &fp, DIM, FIRN_STORE_F16, &err), -FIRN_CONFIG);
    CHECK_INT(firn_writer_open(&again, dir, &fp, 0, FIRN_STORE_F32, &err), -FIRN_USAGE);
    CHECK_INT(firn_writer_open(&again, "/nonexistent/x", &fp, DIM, FIRN_STORE_F32, &err),
              -FIRN_CANTCREATE);
    CHECK_INT(firn_cache_open(&c, "/nonexistent", &err), -FIRN_NOINPUT);
    remove_dir(dir);

    mkdir(dir, 0777);
    CHECK_INT(firn_cache_open(&c, dir, &err), -FIRN_NOINPUT);
    char path[4200];
    snprintf(path, sizeof path, "%s/holiday.jpg", dir);
    spill(path, (const uint8_t *)"x", 1);
    CHECK_INT(firn_writer_open(&again, dir, &fp, DIM, FIRN_STORE_F32, &err), -FIRN_CANTCREATE);
    CHECK(strstr(err.text, "not a cache") != NULL, "%s", err.text);
    remove_dir(dir);
    free(dir);
}

static void test_two_writers(void)
{
    char *dir = test_dir(), want[32];
    int ready[2], done[2];
    CHECK(pipe(ready) == 0 && pipe(done) == 0);
    pid_t child = fork();
    if (child == 0) {
        char c;
        struct firn_writer *w = open_writer(dir);
        if (write(ready[1], "x", 1) != 1 || read(done[0], &c, 1) != 1)
            _exit(1);
        _exit(firn_writer_close(w, NULL) != 0);
    }
    char c;
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer *w;
    struct firn_error err = {0};
    CHECK_INT(read(ready[0], &c, 1), 1);
    CHECK_INT(firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, &err), -FIRN_LOCKED);
    snprintf(want, sizeof want, "process %d ", (int)child);
    CHECK(strstr(err.text, want) != NULL, "%s", err.text);
    struct firn_cache *reader = open_reader(dir); /* reading needs no lock */
    firn_cache_close(reader);
    CHECK_INT(write(done[1], "x", 1), 1);
    int status;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    w = open_writer(dir);
    CHECK_INT(firn_writer_close(w, &err), 0);
    remove_dir(dir);
    free(dir);
}

/* The stages of the pipeline ask while the sink adds; training threads share a snapshot. */
struct crowd {
    struct firn_writer *w;
    struct firn_cache *c;
    uint32_t root;
    int failed;
};

static void *ask_writer(void *arg)
{
    struct crowd *crowd = arg;
    for (unsigned id = 0; id < 2000; id++) {
        char name[64];
        float f[DIM];
        struct firn_record r = test_record(id, crowd->root, name, f);
        bool has = firn_writer_has(crowd->w, r.content);
        enum firn_known known = firn_writer_known(crowd->w, crowd->root, name, r.size, r.mtime_ns,
                                                  r.ctime_ns);
        if (has && known == FIRN_KNOWN_CORRUPT)
            crowd->failed++;
        if (firn_writer_pending(crowd->w) > 2000)
            crowd->failed++;
    }
    return NULL;
}

static void *ask_reader(void *arg)
{
    struct crowd *crowd = arg;
    for (size_t i = 0; i < 2000; i++) {
        struct firn_photo p;
        float feature[DIM];
        firn_cache_photo(crowd->c, i, &p);
        if (firn_cache_features(crowd->c, &i, 1, feature, NULL) != 0 ||
            !same_feature(feature, (unsigned)atoi(strchr(p.name, '/') + 1)))
            crowd->failed++;
    }
    return NULL;
}

static void test_threads(void)
{
    char *dir = test_dir();
    struct crowd crowd[3] = {{.w = open_writer(dir)}};
    struct firn_error err = {0};
    pthread_t thread[3];
    CHECK_INT(test_root(crowd[0].w, &crowd[0].root, &err), 0);
    crowd[1] = crowd[2] = crowd[0];
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(thread + i, NULL, ask_writer, crowd + i), 0);
    for (unsigned id = 0; id < 2000; id++) {
        CHECK_INT(test_add(crowd[0].w, id, crowd[0].root, &err), 0);
        if (id % 50 == 49)
            CHECK_INT(firn_writer_commit(crowd[0].w, &err), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    CHECK_INT(firn_writer_close(crowd[0].w, &err), 0);
    struct firn_cache *c = open_reader(dir);
    for (int i = 0; i < 3; i++) {
        crowd[i].c = c;
        CHECK_INT(pthread_create(thread + i, NULL, ask_reader, crowd + i), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        CHECK_INT(crowd[i].failed, 0);
    }
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    test_round_trip();
    test_gather();
    test_rows();
    test_identity();
    test_gone();
    test_refusals();
    test_two_writers();
    test_threads();
    CHECK_DONE();
}
