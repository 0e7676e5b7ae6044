/* SPDX-License-Identifier: MIT */
/** Repair of damaged ledgers: what INDEX knows is kept, and what nothing knows is said. */
#include "cache/reader.h"
#include "cache/upkeep.h"
#include "same_snapshot.h"

enum { FIRST = 700, NEVER = 1 << 30 };

static struct firn_writer *writer(const char *dir, size_t index_from, uint32_t *root)
{
    struct firn_writer_settings settings = {.index_from = index_from, .segment_bytes = 40 << 10};
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer *w = NULL;
    if (firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, NULL) != 0 ||
        test_root(w, root, NULL) != 0)
        abort();
    return w;
}

/* Photograph `id` with contents number `content`; some cannot be read. */
static void add(struct firn_writer *w, uint32_t root, unsigned id, unsigned content)
{
    char name[64];
    float feature[DIM];
    struct firn_record r = test_record(content, root, name, feature);
    snprintf(name, sizeof name, "%s/%05u.jpg", id % 2 ? "bees" : "ants", id);
    if (id % 31 == 7) {
        r.state = FIRN_CORRUPT;
        r.reason = "made up";
        r.feature = NULL;
    }
    CHECK_INT(firn_writer_add(w, &r, NULL), 0);
}

/* A cache with INDEX, and behind that changed photographs, new ones and some that are gone. */
static char *make(void)
{
    char *dir = test_dir(), name[64];
    uint32_t root;
    struct firn_writer *w = writer(dir, 1, &root);
    for (unsigned id = 0; id < FIRST; id++) {
        add(w, root, id, id);
        if (id % 80 == 79)
            CHECK_INT(firn_writer_commit(w, NULL), 0);
    }
    CHECK_INT(firn_writer_close(w, NULL), 0);
    w = writer(dir, NEVER, &root);
    for (unsigned id = 0; id < FIRST; id += 22)
        add(w, root, id, id + 1000000);
    for (unsigned id = FIRST; id < FIRST + 30; id++)
        add(w, root, id, id);
    for (unsigned id = 1; id < FIRST; id += 50) {
        snprintf(name, sizeof name, "bees/%05u.jpg", id);
        CHECK_INT(firn_writer_gone(w, root, name, NULL), 0);
    }
    CHECK_INT(firn_writer_close(w, NULL), 0);
    return dir;
}

/* Flips a bit of block k of a type in n bytes of a segment; false: there are fewer, *k less. */
static bool flip_in(uint8_t *bytes, size_t n, size_t *k, uint8_t type)
{
    struct firn_block b;
    for (size_t at = 0; at + FIRN_HEADER <= n; at += FIRN_HEADER)
        if (firn_header_decode(bytes + at, &b) == FIRN_HEADER_GOOD && b.type == type &&
            (*k)-- == 0) {
            bytes[at + FIRN_HEADER + b.stored / 2] ^= 4;
            return true;
        }
    return false;
}

/* Block k among those that INDEX covers. */
static bool flip(const char *dir, size_t k, uint8_t type)
{
    struct firn_atlas *a = firn_atlas_open(dir);
    bool found = false;
    for (size_t i = 0; i < a->n_covered && !found; i++) {
        char name[32], path[4200];
        size_t size;
        firn_segment_name(name, a->covered[i].number);
        snprintf(path, sizeof path, "%s/%s", dir, name);
        uint8_t *bytes = slurp(path, &size);
        found = flip_in(bytes, a->covered[i].end, &k, type);
        if (found)
            spill(path, bytes, size);
        free(bytes);
    }
    firn_atlas_close(a);
    return found;
}

static void count_told(void *user, const char *path, const char *what)
{
    CHECK(strncmp(path, "/photos/", 8) == 0 && *what, "%s", path);
    ++*(size_t *)user;
}

