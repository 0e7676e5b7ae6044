/* SPDX-License-Identifier: MIT */
/** `firn bench cache`: opening, reading and verifying one, beside plain reading of its files. */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firn/cache.h"
#include "firn/extract.h"
#include "output.h"
#include "sample_set.h"
#include "scratch.h"

#define SAMPLES 64 /* of each class, when there is no cache to measure */
#define ROWS 256   /* at a time */

struct figures {
    size_t photographs;
    uint64_t bytes, raw_bytes;
    double open, read, verify, plain; /* seconds, the fastest of several runs */
};

static void best(double *seconds, double start)
{
    double now = firn_bench_now() - start;
    if (*seconds == 0 || now < *seconds)
        *seconds = now;
}

/** The limit: what the machine needs to bring the same bytes from the page cache. */
static void read_plainly(const char *dir)
{
    static char buffer[1 << 16];
    DIR *d = opendir(dir);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        int fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_NONBLOCK);
        struct stat st;
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
            while (read(fd, buffer, sizeof(buffer)) > 0) {
            }
        }
        if (fd >= 0)
            close(fd);
    }
    if (d)
        closedir(d);
}

/** `width`: numbers of a photograph, all its views. */
static int read_features(const struct firn_cache *cache, int width, struct firn_error *err)
{
    size_t n = firn_cache_count(cache), index[ROWS], held = 0;
    struct firn_photo photo;
    float *features = calloc(ROWS, (size_t)width * sizeof(*features));
    int result = features ? 0 : firn_output_fail(err, FIRN_NOMEM, "out of memory");
    for (size_t i = 0; i < n && result == 0; i++) {
        firn_cache_photo(cache, i, &photo);
        if (photo.state == FIRN_DONE)
            index[held++] = i;
        if (held == ROWS || (i + 1 == n && held)) {
            result = firn_cache_features(cache, index, held, features, err);
            held = 0;
        }
    }
    free(features);
    return result;
}

static void no_finding(void *user, const struct firn_finding *finding)
{
    (void)user;
    (void)finding;
}

static int measure_once(const char *dir, struct figures *f, struct firn_error *err)
{
    struct firn_cache *cache;
    struct firn_cache_stat s;
    struct firn_verify_result v;
    double start = firn_bench_now();
    int result = firn_cache_open(&cache, dir, err);
    if (result)
        return result;
    best(&f->open, start);
    firn_cache_stat(cache, &s);
    f->photographs = s.records;
    f->bytes = s.bytes;
    f->raw_bytes = s.raw_bytes;
    start = firn_bench_now();
    result = read_features(cache, s.views * s.dim, err);
    best(&f->read, start);
    firn_cache_close(cache);
    if (result == 0) {
        start = firn_bench_now();
        result = firn_verify(dir, 1, no_finding, NULL, &v, err);
        best(&f->verify, start);
        start = firn_bench_now();
        read_plainly(dir);
        best(&f->plain, start);
    }
    return result;
}

static void tell(const struct firn_bench *b, const struct figures *f)
{
    double mb = (double)f->bytes / 1e6, raw = (double)f->raw_bytes / 1e6;
    if (!b->json) {
        printf("cache: %zu photographs, %.1f MB on disk, %.1f MB of features\n", f->photographs,
               mb, raw);
        printf("  open    %8.2f ms\n  read    %8.2f ms  %8.1f MB/s of features\n", f->open * 1e3,
               f->read * 1e3, raw / f->read);
        printf("  verify  %8.2f ms  %8.1f MB/s on disk\n", f->verify * 1e3, mb / f->verify);
        printf("  limit   %8.2f ms  %8.1f MB/s on disk (plain reading of its files)\n",
               f->plain * 1e3, mb / f->plain);
        return;
    }
    firn_json_int(b->json, "photographs", (int64_t)f->photographs);
    firn_json_int(b->json, "bytes", (int64_t)f->bytes);
    firn_json_int(b->json, "raw_bytes", (int64_t)f->raw_bytes);
    firn_json_number(b->json, "open_ms", f->open * 1e3);
    firn_json_number(b->json, "read_mb_per_second", raw / f->read);
    firn_json_number(b->json, "verify_mb_per_second", mb / f->verify);
    firn_json_number(b->json, "plain_read_mb_per_second", mb / f->plain);
}

static int measure(const struct firn_bench *b, const char *dir, struct firn_error *err)
{
    struct figures f = {0};
    double end = firn_bench_now() + b->seconds;
    for (int i = 0; i < 3 || firn_bench_now() < end; i++) {
        int result = firn_bench_go_on(b, err);
        if (result || (result = measure_once(dir, &f, err)))
            return result;
    }
    tell(b, &f);
    return 0;
}

/** Makes a small cache from drawn samples; `dir` gets both. */
static int make_cache(const struct firn_bench *b, const char *dir, char **cache,
                      struct firn_error *err)
{
    char *samples = NULL;
    if (asprintf(&samples, "%s/samples", dir) < 0 || asprintf(cache, "%s/cache", dir) < 0)
        return firn_output_fail(err, FIRN_NOMEM, "out of memory");
    int result = firn_sample_set(samples, SAMPLES);
    if (result) {
        result = firn_output_fail(err, FIRN_IO, "%s: %s", samples, strerror(-result));
    } else {
        const char *paths[] = {samples};
        struct firn_extract_options options = {
            .model = b->model, .cache = *cache, .paths = paths, .n_paths = 1, .stop = b->stop};
        firn_cli_note("no cache given: making one of %d drawn samples", 4 * SAMPLES);
        result = firn_extract(&options, NULL, err);
    }
    free(samples);
    return result;
}

int firn_bench_cache(const struct firn_bench *b, struct firn_error *err)
{
    if (b->path)
        return measure(b, b->path, err);
    char *dir = firn_scratch_create(err), *cache = NULL;
    int result = dir ? make_cache(b, dir, &cache, err) : -(int)err->code;
    if (result == 0)
        result = measure(b, cache, err);
    free(cache);
    firn_scratch_remove(dir);
    return result;
}
