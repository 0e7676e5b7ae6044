/* SPDX-License-Identifier: MIT */
/**
 * A writer that lives for years remembers what there is, not what has happened: photographs that
 * come and go under names and with contents that are known cost no memory, new ones little. The
 * linker puts the functions below in the place of the C library's, and they count.
 */
#include <malloc.h>

#include "cache_util.h"

static size_t held; /* bytes */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static void *count(void *p)
{
    held += malloc_usable_size(p);
    return p;
}

void *__wrap_malloc(size_t n)
{
    return count(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return count(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    held -= malloc_usable_size(p);
    return count(__real_realloc(p, n));
}

void __wrap_free(void *p)
{
    held -= malloc_usable_size(p);
    __real_free(p);
}

enum { NAMES = 500, FAILURES = 7, FOOTER = 64 };

static struct firn_writer *writer(const char *dir, uint64_t segment_bytes)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer_settings settings = {.footer_blocks = FOOTER,
                                            .segment_bytes = segment_bytes};
    struct firn_writer *w = NULL;
    struct firn_error err = {0};
    CHECK(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err) == 0, "%s",
          err.text);
    if (!w)
        exit(1);
    return w;
}

/* Photograph `id % NAMES` goes and comes, with the contents or the failure of number `content`, in
 * commits of their own, as with a daemon. */
static void come_and_go(struct firn_writer *w, uint32_t root, unsigned id, unsigned content)
{
    char name[64], path[64], reason[256];
    float feature[DIM];
    struct firn_record r = test_record(content, root, name, feature);
    snprintf(path, sizeof path, "ants/%u.jpg", id % NAMES);
    snprintf(reason, sizeof reason, "one of its many ways to fail: %0200u", id % FAILURES);
    r.name = path;
    r.mtime_ns = id;
    if (id % 5 == 0) {
        r.state = FIRN_CORRUPT;
        r.reason = reason;
        r.feature = NULL;
    }
    CHECK_INT(firn_writer_gone(w, root, path, NULL), 0);
    CHECK_INT(firn_writer_commit(w, NULL), 0);
    CHECK_INT(firn_writer_add(w, &r, NULL), 0);
    CHECK_INT(firn_writer_commit(w, NULL), 0);
}

/* Bytes that each of `n` photographs takes. */
static double cost(struct firn_writer *w, uint32_t root, unsigned n, bool new)
{
    static unsigned id, fresh = NAMES;
    size_t before = held;
    for (unsigned i = 0; i < n; i++, id++)
        come_and_go(w, root, id, new ? fresh++ : id % NAMES);
    return ((double)held - (double)before) / n;
}

static void check_cache(const char *dir, size_t rows)
{
    struct firn_cache *c = open_reader(dir);
    struct firn_cache_stat stat;
    firn_cache_stat(c, &stat);
    CHECK_INT(stat.rows, rows);
    CHECK_INT(firn_cache_count(c), NAMES);
    for (size_t i = 0; i < firn_cache_count(c); i++) {
        struct firn_photo p;
        firn_cache_photo(c, i, &p);
        CHECK((p.state == FIRN_CORRUPT) == (*p.reason != 0), "%s: %s", p.name, p.reason);
    }
    firn_cache_close(c);
    check_clean(dir);
}

static void test_years(void)
{
    char *dir = test_dir();
    for (int run = 0; run < 2; run++) { /* with full segments, and with one that grows */
        struct firn_writer *w = writer(dir, run ? 0 : 4 << 20);
        uint32_t root;
        CHECK_INT(test_root(w, &root, NULL), 0);
        cost(w, root, 2 * NAMES, false);
        double known = cost(w, root, 8 * NAMES, false), new = cost(w, root, 4 * NAMES, true);
        /* Of each footer its place remains, and of each segment what it is of. */
        CHECK(known < (run ? 3 : 10), "%.1f bytes for each arrival", known);
        CHECK(new < 300, "%.1f bytes for each new content", new);
        CHECK_INT(firn_writer_close(w, NULL), 0);
    }
    check_cache(dir, (NAMES + 2 * 4 * NAMES) * 4 / 5); /* a fifth always fails */
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    test_years();
    CHECK_DONE();
}
