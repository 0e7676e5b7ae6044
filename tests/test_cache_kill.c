/* SPDX-License-Identifier: MIT */
/** Writers killed at any moment, and readers that look on while a writer is at work. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "cache_util.h"

enum { READERS = 8, MOST = 30000 };

/* Appends photographs from what the cache already knows, for ever, saying after each commit how
 * many are acknowledged. */
static void write_for_ever(const char *dir, int out, unsigned long long state)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer_settings settings = {.segment_bytes = 200 << 10};
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
            if (firn_writer_close(w, &err) != 0 ||
                firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err) != 0 ||
                test_root(w, &root, &err) != 0)
                _exit(5);
        }
    }
}

/* Photographs 0..n-1 without a hole, n at least `least`, each with its feature. Returns n. */
static unsigned check_prefix(const char *dir, unsigned least)
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

static pid_t start(const char *dir, int *from, unsigned long long state)
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
static void drain(int from, bool wait_for_one, unsigned *acknowledged)
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

static void nap(unsigned long long microseconds)
{
    struct timespec t = {0, (long)microseconds * 1000};
    nanosleep(&t, NULL);
}

static void test_kill(void)
{
    char *dir = test_dir();
    unsigned long long state = 7;
    unsigned acknowledged = 0;
    struct firn_verify_result result;
    struct firn_error err = {0};
    for (int round = 0, rounds = test_times(50, 1000); round < rounds; round++) {
        int from, status;
        if (round % 10 == 9) { /* a fresh one, so that its first moments are hit too */
            remove_dir(dir);
            mkdir(dir, 0777);
            acknowledged = 0;
        }
        pid_t child = start(dir, &from, (unsigned long long)round);
        if (round % 2) /* well under way; else in its first moments */
            drain(from, true, &acknowledged);
        nap(check_random(&state) % 20000);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        CHECK(WIFSIGNALED(status), "the writer ended by itself: %d", status);
        drain(from, true, &acknowledged);
        close(from);
        check_prefix(dir, acknowledged);
        if (round % 5 == 0)
            CHECK(firn_verify(dir, 1, NULL, NULL, &result, &err) == 0 || acknowledged == 0, "%s",
                  err.text);
    }
    printf("%u photographs at the end\n", acknowledged);
    remove_dir(dir);
    free(dir);
}

/* Looks at the cache again and again; what was once seen stays. `from`, a reader that is told what
 * is acknowledged, else -1, ends it at the time `end` or when the cache is large. */
static unsigned look_on(const char *dir, int from, time_t end, _Atomic bool *over)
{
    unsigned acknowledged = 0, last = 0, looks = 0;
    while (!*over) {
        if (from >= 0)
            drain(from, false, &acknowledged);
        unsigned n = check_prefix(dir, acknowledged);
        CHECK(n >= last, "%u after %u", n, last);
        last = n;
        looks++;
        if (from >= 0 && (time(NULL) >= end || last >= MOST))
            *over = true;
    }
    CHECK(looks > 0);
    return last;
}

/* One cache that grows under the eyes of several readers. Returns how far it got. */
static unsigned watch_growth(int readers, time_t end, _Atomic bool *over)
{
    char *dir = test_dir();
    unsigned acknowledged = 0;
    int from, status;
    pid_t writer = start(dir, &from, (unsigned long long)end), reader[READERS] = {0};
    drain(from, true, &acknowledged);
    fflush(NULL);
    *over = false;
    for (int i = 1; i < readers; i++)
        if ((reader[i] = fork()) == 0) {
            look_on(dir, -1, end, over);
            _exit(check_failed != 0);
        }
    unsigned last = look_on(dir, from, end, over);
    for (int i = 1; i < readers; i++) {
        waitpid(reader[i], &status, 0);
        CHECK(status == 0, "a reader ended with %#x", (unsigned)status);
    }
    kill(writer, SIGKILL);
    waitpid(writer, &status, 0);
    CHECK(WIFSIGNALED(status), "the writer ended by itself: %d", status);
    close(from);
    remove_dir(dir);
    free(dir);
    return last;
}

static void test_readers(void)
{
    int readers = test_times(3, READERS), caches = 0;
    time_t begin = time(NULL), end = begin + test_times(2, 600);
    unsigned photographs = 0;
    _Atomic bool *over = mmap(NULL, sizeof *over, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (over == MAP_FAILED)
        abort();
    for (; time(NULL) < end && check_failed == 0; caches++)
        photographs += watch_growth(readers, end, over);
    munmap((void *)over, sizeof *over);
    printf("%d readers for %d s of %d caches with %u photographs\n", readers,
           (int)(time(NULL) - begin), caches, photographs);
}

int main(void)
{
    test_kill();
    test_readers();
    CHECK_DONE();
}
