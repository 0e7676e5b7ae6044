/* SPDX-License-Identifier: MIT */
/** What is as the ledger has it already is not written again, and a run without news is no run. */
#include "cache_util.h"

static const struct firn_record skipped = {.name = "ants/x.jpg", .state = FIRN_SKIPPED,
                                           .reason = "No such file or directory"};
static const struct firn_record corrupt = {.name = "bees/y.jpg", .size = 5, .mtime_ns = 6,
                                           .ctime_ns = 7, .state = FIRN_CORRUPT, .content = {1},
                                           .reason = "the file is text"};

static uint64_t bytes_of(const char *dir)
{
    struct firn_cache *c = open_reader(dir);
    struct firn_cache_stat stat;
    firn_cache_stat(c, &stat);
    firn_cache_close(c);
    check_clean(dir);
    return stat.bytes;
}

/* A run that meets these two; returns how many were news. */
static size_t run(const char *dir, struct firn_record a, struct firn_record b)
{
    struct firn_error err = {0};
    struct firn_writer *w = open_writer(dir);
    uint32_t root;
    size_t gone, news;
    CHECK_INT(test_root(w, &root, &err), 0);
    a.root = b.root = root;
    CHECK_INT(firn_writer_add(w, &a, &err), 0);
    CHECK_INT(firn_writer_add(w, &b, &err), 0);
    news = firn_writer_news(w);
    CHECK_INT(firn_writer_pending(w), news);
    CHECK_INT(firn_writer_sweep(w, root, "", &gone, &err), 0);
    CHECK_INT(gone, 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    return news;
}

static void test_again(void)
{
    char *dir = test_dir();
    char before[300], after[300];
    CHECK_INT(run(dir, skipped, corrupt), 2);
    uint64_t bytes = bytes_of(dir);
    for (int i = 0; i < 3; i++)
        CHECK_INT(run(dir, skipped, corrupt), 0);
    CHECK_INT(bytes_of(dir), bytes);

    /* Reasons are compared as they are stored: cut. */
    memset(before, 'x', sizeof before);
    memset(after, 'x', sizeof after);
    before[299] = after[270] = 0;
    struct firn_record other = skipped;
    other.reason = before;
    CHECK_INT(run(dir, other, corrupt), 1);
    other.reason = after;
    CHECK_INT(run(dir, other, corrupt), 0);
    after[254] = 0;
    CHECK_INT(run(dir, other, corrupt), 1);
    CHECK(bytes_of(dir) > bytes);
    remove_dir(dir);
    free(dir);
}

/* Whatever differs is written, and is what the ledger says from then on. */
static void test_differs(void)
{
    struct firn_record r[7];
    char *dir = test_dir();
    for (int i = 0; i < 7; i++)
        r[i] = corrupt;
    r[0].size++;
    r[1].mtime_ns++;
    r[2].ctime_ns++;
    r[3].content[31]++;
    r[4].reason = "the file is empty";
    r[5].reason = "the file is";
    r[6].state = FIRN_SKIPPED;
    CHECK_INT(run(dir, skipped, corrupt), 2);
    for (int i = 0; i < 7; i++) {
        CHECK_INT(run(dir, skipped, r[i]), 1);
        CHECK_INT(run(dir, skipped, r[i]), 0);
    }
    struct firn_cache *c = open_reader(dir);
    struct firn_photo p;
    size_t i;
    CHECK_INT(firn_cache_find(c, "y.jpg", &i, NULL), 0);
    firn_cache_photo(c, i, &p);
    CHECK_INT(p.state, FIRN_SKIPPED);
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

/* Photographs that are done are always news, and so is one that was gone; a run ends them. */
static void test_counts(void)
{
    char *dir = test_dir();
    struct firn_error err = {0};
    struct firn_record r = skipped;
    struct firn_run facts = {.done = 1};
    struct firn_writer *w = open_writer(dir);
    CHECK_INT(test_root(w, &r.root, &err), 0);
    CHECK_INT(firn_writer_news(w), 0);
    CHECK_INT(test_add(w, 1, r.root, &err), 0);
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_add(w, &r, &err), 0); /* not on disk yet, but it will be */
    CHECK_INT(firn_writer_news(w), 2);
    CHECK_INT(firn_writer_commit(w, &err), 0);
    CHECK_INT(firn_writer_news(w), 2);
    CHECK_INT(firn_writer_run(w, &facts, &err), 0);
    CHECK_INT(firn_writer_news(w), 0);
    CHECK_INT(firn_writer_gone(w, r.root, r.name, &err), 0);
    CHECK_INT(firn_writer_news(w), 0);
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_news(w), 1);
    CHECK_INT(firn_writer_close(w, &err), 0);
    check_clean(dir);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    test_again();
    test_differs();
    test_counts();
    CHECK_DONE();
}
