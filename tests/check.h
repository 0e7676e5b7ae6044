/* SPDX-License-Identifier: MIT */
/** The test harness: a test is a function, a failed check prints where and what and counts. */
#ifndef FIRN_TESTS_CHECK_H
#define FIRN_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failed;

#define CHECK(cond, ...)                                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            check_failed++;                                                                        \
            fprintf(stderr, "%s:%d: %s: check failed: %s", __FILE__, __LINE__, __func__, #cond);   \
            fprintf(stderr, " " __VA_ARGS__);                                                      \
            fputc('\n', stderr);                                                                   \
        }                                                                                          \
    } while (0)

#define CHECK_INT(a, b)                                                                            \
    do {                                                                                           \
        long long check_a = (a), check_b = (b);                                                    \
        CHECK(check_a == check_b, "(%lld, expected %lld)", check_a, check_b);                      \
    } while (0)

#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *check_a = (a), *check_b = (b);                                                 \
        CHECK(strcmp(check_a, check_b) == 0, "(\"%s\", expected \"%s\")", check_a, check_b);       \
    } while (0)

/** Ends a test program: status 0, 1, or 77 (skipped, the reason printed) as meson understands. */
#define CHECK_DONE()                                                                               \
    return check_failed ? (fprintf(stderr, "%d checks failed\n", check_failed), 1) : 0
#define CHECK_SKIP(why) return (printf("SKIP: %s\n", why), 77)

/** A repeatable random sequence for tests (splitmix64). */
static inline unsigned long long check_random(unsigned long long *state)
{
    unsigned long long z = (*state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/**
 * The larger of two errors, and a NaN rather than any number, so that it fails what it is compared
 * with. (gcc 12 for aarch64 dies of an fmax() in a loop.)
 */
static inline double check_larger(double most, double error)
{
    return error <= most ? most : error;
}

#endif
