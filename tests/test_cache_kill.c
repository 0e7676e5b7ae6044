/* SPDX-License-Identifier: MIT */
/** Writers killed at any moment, and readers that look on while a writer is at work. */
#include <signal.h>
#include <sys/mman.h>

#include "cache_growth.h"

enum { READERS = 8, MOST = 30000 };

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
