/* SPDX-License-Identifier: MIT */
/** Order, labels, paths and words: how a cache is looked at. */
#include "cache/fingerprint.h"
#include "cache_util.h"

/* As torchvision 0.14's make_dataset() lists them, on a directory with an empty class as well. */
static const struct {
    const char *name;
    int label;
} golden[] = {
    {"Bees/1.jpg", 0},
    {"ants/.hidden.jpg", 1},
    {"ants/10.jpg", 1},
    {"ants/9.jpg", 1},
    {"ants/a b.jpg", 1},
    {"ants/a.jpg", 1},
    {"ants/z.jpg", 1},
    {"ants/\303\251.jpg", 1},
    {"ants/\342\202\254.jpg", 1},
    {"ants/\300\200.jpg", 1},
    {"ants/\342A.jpg", 1},
    {"ants/\342\202.jpg", 1},
    {"ants/\355\240\200.jpg", 1},
    {"ants/\364\220\200\200.jpg", 1},
    {"ants/\377.jpg", 1},
    {"ants/\357\277\275.jpg", 1},
    {"ants/\360\237\220\234.jpg", 1},
    {"ants/a/1.jpg", 1},
    {"ants/a/B.jpg", 1},
    {"ants/a-b/1.jpg", 1},
    {"ants/a/b/1.jpg", 1},
    {"ants/a/\377/1.jpg", 1},
    {"ants/a/\356\200\200/1.jpg", 1},
    {"ants!/1.jpg", 2},
    {"\303\204/1.jpg", 4},
};
enum { GOLDEN = sizeof golden / sizeof *golden };

