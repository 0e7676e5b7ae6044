/* SPDX-License-Identifier: MIT */
/** Two snapshots that must say the same, asked everything that a reader can ask. */
#ifndef FIRN_TESTS_SAME_SNAPSHOT_H
#define FIRN_TESTS_SAME_SNAPSHOT_H

#include "cache_util.h"

static inline void same_photo(struct firn_cache *a, struct firn_cache *b, size_t i)
{
    struct firn_photo p, q;
    char path[600];
    size_t k = SIZE_MAX, m = SIZE_MAX;
    firn_cache_photo(a, i, &p);
    firn_cache_photo(b, i, &q);
    CHECK_STR(p.root, q.root);
    CHECK_STR(p.name, q.name);
    CHECK_STR(p.class_name ? p.class_name : "none", q.class_name ? q.class_name : "none");
    CHECK_STR(p.reason, q.reason);
    CHECK_INT(p.label, q.label);
    CHECK_INT(p.state, q.state);
    CHECK_INT(p.size, q.size);
    CHECK_INT(p.mtime_ns, q.mtime_ns);
    CHECK(memcmp(p.content, q.content, 32) == 0);
    CHECK_INT(firn_cache_state(a, i), firn_cache_state(b, i));
    CHECK_INT(firn_cache_state(a, i), p.state);
    snprintf(path, sizeof path, "%s/%s", q.root, q.name);
    CHECK_INT(firn_cache_find(a, path, &k, NULL), 0);
    CHECK_INT(k, i);
    const char *tail = strrchr(q.name, '/') + 1;
    CHECK_INT(firn_cache_find(a, tail, &m, NULL), firn_cache_find(b, tail, &k, NULL));
    CHECK_INT(m, k);
    if (memcmp(q.content, (uint8_t[32]){0}, 32) != 0) {
        CHECK_INT(firn_cache_find_content(a, q.content, &m), 0);
        CHECK_INT(firn_cache_find_content(b, q.content, &k), 0);
        CHECK_INT(m, k);
    }
}

static inline void same_features(struct firn_cache *a, struct firn_cache *b, size_t i)
{
    struct firn_photo p;
    float x[DIM] = {0}, y[DIM] = {1};
    struct firn_error e = {0}, f = {0};
    int want = firn_cache_features(b, &i, 1, y, &f);
    CHECK_INT(firn_cache_features(a, &i, 1, x, &e), want);
    CHECK_STR(e.text, f.text);
    CHECK(want != 0 || memcmp(x, y, sizeof x) == 0);
    firn_cache_photo(b, i, &p);
    want = firn_cache_feature_of(b, p.content, y, NULL);
    CHECK_INT(firn_cache_feature_of(a, p.content, x, NULL), want);
    CHECK(want != 0 || memcmp(x, y, sizeof x) == 0);
}

static inline void same_rows(struct firn_cache *a, struct firn_cache *b)
{
    struct firn_cache_stat stat;
    size_t n = firn_cache_rows(b), size = firn_cache_paths(b, NULL);
    firn_cache_stat(b, &stat);
    size_t dim = (size_t)stat.dim;
    int64_t *label = calloc(2 * n + 1, sizeof *label), *row = calloc(n + 1, sizeof *row);
    float *x = calloc(2 * n * dim + 1, sizeof *x), *y = x + n * dim;
    char *text = calloc(2, size + 1);
    CHECK_INT(firn_cache_rows(a), n);
    CHECK_INT(firn_cache_row(a, n), SIZE_MAX);
    CHECK_INT(firn_cache_paths(a, NULL), size);
    firn_cache_paths(a, text);
    firn_cache_paths(b, text + size);
    CHECK(memcmp(text, text + size, size) == 0);
    firn_cache_labels(a, label);
    firn_cache_labels(b, label + n);
    CHECK(memcmp(label, label + n, n * sizeof *label) == 0);
    for (size_t r = 0; r < n; r++) {
        CHECK_INT(firn_cache_row(a, r), firn_cache_row(b, r));
        row[r] = (int64_t)(n - 1 - r);
    }
    CHECK_INT(firn_cache_range(a, 0, n, x, NULL), 0);
    CHECK_INT(firn_cache_range(b, 0, n, y, NULL), 0);
    CHECK(memcmp(x, y, n * dim * sizeof *x) == 0);
    CHECK_INT(firn_cache_gather(a, row, n, x, NULL), 0);
    for (size_t r = 0; r < n; r++)
        CHECK(memcmp(x + r * dim, y + (n - 1 - r) * dim, dim * sizeof *x) == 0);
    CHECK_INT(firn_cache_gather(a, &(int64_t){(int64_t)n}, 1, x, NULL), -FIRN_USAGE);
    free(text);
    free(x);
    free(row);
    free(label);
}

static inline void same_facts(struct firn_cache *a, struct firn_cache *b)
{
    struct firn_cache_stat s, t;
    struct firn_run run, other;
    firn_cache_stat(a, &s);
    firn_cache_stat(b, &t);
    t.index_bytes = s.index_bytes;
    CHECK_INT(s.records, t.records);
    CHECK_INT(s.dim, t.dim);
    CHECK_INT(s.views, t.views);
    CHECK_INT(s.roots, t.roots);
    CHECK_INT(s.skipped, t.skipped);
    CHECK_INT(s.corrupt, t.corrupt);
    CHECK_INT(s.gone, t.gone);
    CHECK_INT(s.rows, t.rows);
    CHECK_INT(s.bytes, t.bytes);
    CHECK_INT(s.raw_bytes, t.raw_bytes);
    CHECK_INT(s.segments, t.segments);
    CHECK_INT(s.lost_segments, t.lost_segments);
    CHECK_INT(s.classes, t.classes);
    CHECK_INT(s.runs, t.runs);
    for (size_t i = 0; i < t.classes; i++)
        CHECK_STR(firn_cache_class(a, i), firn_cache_class(b, i));
    for (size_t i = 0; i < t.runs; i++) {
        CHECK_INT(firn_cache_run(a, i, &run), 0);
        CHECK_INT(firn_cache_run(b, i, &other), 0);
        CHECK_INT(run.done, other.done);
    }
    CHECK(memcmp(firn_cache_fingerprint(a), firn_cache_fingerprint(b),
                 sizeof(struct firn_fingerprint)) == 0);
}

#endif
