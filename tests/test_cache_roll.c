/* SPDX-License-Identifier: MIT */
/** Ledger entries that refer to the keys of rows, and what damage to these makes of them. */
#include "cache/records.h"
#include "cache_seal.h"
#include "cache_util.h"

enum { N = 10, PHOTOS = 50 };

/* ---- the records alone ---- */

static uint8_t seen[N][FIRN_KEY];
static size_t n_seen;

static int see(void *user, const struct firn_entry *entry)
{
    (void)user;
    memcpy(seen[n_seen++ % N], entry->content, FIRN_KEY);
    return 0;
}

static int read_ledger(const struct firn_buffer *b, size_t size, struct firn_roll *roll)
{
    n_seen = 0;
    return firn_ledger_get(b->data, size, N, roll, see, NULL);
}

/* Rows of the entries 1..8 in blocks of 3; entry 0 has another's row, entry 9 none. */
static void check_records(void)
{
    struct firn_entry entry[N];
    uint8_t key[N][FIRN_KEY], none[FIRN_KEY] = {0};
    struct firn_roll roll = {0}, found = {0};
    struct firn_buffer out = {0};
    size_t part[FIRN_LEDGER_PARTS];
    for (unsigned i = 0; i < N; i++) {
        test_content(i, key[i]);
        entry[i] = (struct firn_entry){.name = "ants/a.jpg", .reason = "", .name_size = 10,
                                       .state = FIRN_DONE};
        memcpy(entry[i].content, key[i], FIRN_KEY);
    }
    for (int i = 0; i < 9; i += 3)
        CHECK_INT(firn_roll_add(&roll, key[i], 3), 0);
    roll.next = 1;
    firn_ledger_put(&out, entry, N, &roll, part);
    CHECK(!out.failed && roll.next == 9);
    CHECK_INT(part[2], 8 + 3 * 12);
    CHECK_INT(part[0] + part[1] + part[2] + part[3], out.size);

    CHECK_INT(read_ledger(&out, out.size, NULL), 0);
    CHECK(memcmp(seen[0], key[0], FIRN_KEY) == 0 && memcmp(seen[9], key[9], FIRN_KEY) == 0);
    for (int i = 1; i < 9; i++)
        CHECK(memcmp(seen[i], none, FIRN_KEY) == 0);
    /* In whatever order the blocks are met, and when one is missing. */
    CHECK_INT(firn_roll_add(&found, key[6], 3), 0);
    CHECK_INT(firn_roll_add(&found, key[0], 3), 0);
    CHECK_INT(read_ledger(&out, out.size, &found), 0);
    for (int i = 0; i < N; i++)
        CHECK(memcmp(seen[i], i >= 3 && i < 6 ? none : key[i], FIRN_KEY) == 0, "entry %d", i);
    for (size_t size = 0; size < out.size; size++)
        CHECK_INT(read_ledger(&out, size, &found), -1);
    /* More references than the table has rows, and more blocks than entries. */
    firn_put(out.data + N * FIRN_ENTRY, 2, 4);
    CHECK_INT(read_ledger(&out, out.size, &found), -1);
    firn_put(out.data + N * FIRN_ENTRY, 1, 4);
    firn_put(out.data + N * FIRN_ENTRY + 4, N + 1, 4);
    CHECK_INT(read_ledger(&out, out.size, &found), -1);
    firn_roll_fini(&roll);
    firn_roll_fini(&found);
    free(out.data);
}

/* ---- a cache ---- */

static void add(const char *dir, unsigned from, unsigned to, unsigned other_content)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    uint32_t root;
    CHECK_INT(firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, &err), 0);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = from; id < to; id++) {
        char name[64];
        float feature[DIM];
        struct firn_record r = test_record(id, root, name, feature);
        if (other_content) {
            test_content(id + other_content, r.content);
            test_feature(id + other_content, feature);
        }
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
    }
    CHECK_INT(firn_writer_close(w, &err), 0);
}

/* Turns a byte of the n-th block of a type; of its header when `at` is below 64. */
static void damage(const char *dir, uint8_t type, int n, size_t at, bool mend)
{
    char path[4200];
    size_t size;
    snprintf(path, sizeof path, "%s/seg-00000001.firn", dir);
    uint8_t *bytes = slurp(path, &size), *p = bytes;
    for (; p + FIRN_HEADER <= bytes + size; p += FIRN_HEADER)
        if (firn_get(p, 4) == FIRN_MAGIC_BLOCK && p[5] == type && n-- == 0)
            break;
    CHECK(p + FIRN_HEADER <= bytes + size, "no such block");
    p[at] ^= 2;
    if (mend)
        seal_block(p, (size_t)(bytes + size - p));
    unlink(path);
    spill(path, bytes, size);
    free(bytes);
}

static size_t count_right(const char *dir, unsigned first, unsigned end, unsigned other_content)
{
    struct firn_cache *c = open_reader(dir);
    struct firn_error err = {0};
    size_t right = 0;
    for (size_t i = 0; i < firn_cache_count(c); i++) {
        struct firn_photo p;
        float feature[DIM], want[DIM];
        uint8_t content[32];
        firn_cache_photo(c, i, &p);
        unsigned id = (unsigned)atoi(strchr(p.name, '/') + 1);
        if (id < first || id >= end || p.state != FIRN_DONE)
            continue;
        test_content(id + other_content, content);
        test_feature(id + other_content, want);
        right += firn_cache_features(c, &i, 1, feature, &err) == 0 &&
                 memcmp(feature, want, sizeof want) == 0 && memcmp(p.content, content, 32) == 0;
    }
    firn_cache_close(c);
    return right;
}

