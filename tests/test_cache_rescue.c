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

/* ---- without INDEX ---- */

enum { PHOTOS = 300 };

/* A segment of one commit, with all rows, and another that says that one photograph is gone. */
static char *make_plain(void)
{
    char *dir = test_dir(), name[64];
    uint32_t root;
    struct firn_writer *w = writer(dir, NEVER, &root);
    for (unsigned id = 0; id < PHOTOS; id++)
        CHECK_INT(test_add(w, id, root, NULL), 0);
    CHECK_INT(firn_writer_commit(w, NULL), 0);
    snprintf(name, sizeof name, "bees/%05u.jpg", PHOTOS - 1);
    CHECK_INT(firn_writer_gone(w, root, name, NULL), 0);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    return dir;
}

enum way { CUT, FLIP_LEDGER, FLIP_ROWS };

static void damage(const char *dir, enum way way)
{
    char path[4200];
    size_t size, k = 0, at = 0;
    snprintf(path, sizeof path, "%s/seg-00000001.firn", dir);
    uint8_t *bytes = slurp(path, &size);
    struct firn_block b;
    while (firn_header_decode(bytes + at, &b) != FIRN_HEADER_GOOD || b.type != FIRN_BLOCK_LEDGER)
        at += FIRN_HEADER;
    if (way != CUT)
        CHECK(flip_in(bytes, size, &k, way == FLIP_ROWS ? FIRN_BLOCK_ROWS : FIRN_BLOCK_LEDGER));
    spill(path, bytes, way == CUT ? at + 20 : size);
    free(bytes);
}

/* A run that has to be told no feature but those that are lost. Returns how many those were. */
static size_t add_all(const char *dir)
{
    size_t lost = 0;
    uint32_t root;
    struct firn_error err = {0};
    struct firn_writer *w = writer(dir, NEVER, &root);
    for (unsigned id = 0; id < PHOTOS; id++) {
        char name[64];
        float feature[DIM];
        struct firn_record r = test_record(id, root, name, feature);
        bool has = firn_writer_has(w, r.content);
        r.feature = has ? NULL : feature;
        lost += !has;
        CHECK(firn_writer_add(w, &r, &err) == 0, "%s", err.text);
    }
    CHECK_INT(firn_writer_close(w, NULL), 0);
    return lost;
}

static void check_right(const char *dir)
{
    struct firn_cache *c = open_reader(dir);
    CHECK_INT(firn_cache_count(c), PHOTOS);
    for (size_t i = 0; i < firn_cache_count(c); i++) {
        struct firn_photo p;
        struct firn_error err = {0};
        float feature[DIM];
        firn_cache_photo(c, i, &p);
        CHECK(firn_cache_features(c, &i, 1, feature, &err) == 0, "%s", err.text);
        CHECK(same_feature(feature, (unsigned)atoi(strchr(p.name, '/') + 1)), "%s", p.name);
    }
    firn_cache_close(c);
    check_clean(dir);
}

/* Features that no photograph names any more are kept, and the next run uses them. */
static void keep_rows(enum way way)
{
    char *dir = make_plain(), aside[4300];
    struct firn_verify_result v;
    damage(dir, way);
    CHECK_INT(firn_verify(dir, 1, NULL, NULL, &v, NULL), -FIRN_DATA);
    CHECK_INT(v.ledger_damaged, way != FLIP_ROWS);
    struct firn_upkeep u, dry = repair(dir, false);
    CHECK_INT(dry.ledger_damaged, way != FLIP_ROWS);
    CHECK_INT(dry.unnamed, way == FLIP_ROWS ? 0 : PHOTOS - 1); /* which one is gone is known */
    CHECK_INT(dry.lost > 0, way == FLIP_ROWS);
    u = repair(dir, true);
    CHECK_INT(u.unnamed, dry.unnamed);
    CHECK_INT(u.lost, dry.lost);
    CHECK_INT(u.ledger_damaged, dry.ledger_damaged);
    CHECK_INT(u.rows, PHOTOS - u.lost);
    check_clean(dir);
    CHECK_INT(add_all(dir), u.lost);
    check_right(dir);
    snprintf(aside, sizeof aside, "%s/seg-00000001.firn.damaged", dir);
    CHECK_INT(unlink(aside), 0);
    remove_dir(dir);
    free(dir);
}

/* Without INDEX, or with one of which a part is damaged, what nothing names is counted. */
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
    for (enum way way = CUT; way <= FLIP_ROWS; way++)
        keep_rows(way);
    size_t k = 0;
    while (repair_ledger(k, false) && repair_ledger(k, true))
        k++;
    CHECK(k > 7, "%zu", k);
    test_unnamed(false);
    test_unnamed(true);
    CHECK_DONE();
}