static struct firn_upkeep repair(const char *dir, bool yes)
{
    struct firn_writer_settings settings = {.index_from = 1, .segment_bytes = 40 << 10};
    size_t told = 0;
    struct firn_upkeep_options o = {.yes = yes, .requeue = yes, .on_photograph = count_told,
                                    .user = &told};
    struct firn_upkeep u;
    struct firn_error err = {0};
    CHECK(firn_repair_with(dir, &settings, &o, &u, &err) == 0, "%s", err.text);
    CHECK(u.damaged > 0);
    CHECK_INT(u.lost, told);
    return u;
}

/* All photographs are there as before, but that `lost` features are. */
static void check_kept(const char *dir, struct firn_cache *before, size_t lost)
{
    struct firn_cache *after = open_reader(dir);
    struct firn_cache_stat had, has;
    firn_cache_stat(before, &had);
    firn_cache_stat(after, &has);
    CHECK_INT(firn_cache_count(after), firn_cache_count(before));
    CHECK_INT(has.records + lost, had.records);
    CHECK_INT(has.skipped, had.skipped + lost);
    CHECK_INT(has.corrupt, had.corrupt);
    CHECK_INT(has.gone, had.gone);
    CHECK(has.index_bytes > 0);
    for (size_t i = 0; i < firn_cache_count(before) && lost == 0; i++) {
        same_photo(after, before, i);
        if (firn_cache_state(before, i) == FIRN_DONE)
            same_features(after, before, i);
    }
    firn_cache_close(after);
    check_clean(dir);
}

/* One ledger after the other, alone and with features of photographs in it or elsewhere. */
static bool repair_ledger(size_t k, bool rows_too)
{
    char *dir = make();
    struct firn_cache *before = open_reader(dir);
    bool found = flip(dir, k, FIRN_BLOCK_LEDGER);
    if (found) {
        CHECK(!rows_too || flip(dir, k / 2, FIRN_BLOCK_ROWS));
        struct firn_upkeep told = repair(dir, false), done = repair(dir, true);
        CHECK_INT(told.lost > 0, rows_too);
        CHECK_INT(done.lost, told.lost);
        CHECK_INT(told.unnamed + done.unnamed, 0);
        check_kept(dir, before, done.lost);
    }
    firn_cache_close(before);
    remove_dir(dir);
    free(dir);
    return found;
}

/* Without INDEX, or with one of which a part is damaged, what is left out is counted. */
static void test_unnamed(bool torn)
{
    char *dir = make(), index[4200];
    size_t size;
    struct firn_cache *before = open_reader(dir);
    struct firn_cache_stat had, has;
    firn_cache_stat(before, &had);
    snprintf(index, sizeof index, "%s/INDEX", dir);
    CHECK(flip(dir, 6, FIRN_BLOCK_LEDGER));
    uint8_t *bytes = slurp(index, &size);
    size_t leaf = (size - 1) - (size - 1) % FIRN_HEADER; /* the last one */
    while (leaf + FIRN_HEADER > size || firn_get(bytes + leaf, 4) != FIRN_MAGIC_BLOCK)
        leaf -= FIRN_HEADER;
    bytes[leaf + FIRN_HEADER] ^= 1;
    CHECK_INT(unlink(index), 0);
    if (torn)
        spill(index, bytes, size);
    free(bytes);
    size_t unnamed = repair(dir, false).unnamed;
    CHECK(unnamed > 0);
    CHECK_INT(repair(dir, true).unnamed, unnamed);
    struct firn_cache *after = open_reader(dir);
    firn_cache_stat(after, &has);
    CHECK(has.records < had.records);
    CHECK(has.records + unnamed >= had.records); /* what was superseded has no name either */
    firn_cache_close(after);
    firn_cache_close(before);
    check_clean(dir);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    size_t k = 0;
    while (repair_ledger(k, false) && repair_ledger(k, true))
        k++;
    CHECK(k > 7, "%zu", k);
    test_unnamed(false);
    test_unnamed(true);
    CHECK_DONE();
}