static size_t count_photos(const char *dir)
{
    struct firn_cache *c = open_reader(dir);
    size_t n = firn_cache_count(c);
    firn_cache_close(c);
    return n;
}

/* Two runs of one block of rows each; `at` is in its header, its keys or its values. */
static void check_damaged_rows(size_t at)
{
    char *dir = test_dir();
    struct firn_verify_result v;
    struct firn_error err = {0};
    add(dir, 0, PHOTOS, 0);
    add(dir, PHOTOS, 2 * PHOTOS, 0);
    CHECK_INT(count_right(dir, 0, 2 * PHOTOS, 0), 2 * PHOTOS);
    CHECK_INT(firn_verify(dir, 1, NULL, NULL, &v, &err), 0);
    damage(dir, FIRN_BLOCK_ROWS, 0, at, false);
    CHECK_INT(count_photos(dir), 2 * PHOTOS);
    CHECK_INT(count_right(dir, 0, PHOTOS, 0), 0);
    CHECK_INT(count_right(dir, PHOTOS, 2 * PHOTOS, 0), PHOTOS);
    CHECK_INT(firn_verify(dir, 1, NULL, NULL, &v, &err), -FIRN_DATA);
    add(dir, 0, PHOTOS, 0);
    CHECK_INT(count_right(dir, 0, 2 * PHOTOS, 0), 2 * PHOTOS);
    remove_dir(dir);
    free(dir);
}

/* The newer word about photographs has lost its rows: the older one counts. */
static void check_older_word(void)
{
    char *dir = test_dir();
    add(dir, 0, PHOTOS, 0);
    add(dir, 0, PHOTOS, 1000);
    CHECK_INT(count_right(dir, 0, PHOTOS, 1000), PHOTOS);
    damage(dir, FIRN_BLOCK_ROWS, 1, 0, false);
    CHECK_INT(count_right(dir, 0, PHOTOS, 0), PHOTOS);
    remove_dir(dir);
    free(dir);
}

/* Without the ledger, features are found by content. */
static void check_damaged_ledger(void)
{
    char *dir = test_dir();
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    uint8_t content[32];
    add(dir, 0, PHOTOS, 0);
    damage(dir, FIRN_BLOCK_LEDGER, 0, 0, false);
    CHECK_INT(count_photos(dir), 0);
    CHECK_INT(firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, &err), 0);
    for (unsigned id = 0; id < PHOTOS; id++) {
        test_content(id, content);
        CHECK(firn_writer_has(w, content), "row %u", id);
    }
    CHECK_INT(firn_writer_close(w, &err), 0);
    remove_dir(dir);
    free(dir);
}

/* NEEDS is no loss; what it asks for and nobody here knows is refused. */
static void check_needs(void)
{
    char *dir = test_dir();
    struct firn_cache *c;
    struct firn_error err = {0};
    add(dir, 0, PHOTOS, 0);
    damage(dir, FIRN_BLOCK_NEEDS, 0, FIRN_HEADER, false);
    CHECK_INT(count_right(dir, 0, PHOTOS, 0), PHOTOS);
    damage(dir, FIRN_BLOCK_NEEDS, 0, FIRN_HEADER + 1, true);
    CHECK_INT(firn_cache_open(&c, dir, &err), -FIRN_CONFIG);
    CHECK(strstr(err.text, "later version") != NULL, "%s", err.text);
    remove_dir(dir);
    free(dir);
}

/* Entries that are all alike, but for the key: they are stored smaller than they are. */
static void check_alike(void)
{
    enum { MANY = 4096 };
    char *dir = test_dir(), name[64], path[4200];
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    float feature[DIM];
    size_t size, stored = 0;
    uint32_t root;
    CHECK_INT(firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, &err), 0);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = 0; id < MANY; id++) {
        struct firn_record r = test_record(id, root, name, feature);
        snprintf(name, sizeof name, "ants/a-rather-long-name-of-a-photograph-%04u.jpg", id);
        r.size = 1000;
        r.mtime_ns = r.ctime_ns = 1;
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
    }
    CHECK_INT(firn_writer_close(w, &err), 0);
    snprintf(path, sizeof path, "%s/seg-00000001.firn", dir);
    uint8_t *bytes = slurp(path, &size);
    for (const uint8_t *p = bytes; p + FIRN_HEADER <= bytes + size; p += FIRN_HEADER)
        if (firn_get(p, 4) == FIRN_MAGIC_BLOCK && p[5] == FIRN_BLOCK_LEDGER)
            stored += firn_get(p + 32, 4);
    CHECK(stored > 0 && stored < MANY * 40, "%zu bytes", stored);
    free(bytes);
    struct firn_cache *c = open_reader(dir);
    CHECK_INT(firn_cache_count(c), MANY);
    for (size_t i = 0; i < MANY; i++) {
        struct firn_photo p;
        uint8_t content[32];
        firn_cache_photo(c, i, &p);
        test_content((unsigned)atoi(strrchr(p.name, '-') + 1), content);
        CHECK(memcmp(p.content, content, 32) == 0, "%s", p.name);
    }
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    check_records();
    check_damaged_rows(8);
    check_damaged_rows(FIRN_HEADER + 40);
    check_damaged_rows(FIRN_HEADER + 4 * 4 + PHOTOS * FIRN_KEY + 1000);
    check_older_word();
    check_damaged_ledger();
    check_needs();
    check_alike();
    CHECK_DONE();
}
