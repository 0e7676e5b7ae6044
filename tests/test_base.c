/* SPDX-License-Identifier: MIT */
/** The small parts of base: errors, memory, threads. */
#include "check.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"

#include <signal.h>
#include <stdint.h>

static void errors_carry_code_and_text(void)
{
    struct firn_error err = {0};
    CHECK_INT(firn_fail(&err, FIRN_IO, "%s: %d", "file", 5), -FIRN_IO);
    CHECK_INT(err.code, FIRN_IO);
    CHECK_STR(err.text, "file: 5");
    CHECK_INT(firn_fail_in(&err, -FIRN_IO, "cache %s", "c"), -FIRN_IO);
    CHECK_STR(err.text, "cache c: file: 5");
    CHECK_INT(firn_fail_nomem(&err, "weights"), -FIRN_NOMEM);
    CHECK_STR(err.text, "out of memory for weights");
    CHECK_INT(firn_fail(NULL, FIRN_DATA, "x"), -FIRN_DATA);
    CHECK_INT(firn_fail_nomem(NULL, "x"), -FIRN_NOMEM);
}

/** A file name may hold a newline or a terminal's escape; the message stays one harmless line. */
static void errors_are_one_line(void)
{
    struct firn_error err;
    firn_fail(&err, FIRN_DATA, "%s: bad", "a\nb\x1b[2J\x7f\xC3\xA9");
    CHECK_STR(err.text, "a?b?[2J?\xC3\xA9: bad");
    firn_fail_in(&err, -FIRN_DATA, "%s", "x\ny");
    CHECK_STR(err.text, "x?y: a?b?[2J?\xC3\xA9: bad");
}

static void long_errors_keep_their_reason(void)
{
    struct firn_error err;
    char name[5000];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    firn_fail(&err, FIRN_IO, "disk full");
    firn_fail_in(&err, -FIRN_DATA, "%s", name);
    CHECK(strstr(err.text, "nnn: disk full"), "%s", err.text);
    firn_fail(&err, FIRN_IO, "%s", name);
    CHECK_INT(strlen(err.text), sizeof err.text - 1);
    firn_fail(&err, FIRN_IO, "begin %s: disk full", name);
    CHECK_INT(strlen(err.text), sizeof err.text - 1);
    CHECK(strncmp(err.text, "begin nnn", 9) == 0 && strstr(err.text, "n...n") &&
          strstr(err.text, "nnn: disk full"), "%s", err.text);
    for (size_t i = 0; i + 1 < sizeof name; i++) /* whole characters stay whole */
        name[i] = i % 2 ? '\xA9' : '\xC3';
    firn_fail(&err, FIRN_IO, "%s: disk full", name);
    CHECK(strstr(err.text, "\xC3\xA9...\xC3\xA9"), "%s", err.text);
    firn_fail(&err, FIRN_IO, "-%s: disk full", name);
    CHECK(strstr(err.text, "\xC3\xA9...\xC3\xA9"), "%s", err.text);
}

static void memory_is_aligned_and_zero(void)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 2097151, 2097152, 5000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *p = firn_alloc(1, sizes[i]);
        CHECK(p && (uintptr_t)p % FIRN_ALIGN == 0);
        unsigned char all = 0;
        for (size_t k = 0; p && k < sizes[i]; k++)
            all |= p[k];
        CHECK_INT(all, 0);
        firn_free(p);
    }
    volatile size_t most = SIZE_MAX;
    CHECK(!firn_alloc(most, 1));
    CHECK(!firn_alloc(most / 2, 2));
    CHECK(!firn_alloc(most / 2, 3));
    firn_free(NULL);
}

struct seen {
    sigset_t mask;
    char name[32];
    pthread_barrier_t named;
};

static void *look_around(void *arg)
{
    struct seen *seen = arg;
    pthread_sigmask(SIG_SETMASK, NULL, &seen->mask);
    pthread_barrier_wait(&seen->named); /* the name is given by the thread that starts this one */
    pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
    return arg;
}

static void threads_have_names_and_no_signals(void)
{
    struct seen seen = {.name = ""};
    pthread_t thread;
    void *result = NULL;
    sigset_t before, after;
    pthread_barrier_init(&seen.named, NULL, 2);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK_INT(firn_thread_start(&thread, "decode-12345678901", look_around, &seen), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    pthread_barrier_wait(&seen.named);
    pthread_join(thread, &result);
    pthread_barrier_destroy(&seen.named);
    CHECK(result == &seen);
    CHECK_STR(seen.name, "decode-12345678");
    CHECK(sigismember(&seen.mask, SIGINT) && sigismember(&seen.mask, SIGTERM));
    CHECK(sigismember(&before, SIGINT) == sigismember(&after, SIGINT));
}

static void clocks_go_forward(void)
{
    int64_t wall = firn_now_ns(), cpu = firn_thread_cpu_ns();
    while (firn_now_ns() - wall < 2000000)
        ;
    CHECK(firn_thread_cpu_ns() > cpu);
    CHECK(wall > 0 && cpu >= 0);
}

int main(void)
{
    errors_carry_code_and_text();
    errors_are_one_line();
    long_errors_keep_their_reason();
    memory_is_aligned_and_zero();
    threads_have_names_and_no_signals();
    clocks_go_forward();
    CHECK_DONE();
}
