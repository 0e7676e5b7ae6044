/* SPDX-License-Identifier: MIT */
/** Several features of each photograph. */
#include "cache/records.h"
#include "cache_util.h"

/* The head of a segment with one view is as it always was; what makes no sense is refused. */
static void test_head(void)
{
    const struct firn_fingerprint fp = test_fingerprint();
    static const struct {
        uint32_t dim, views, known; /* known: the first word, or 0 for what the writer puts */
        bool sound;
    } cases[] = {{512, 1, 0, true}, {5120, 10, 0, true}, {512, 3, 0, false}, {512, 2, 2, false},
                 {512, 2, 3, false}, {512, 513, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct firn_head head = {
            .number = 1, .dim = cases[i].dim, .views = cases[i].views, .fp = fp};
        struct firn_head got;
        struct firn_buffer out = {0};
        firn_head_put(&out, &head);
        if (cases[i].known)
            out.data[0] = (uint8_t)cases[i].known;
        CHECK(firn_get(out.data, 4) == (cases[i].known ? cases[i].known : cases[i].views > 1));
        const bool sound = firn_head_get(out.data, out.size, &got) == 0;
        CHECK(sound == cases[i].sound, "case %zu", i);
        CHECK(!sound || (got.views == cases[i].views && got.dim == cases[i].dim));
        if (cases[i].views > 1) {
            memset(out.data + out.size - 4, 0, 4);
            CHECK_INT(firn_head_get(out.data, out.size, &got), -1);
            CHECK_INT(firn_head_get(out.data, out.size - 4, &got), -1);
        }
        free(out.data);
    }
}

/* A row is a view where photographs have several; feature_of and features bring all of them. */
static void test_views(void)
{
    enum { N = 30, VIEWS = 6, EACH = DIM / VIEWS };
    struct firn_fingerprint fp = test_fingerprint();
    const struct firn_writer_settings settings = {.views = VIEWS}, other = {.views = 3};
    struct firn_error err = {0};
    struct firn_cache_stat stat;
    struct firn_writer *w;
    static float out[N * DIM];
    float want[DIM];
    int64_t label[N * VIEWS], row[4] = {N * VIEWS - 1, 7, 6, 7};
    uint32_t root;
    char *dir = test_dir();
    strcpy(fp.part[FIRN_PART_PREPROCESS], "resize=256 views=ten probe=0");
    CHECK_INT(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err), 0);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = 0; id < N; id++)
        CHECK_INT(test_add(w, id, root, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    CHECK_INT(firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &other, &err),
              -FIRN_CONFIG);
    struct firn_cache *c = open_reader(dir);
    firn_cache_stat(c, &stat);
    CHECK(stat.records == N && stat.views == VIEWS && stat.dim == EACH && stat.center == 4);
    CHECK_INT(firn_cache_rows(c), N * VIEWS);
    CHECK_INT(firn_cache_row(c, N * VIEWS), SIZE_MAX);
    firn_cache_labels(c, label);
    CHECK_INT(firn_cache_range(c, 0, N * VIEWS, out, &err), 0);
    for (size_t r = 0; r < N * VIEWS; r++) {
        struct firn_photo p;
        firn_cache_photo(c, firn_cache_row(c, r), &p);
        test_feature((unsigned)atoi(strchr(p.name, '/') + 1), want);
        CHECK(memcmp(out + r * EACH, want + r % VIEWS * EACH, EACH * sizeof *want) == 0);
        CHECK_INT(label[r], p.label);
    }
    memcpy(want, out + 7 * EACH, EACH * sizeof *want);
    CHECK_INT(firn_cache_gather(c, row, 4, out, &err), 0);
    CHECK(memcmp(out + EACH, want, EACH * sizeof *want) == 0);
    CHECK(memcmp(out + 3 * EACH, want, EACH * sizeof *want) == 0);
    row[1] = N * VIEWS;
    CHECK_INT(firn_cache_gather(c, row, 4, out, &err), -FIRN_USAGE);
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    test_head();
    test_views();
    CHECK_DONE();
}