static void test_order(void)
{
    char *dir = test_dir();
    struct firn_writer *w = open_writer(dir);
    struct firn_error err = {0};
    static const char *const classes[] = {"Bees", "ants", "ants!", "empty", "\303\204"};
    uint32_t root;
    CHECK_INT(firn_writer_root(w, "/r", classes, 5, &root, &err), 0);
    for (size_t i = 0; i < GOLDEN; i++) { /* in some other order */
        struct firn_record r = {.root = root, .name = golden[i * 7 % GOLDEN].name,
                                .state = FIRN_SKIPPED, .reason = "r"};
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
    }
    struct firn_record stray = {.root = root, .name = "stray.jpg", .state = FIRN_SKIPPED};
    CHECK_INT(firn_writer_add(w, &stray, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    struct firn_cache *c = open_reader(dir);
    CHECK_INT(firn_cache_count(c), GOLDEN + 1);
    for (size_t i = 0; i <= GOLDEN; i++) {
        struct firn_photo p;
        firn_cache_photo(c, i, &p);
        CHECK_STR(p.name, i == 0 ? "stray.jpg" : golden[i - 1].name);
        CHECK_INT(p.label, i == 0 ? -1 : golden[i - 1].label);
    }
    CHECK_STR(firn_cache_class(c, 3), "empty");
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

/* Two roots: labels are of the union, and a class's photographs come root by root. */
static void test_two_roots(void)
{
    char *dir = test_dir();
    struct firn_writer *w = open_writer(dir);
    struct firn_error err = {0};
    static const char *const ab[] = {"a", "b"}, *const bc[] = {"b", "c"};
    static const struct {
        int root;
        const char *name;
        int label;
    } want[] = {{2, "x/1.jpg", -1}, {0, "a/1.jpg", 0}, {1, "b/1.jpg", 1},
                {0, "b/0.jpg", 1}, {1, "c/1.jpg", 2}};
    uint32_t root[3];
    CHECK_INT(firn_writer_root(w, "/s", ab, 2, root, &err), 0);
    CHECK_INT(firn_writer_root(w, "/r", bc, 2, root + 1, &err), 0);
    CHECK_INT(firn_writer_root(w, "/flat", NULL, 0, root + 2, &err), 0);
    for (size_t i = 0; i < 5; i++) {
        struct firn_record r = {.root = root[want[4 - i].root], .name = want[4 - i].name,
                                .state = FIRN_SKIPPED};
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
    }
    CHECK_INT(firn_writer_close(w, &err), 0);
    struct firn_cache *c = open_reader(dir);
    for (size_t i = 0; i < 5; i++) {
        struct firn_photo p;
        firn_cache_photo(c, i, &p);
        CHECK_STR(p.name, want[i].name);
        CHECK_INT(p.label, want[i].label);
    }
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

static void test_runs_and_roots(void)
{
    char *dir = test_dir();
    struct firn_writer *w = open_writer(dir);
    struct firn_error err = {0};
    struct firn_run run = {.start = 1700000000, .seconds = 12.5, .done = 3, .threads = 2,
                           .batch = 16, .cpu = "avx2", .version = "0.1.0", .slowest = "infer"};
    static const char *const few[] = {"b", "d"}, *const more[] = {"a", "b", "c"};
    uint32_t x, y, z;
    CHECK_INT(firn_writer_root(w, "/x", few, 2, &x, &err), 0);
    CHECK_INT(firn_writer_root(w, "", NULL, 0, &y, &err), 0);
    CHECK_INT(firn_writer_run(w, &run, &err), 0);
    CHECK_INT(firn_writer_commit(w, &err), 0);
    CHECK_INT(firn_writer_root(w, "/x", more, 3, &z, &err), 0);
    CHECK_INT(z, x);
    run.start++;
    CHECK_INT(firn_writer_run(w, &run, &err), 0);
    struct firn_record r = {.root = x, .name = "d/1.jpg", .state = FIRN_CORRUPT, .reason = "r"};
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    r.root = y;
    r.name = "/else/2.jpg";
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);

    struct firn_cache *c = open_reader(dir);
    struct firn_run got;
    struct firn_photo p;
    size_t i;
    CHECK_INT(firn_cache_run(c, 0, &got), 0);
    CHECK(got.start == 1700000000 && got.seconds == 12.5 && got.batch == 16);
    CHECK_STR(got.slowest, "infer");
    CHECK_INT(firn_cache_run(c, 1, &got), 0);
    CHECK_INT(got.start, 1700000001);
    CHECK_INT(firn_cache_run(c, 2, &got), -FIRN_USAGE);
    CHECK_STR(firn_cache_class(c, 0), "a");
    CHECK_STR(firn_cache_class(c, 2), "c");
    CHECK(firn_cache_class(c, 3) == NULL);
    CHECK_INT(firn_cache_find(c, "/x/d/1.jpg", &i, &err), 0);
    firn_cache_photo(c, i, &p);
    CHECK_INT(p.label, -1); /* "d" is no class any more */
    CHECK_INT(firn_cache_find(c, "/else/2.jpg", &i, &err), 0);
    firn_cache_photo(c, i, &p);
    CHECK_STR(p.root, "");
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

static void test_find(void)
{
    char *dir = test_dir();
    struct firn_writer *w = open_writer(dir);
    struct firn_error err = {0};
    struct firn_cache *c;
    uint32_t root[2];
    static const char *const names[] = {"a/1.jpg", "b/a/1.jpg", "xa/1.jpg", "2.jpg", "a/2.jpg"};
    size_t i;
    CHECK_INT(firn_writer_root(w, "/r", NULL, 0, root, &err), 0);
    CHECK_INT(firn_writer_root(w, "/s", NULL, 0, root + 1, &err), 0);
    for (size_t k = 0; k < 5; k++) {
        struct firn_record r = {.root = root[0], .name = names[k], .size = k,
                                .state = FIRN_SKIPPED, .reason = "r"};
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
    }
    struct firn_record r = {.root = root[1], .name = "2.jpg", .size = 9, .state = FIRN_SKIPPED};
    CHECK_INT(firn_writer_add(w, &r, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    c = open_reader(dir);
    static const struct {
        const char *path;
        int result;
        uint64_t size;
    } cases[] = {
        {"a/1.jpg", 0, 0},       {"/r/a/1.jpg", 0, 0}, {"./a/1.jpg", 0, 0}, {"b/a/1.jpg", 0, 1},
        {"xa/1.jpg", 0, 2},      {"/s/2.jpg", 0, 9},   {"2.jpg", -FIRN_USAGE, 0},
        {"1.jpg", -FIRN_USAGE, 0}, {"jpg", -FIRN_NOINPUT, 0}, {"", -FIRN_NOINPUT, 0},
        {"/a/1.jpg", -FIRN_NOINPUT, 0}, {"/r", -FIRN_NOINPUT, 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct firn_photo p = {0};
        int result = firn_cache_find(c, cases[k].path, &i, &err);
        CHECK(result == cases[k].result, "%s: %d", cases[k].path, result);
        if (result == 0) {
            firn_cache_photo(c, i, &p);
            CHECK(p.size == cases[k].size, "%s", cases[k].path);
        }
    }
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

static void test_words(void)
{
    struct firn_fingerprint a = test_fingerprint(), b = a;
    char text[512];
    CHECK_INT(firn_fingerprint_diff(&a, &b, text, sizeof text), 0);
    CHECK_STR(text, "");
    strcpy(b.part[2], "resize=232 crop=224 mean=imagenet");
    strcpy(b.part[3], "class=winograd store=f32 extra=1");
    CHECK_INT(firn_fingerprint_diff(&a, &b, text, sizeof text), 3);
    CHECK_STR(text, "preprocess: resize is 256 in A and 232 in B\n"
                    "numeric: bound is 3e-5 in A and missing in B\n"
                    "numeric: extra is 1 in B and missing in A\n");
    strcpy(b.part[1], "stats=0123456789abcdef0123456789abcdef0123456789abcdef");
    CHECK_INT(firn_fingerprint_brief(&a, &b, "there", "here", text, sizeof text), 5);
    CHECK(strstr(text, "and 0123456789ab... here"), "%s", text);
    CHECK(strstr(text, "preprocess: resize is 256 there and 232 here; and 2 more"), "%s", text);
    b = a;
    CHECK_INT(firn_fingerprint_brief(&a, &b, "there", "here", text, sizeof text), 0);
    CHECK_STR(text, "");
    strcpy(b.part[2], "crop=224 resize=256 mean=imagenet");
    CHECK_INT(firn_fingerprint_diff(&a, &b, text, sizeof text), 1);
    CHECK_INT(firn_fingerprint_diff(&a, &b, text, 8), 1);
    CHECK_INT(strlen(text), 7);
    CHECK(firn_fingerprint_value(&a, FIRN_PART_PREPROCESS, "crop", text, sizeof text), "there");
    CHECK_STR(text, "224");
    CHECK(!firn_fingerprint_value(&a, FIRN_PART_PREPROCESS, "cro", text, sizeof text), "no key");
    CHECK(firn_fingerprint_value(&a, FIRN_PART_PREPROCESS, "mean", text, 4), "cut");
    CHECK_STR(text, "ima");
    CHECK_STR(firn_part_names[FIRN_PART_NUMERIC], "numeric");
}

static void test_options(void)
{
    struct firn_fingerprint a = {{"family=resnet18 tensors=1 untrained=0", "mode=frozen stats=2",
                                  "resize=256 crop=224 views=random:3:7/1",
                                  "trunk=wino-3 store=f32"}}, b = a;
    char text[200];
    CHECK_INT(firn_fingerprint_options(&a, &b, text, sizeof text), 0);
    CHECK_STR(text, "");
    strcpy(b.part[FIRN_PART_TRUNK], "family=resnet18 tensors=9");
    strcpy(b.part[FIRN_PART_BATCHNORM], "mode=frozen stats=3"); /* it comes with the model */
    strcpy(b.part[FIRN_PART_PREPROCESS], "resize=232 crop=224 views=center");
    CHECK_INT(firn_fingerprint_options(&a, &b, text, sizeof text), 3);
    CHECK_STR(text, "-m untrained:resnet18 --resize 256 --views random:3:7");
    CHECK_INT(firn_fingerprint_options(&b, &a, text, sizeof text), 3);
    CHECK_STR(text, "-m MODEL --resize 232 --views center");
    b = a;
    strcpy(b.part[FIRN_PART_BATCHNORM], "mode=batch batch=4 seed=9 set=1");
    strcpy(b.part[FIRN_PART_NUMERIC], "trunk=wino-4 store=f16");
    CHECK_INT(firn_fingerprint_options(&a, &b, text, sizeof text), 3);
    CHECK_STR(text, "--bn frozen --store f32 and another version of firn");
    CHECK_INT(firn_fingerprint_options(&b, &a, text, sizeof text), 3);
    CHECK_STR(text, "--bn batch:4:9 --store f16 and another version of firn");
    a = b;
    strcpy(a.part[FIRN_PART_BATCHNORM], "mode=estimated stats=5");
    CHECK_INT(firn_fingerprint_options(&a, &b, text, sizeof text), 1);
    CHECK_STR(text, "--bn STATS");
    strcpy(a.part[FIRN_PART_BATCHNORM], "mode=batch batch=4 seed=9 set=2"); /* photographs */
    CHECK_INT(firn_fingerprint_options(&a, &b, text, sizeof text), 0);
    strcpy(a.part[FIRN_PART_PREPROCESS], "resize=256 crop=224"); /* before there were views */
    CHECK_INT(firn_fingerprint_options(&a, &b, text, sizeof text), 0);
    strcpy(a.part[FIRN_PART_NUMERIC], "trunk=wino-3 store=f16");
    CHECK_INT(firn_fingerprint_options(&a, &b, text, 16), 1);
    CHECK_STR(text, "another versio"); /* what fits */
}

int main(void)
{
    test_options();
    test_words();
    test_order();
    test_two_roots();
    test_runs_and_roots();
    test_find();
    CHECK_DONE();
}
