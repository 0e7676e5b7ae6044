/* SPDX-License-Identifier: MIT */
/** Parts of a cache: what lies in a root, or in one of its directories. */
#include "cache/upkeep.h"
#include "cache_util.h"

/* A walk of a sub-directory says nothing of the rest; nor does one name of another like it. */
static void test_gone_below(void)
{
    static const char *const names[] = {"a/0.jpg",  "a/1.jpg", "a/b/2.jpg",
                                        "ab/3.jpg", "a",       "4.jpg"};
    static const char *const before[] = {"a", "ab"}, *const after[] = {"a", "aa", "ab"};
    char *dir = test_dir(), name[64];
    struct firn_error err = {0};
    float feature[DIM];
    uint32_t root;
    size_t gone, which, was;
    struct firn_writer *w = open_writer(dir);
    CHECK_INT(firn_writer_root(w, "/photos", before, 2, &root, &err), 0);
    for (unsigned id = 0; id < 6; id++) {
        struct firn_record r = test_record(id, root, name, feature);
        r.name = names[id];
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
    }
    CHECK(firn_writer_is_flat(w, root) && !firn_writer_is_flat(w, root + 1));
    firn_writer_walk(w, root, "a");
    firn_writer_meet(w, root, "a/1.jpg");
    CHECK_INT(firn_writer_sweep(w, root, "a", &gone, &err), 0);
    CHECK_INT(gone, 2);
    CHECK_INT(firn_writer_sweep(w, root, "", &gone, &err), 0);
    CHECK_INT(gone, 0); /* the others were not forgotten */
    CHECK_INT(firn_writer_gone(w, root, "a", &err), 0);
    CHECK_INT(firn_writer_gone(w, root, "4.jpg", &err), 0);
    CHECK(!firn_writer_is_flat(w, root));

    CHECK_INT(firn_writer_renumbers(w, "/other", after, 3, &which, &was), 0);
    CHECK_INT(firn_writer_renumbers(w, "/photos", before, 2, &which, &was), 0);
    CHECK_INT(firn_writer_renumbers(w, "/photos", after, 3, &which, &was), 1);
    CHECK_INT(which, 2);
    CHECK_INT(was, 1);
    CHECK_INT(firn_writer_renumbers(w, "/photos", before + 1, 1, &which, &was), 1);
    CHECK_INT(which, 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    remove_dir(dir);
    free(dir);
}

static size_t count(const char *dir, size_t *rows)
{
    struct firn_cache_stat stat;
    struct firn_cache *c = open_reader(dir);
    firn_cache_stat(c, &stat);
    firn_cache_close(c);
    *rows = stat.rows;
    return stat.records;
}

/* What only the forgotten root had is dropped, what it shared stays; ids have a gap then. */
static void test_forget(void)
{
    const char *const classes[] = {"ants", "bees"}, *forget[] = {"/old/"};
    struct firn_upkeep_options options = {.forget = forget, .n_forget = 1};
    char *dir = test_dir(), name[64];
    struct firn_error err = {0};
    struct firn_upkeep done;
    float feature[DIM];
    uint32_t old, new, third;
    size_t rows;
    struct firn_writer *w = open_writer(dir);
    CHECK_INT(firn_writer_root(w, "/old", classes, 2, &old, &err), 0);
    CHECK_INT(firn_writer_root(w, "/new", classes, 2, &new, &err), 0);
    for (unsigned id = 0; id < 20; id++) {
        struct firn_record r = test_record(id, id < 12 ? old : new, name, feature);
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
        r.root = new;
        if (id < 8) /* in both */
            CHECK_INT(firn_writer_add(w, &r, &err), 0);
    }
    CHECK_STR(firn_writer_root_path(w, old), "/old");
    CHECK_INT(firn_writer_root_count(w, old), 12);
    CHECK_INT(firn_writer_close(w, &err), 0);
    CHECK_INT(count(dir, &rows), 28);
    CHECK_INT(rows, 20);

    CHECK(firn_compact(dir, &options, &done, &err) == 0, "%s", err.text);
    CHECK_INT(done.forgotten, 12);
    CHECK_INT(done.gone, 0);
    CHECK_INT(count(dir, &rows), 16);
    CHECK_INT(rows, 16);
    CHECK_INT(firn_compact(dir, &options, &done, &err), -FIRN_NOINPUT); /* it is */
    CHECK_INT(count(dir, &rows), 16);
    check_clean(dir);

    w = open_writer(dir);
    CHECK_STR(firn_writer_root_path(w, old), "");
    CHECK_INT(firn_writer_root_count(w, old), 0);
    CHECK(!firn_writer_root_path(w, new + 1), "there are two");
    CHECK_INT(firn_writer_root(w, "/third", classes, 2, &third, &err), 0);
    struct firn_record r = test_record(3, third, name, feature);
    CHECK_INT(firn_writer_known(w, old, name, r.size, r.mtime_ns, r.ctime_ns), FIRN_UNKNOWN);
    CHECK_INT(firn_writer_known(w, new, name, r.size, r.mtime_ns, r.ctime_ns), FIRN_KNOWN_DONE);
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    CHECK_INT(count(dir, &rows), 17);
    check_clean(dir);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    test_forget();
    test_gone_below();
    CHECK_DONE();
}
