/* SPDX-License-Identifier: MIT */
/** A writer in a process of its own that says what is acknowledged, and what must be there then. */
#ifndef FIRN_TESTS_CACHE_GROWTH_H
#define FIRN_TESTS_CACHE_GROWTH_H

#include <sys/wait.h>
#include <time.h>

#include "cache_util.h"

/* Appends photographs from what the cache already knows, for ever, saying after each commit how
 * many are acknowledged. */
static inline void write_for_ever(const char *dir, int out, unsigned long long state)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer_settings settings = {.segment_bytes = 200 << 10, .footer_blocks = 8,
                                            .tidy_from = 1};
    struct firn_error err = {0};
    struct firn_writer *w;
    uint32_t root, id = 0;
    if (firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err) != 0 ||
        test_root(w, &root, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    for (;; id++) { /* what is there already is not made again */
        char name[64];
        float f[DIM];
        struct firn_record r = test_record(id, root, name, f);
        if (firn_writer_known(w, root, name, r.size, r.mtime_ns, r.ctime_ns) != FIRN_KNOWN_DONE)
            break;
    }
    for (;;) {
        for (unsigned n = (unsigned)(check_random(&state) % 40) + 1; n > 0; n--)
            if (test_add(w, id++, root, &err) != 0)
                _exit(2);
        if (firn_writer_commit(w, &err) != 0)
            _exit(3);
        if (write(out, &id, sizeof id) != sizeof id)
            _exit(4);
        if (check_random(&state) % 16 == 0) { /* close and go on now and then */
            bool finish = check_random(&state) % 2 == 0;
            if ((finish ? firn_writer_finish : firn_writer_close)(w, &err) != 0 ||
                firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err) != 0 ||
                test_root(w, &root, &err) != 0)
                _exit(5);
        }
    }
}

/* Photographs 0..n-1 without a hole, n at least `least`, each with its feature. Returns n. */
static inline unsigned check_prefix(const char *dir, unsigned least)
{
    struct firn_error err = {0};
    struct firn_cache *c = NULL;
    int result = firn_cache_open(&c, dir, &err);
    if (result != 0) {
        CHECK(least == 0, "%s", err.text);
        return 0;
    }
    size_t n = firn_cache_count(c), *all = malloc((n + 1) * sizeof *all);
    float *features = malloc((n + 1) * DIM * sizeof *features);
    CHECK(n >= least, "%zu of %u", n, least);
    for (size_t i = 0; i < n; i++)
        all[i] = i;
    CHECK(firn_cache_features(c, all, n, features, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < n; i++) {
        struct firn_photo p;
        firn_cache_photo(c, i, &p);
        unsigned id = (unsigned)atoi(strchr(p.name, '/') + 1);
        CHECK(id < n, "%u of %zu", id, n);
        CHECK(same_feature(features + i * DIM, id));
    }
    firn_cache_close(c);
    free(all);
    free(features);
    return (unsigned)n;
}

static inline pid_t start(const char *dir, int *from, unsigned long long state)
{
    int ends[2];
    if (pipe(ends) != 0)
        abort();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        write_for_ever(dir, ends[1], state);
    }
    close(ends[1]);
    *from = ends[0];
    return child;
}

/* Reads acknowledgements until the pipe is empty or ends; *acknowledged is the last. */
static inline void drain(int from, bool wait_for_one, unsigned *acknowledged)
{
    uint32_t id;
    if (!wait_for_one)
        fcntl(from, F_SETFL, O_NONBLOCK);
    while (read(from, &id, sizeof id) == sizeof id) {
        *acknowledged = id;
        fcntl(from, F_SETFL, O_NONBLOCK);
    }
    fcntl(from, F_SETFL, 0);
}

static inline void nap(unsigned long long microseconds)
{
    struct timespec t = {0, (long)microseconds * 1000};
    nanosleep(&t, NULL);
}

#endif
