/* SPDX-License-Identifier: MIT */
/**
 * How fast a cache is read, in one thread:
 *
 *     cache_reads make CACHE ROWS DIM   made-up features whose bytes are spread as a ResNet's
 *     cache_reads CACHE                 open, read all rows in order, gather 256 random rows
 *
 * Prints one line a figure: name, the fastest, the median, unit. Warm: all is read once before.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/hash.h"
#include "cache/writer.h"

enum { COMMIT = 4096, CLASSES = 100, RUNS = 3, GATHERS = 201, GATHER = 256 };

static uint64_t state = 1;

static uint64_t next(void)
{
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* One value in 73 is zero, the exponents have three bits of entropy, the mantissas are noise. */
static void make_row(float *row, int dim)
{
    for (int i = 0; i < dim; i++) {
        uint64_t r = next();
        int exponent = 126 - __builtin_popcountll(r & 0x3F) + (int)(r >> 6 & 1) +
                       __builtin_popcountll(r >> 7 & 0x7);
        uint32_t bits = (uint32_t)exponent << 23 | (uint32_t)(r >> 41);
        memcpy(row + i, &bits, sizeof bits);
        if ((r >> 20 & 0xFFFFF) < 14364)
            row[i] = 0;
    }
}

static int fail(const struct firn_error *err)
{
    fprintf(stderr, "%s\n", err->text);
    return 1;
}

static int make(const char *dir, size_t rows, int dim)
{
    struct firn_fingerprint fp = {.part = {"made=up", "made=up", "made=up", "made=up"}};
    struct firn_error err = {0};
    struct firn_writer *w;
    char names[CLASSES][16], name[64];
    const char *classes[CLASSES];
    float *row = calloc((size_t)dim, sizeof *row);
    uint32_t root;
    for (int i = 0; i < CLASSES; i++) {
        snprintf(names[i], sizeof names[i], "class%03d", i);
        classes[i] = names[i];
    }
    if (!row || firn_writer_open(&w, dir, &fp, dim, FIRN_STORE_F32, &err) != 0 ||
        firn_writer_root(w, "/photographs", classes, CLASSES, &root, &err) != 0)
        return fail(&err);
    for (size_t i = 0; i < rows; i++) {
        snprintf(name, sizeof name, "class%03zu/photograph-%08zu.jpg", i * CLASSES / rows, i);
        make_row(row, dim);
        struct firn_record r = {.root = root, .name = name, .size = 100000, .mtime_ns = 1,
                                .ctime_ns = 1, .state = FIRN_DONE, .reason = "", .feature = row};
        firn_hash(&i, sizeof i, r.content);
        if (firn_writer_add(w, &r, &err) != 0 ||
            (i % COMMIT == COMMIT - 1 && firn_writer_commit(w, &err) != 0))
            return fail(&err);
    }
    free(row);
    return firn_writer_close(w, &err) ? fail(&err) : 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell(const char *what, double *seconds, size_t n, double factor, const char *unit)
{
    qsort(seconds, n, sizeof *seconds, compare);
    if (factor > 0) /* an amount: a rate */
        printf("%-8s %10.3f %10.3f %s\n", what, factor / seconds[0], factor / seconds[n / 2], unit);
    else
        printf("%-8s %10.3f %10.3f %s\n", what, seconds[0] * 1e3, seconds[n / 2] * 1e3, unit);
}

static int measure(const char *dir)
{
    struct firn_error err = {0};
    struct firn_cache *cache = NULL;
    struct firn_cache_stat stat;
    struct rusage usage;
    double seconds[GATHERS];
    for (int i = 0; i < RUNS; i++) {
        firn_cache_close(cache);
        double start = now();
        if (firn_cache_open(&cache, dir, &err) != 0)
            return fail(&err);
        seconds[i] = now() - start;
    }
    firn_cache_stat(cache, &stat);
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu rows of %d, %.1f MB on disk, %ld MB of memory when open\n", stat.records, stat.dim,
           (double)stat.bytes / 1e6, usage.ru_maxrss / 1024);
    tell("open", seconds, RUNS, 0, "ms");

    size_t n = stat.records, dim = (size_t)stat.dim, some = 4096;
    float *all = malloc(n * dim * sizeof *all);
    int64_t row[GATHER];
    if (!all)
        return 1;
    memset(all, 1, n * dim * sizeof *all);
    for (int i = 0; i < RUNS + 1; i++) { /* the first brings the files into memory */
        double start = now();
        for (size_t k = 0; k < n; k += some)
            if (firn_cache_range(cache, k, n - k < some ? n - k : some, all + k * dim, &err) != 0)
                return fail(&err);
        seconds[i ? i - 1 : 0] = now() - start;
    }
    tell("read", seconds, RUNS, (double)(n * dim * sizeof *all) / 1e9, "GB/s of float32");
    for (int i = 0; i < GATHERS; i++) {
        for (int k = 0; k < GATHER; k++)
            row[k] = (int64_t)(next() % n);
        double start = now();
        if (firn_cache_gather(cache, row, GATHER, all, &err) != 0)
            return fail(&err);
        seconds[i] = now() - start;
    }
    tell("gather", seconds, GATHERS, 0, "ms for 256 random rows");
    free(all);
    firn_cache_close(cache);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "make") == 0)
        return make(argv[2], strtoul(argv[3], NULL, 10), atoi(argv[4]));
    if (argc == 2)
        return measure(argv[1]);
    fprintf(stderr, "usage: cache_reads CACHE | cache_reads make CACHE ROWS DIM\n");
    return 2;
}
