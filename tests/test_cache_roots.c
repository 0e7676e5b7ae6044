/* SPDX-License-Identifier: MIT */
/** Parts of a cache: what lies in a root, or in one of its directories. */
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

int main(void)
{
    test_gone_below();
    CHECK_DONE();
}
