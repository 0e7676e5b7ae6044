/* SPDX-License-Identifier: MIT */
/** Made-up photographs for the tests of the cache: everything follows from a number. */
#ifndef FIRN_TESTS_CACHE_UTIL_H
#define FIRN_TESTS_CACHE_UTIL_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "cache/shuffle.h"
#include "cache/writer.h"
#include "cache/writer_state.h"
#include "check.h"

enum { DIM = 48 };

static inline struct firn_fingerprint test_fingerprint(void)
{
    return (struct firn_fingerprint){.part = {
        "family=resnet18 tensors=blake2b:0011", "source=checkpoint stats=blake2b:2233",
        "resize=256 crop=224 mean=imagenet", "class=winograd bound=3e-5 store=f32"}};
}

/** Contents number `id`: its hash and its feature. */
static inline void test_content(unsigned id, uint8_t content[32])
{
    firn_hash(&id, sizeof id, content);
}

static inline void test_feature(unsigned id, float *feature)
{
    unsigned long long state = id;
    for (int i = 0; i < DIM; i++) {
        unsigned long long r = check_random(&state);
        feature[i] = r % 16 == 0 ? 0 : (float)(r >> 40) * 0x1p-22f;
    }
}

/** A done photograph; `name` and `feature` are the caller's room. */
static inline struct firn_record test_record(unsigned id, uint32_t root, char name[64],
                                             float feature[DIM])
{
    snprintf(name, 64, "%s/%05u.jpg", id % 2 ? "bees" : "ants", id);
    test_feature(id, feature);
    struct firn_record r = {.root = root, .name = name, .size = 1000 + id,
                            .mtime_ns = 5000000000 + id, .ctime_ns = 6000000000 + id,
                            .state = FIRN_DONE, .reason = "", .feature = feature};
    test_content(id, r.content);
    return r;
}

static inline int test_add(struct firn_writer *w, unsigned id, uint32_t root,
                           struct firn_error *err)
{
    char name[64];
    float feature[DIM];
    struct firn_record r = test_record(id, root, name, feature);
    return firn_writer_add(w, &r, err);
}

static inline int test_root(struct firn_writer *w, uint32_t *root, struct firn_error *err)
{
    static const char *const classes[] = {"ants", "bees"};
    return firn_writer_root(w, "/photos", classes, 2, root, err);
}

/** Adds a photograph of contents number 0 and another name, and marks it as gone. */
static inline int test_add_gone(struct firn_writer *w, struct firn_error *err)
{
    char name[64];
    float feature[DIM];
    uint32_t root;
    size_t gone;
    int result = firn_writer_root(w, "/other", NULL, 0, &root, err);
    struct firn_record r = test_record(0, root, name, feature);
    r.name = "x/gone.jpg";
    result = result ? result : firn_writer_add(w, &r, err);
    result = result ? result : firn_writer_commit(w, err);
    if (result != 0)
        return result;
    firn_index_find(&w->loaded.index, root, r.name)->met = false;
    return firn_writer_sweep(w, root, "", &gone, err);
}

static inline bool same_feature(const float *a, unsigned id)
{
    float want[DIM];
    test_feature(id, want);
    return memcmp(a, want, sizeof want) == 0;
}

/** Writer and reader that must open. */
static inline struct firn_writer *open_writer(const char *dir)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer *w = NULL;
    struct firn_error err = {0};
    CHECK_INT(firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, &err), 0);
    if (!w) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return w;
}

static inline struct firn_cache *open_reader(const char *dir)
{
    struct firn_cache *c = NULL;
    struct firn_error err = {0};
    CHECK_INT(firn_cache_open(&c, dir, &err), 0);
    if (!c) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return c;
}

/** Nothing is found by verifying all of the cache. */
static inline void check_clean(const char *dir)
{
    struct firn_verify_result result;
    struct firn_error err = {0};
    CHECK(firn_verify(dir, 1, NULL, NULL, &result, &err) == 0, "%s", err.text);
}

/** A new directory in TMPDIR, or in memory: what a real disk adds to these tests is time. */
static inline char *test_dir(void)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    if (!base || !*base)
        base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    if (asprintf(&path, "%s/firn-test-XXXXXX", base) < 0 || !mkdtemp(path))
        abort();
    return path;
}

/** How often to repeat what is random: FIRN_LONG=1 in the environment asks for the long form. */
static inline int test_times(int some, int many)
{
    const char *text = getenv("FIRN_LONG");
    return text && *text == '1' ? many : some;
}

static inline void remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(dir);
}

/** Whole contents of a file, malloc'ed. */
static inline uint8_t *slurp(const char *path, size_t *size)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0)
        abort();
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    if (!bytes || pread(fd, bytes, (size_t)st.st_size, 0) != st.st_size)
        abort();
    close(fd);
    *size = (size_t)st.st_size;
    return bytes;
}

static inline void spill(const char *path, const uint8_t *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
        abort();
    close(fd);
}

#endif
