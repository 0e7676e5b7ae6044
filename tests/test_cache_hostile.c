/* SPDX-License-Identifier: MIT */
/** Caches that somebody made up: every checksum is right, and what stands there makes no sense. */
#include "cache/reader.h"
#include "cache_seal.h"
#include "cache_util.h"

static struct firn_writer *writer(const char *dir, size_t index_from)
{
    struct firn_writer_settings settings = {.index_from = index_from, .segment_bytes = 40 << 10};
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer *w = NULL;
    if (firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, NULL) != 0)
        abort();
    return w;
}

/* Photograph `id`, with the contents of number `content`. */
static void add_as(struct firn_writer *w, unsigned id, unsigned content)
{
    char name[64], other[64];
    float feature[DIM], ignored[DIM];
    struct firn_record r = test_record(content, 0, name, feature);
    test_record(id, 0, other, ignored);
    r.name = other;
    CHECK_INT(firn_writer_add(w, &r, NULL), 0);
}

static void add_some(struct firn_writer *w, unsigned from, unsigned n, unsigned step)
{
    uint32_t root;
    CHECK_INT(test_root(w, &root, NULL), 0);
    for (unsigned i = 0; i < n; i++)
        CHECK_INT(test_add(w, from + i * step, root, NULL), 0);
    CHECK_INT(firn_writer_commit(w, NULL), 0);
}

/* Asks for everything; what is said must fit together. */
static void ask(const char *dir)
{
    struct firn_cache *c = NULL;
    struct firn_cache_stat stat;
    struct firn_photo photo;
    float feature[DIM];
    char path[600];
    if (firn_cache_open(&c, dir, NULL) != 0)
        return;
    firn_cache_stat(c, &stat);
    size_t n = firn_cache_count(c), rows = firn_cache_rows(c), k;
    CHECK(n < 1000 && rows <= n);
    for (size_t i = 0; i < n; i++) {
        firn_cache_photo(c, i, &photo);
        CHECK(photo.label >= -1 && photo.label < (int)stat.classes);
        CHECK((photo.label >= 0) == (photo.class_name != NULL));
        firn_cache_state(c, i);
        firn_cache_features(c, &i, 1, feature, NULL);
        firn_cache_feature_of(c, photo.content, feature, NULL);
        firn_cache_find_content(c, photo.content, &k);
        snprintf(path, sizeof path, "%s/%s", photo.root, photo.name);
        firn_cache_find(c, path, &k, NULL);
    }
    int64_t *label = calloc(rows + 1, sizeof *label);
    firn_cache_labels(c, label);
    for (size_t r = 0; r < rows; r++) {
        CHECK(label[r] >= -1 && label[r] < (int64_t)stat.classes);
        firn_cache_photo(c, firn_cache_row(c, r), &photo);
        firn_cache_range(c, r, 1, feature, NULL);
    }
    char *paths = malloc(firn_cache_paths(c, NULL) + 1);
    firn_cache_paths(c, paths);
    free(paths);
    free(label);
    firn_cache_close(c);
}

/* ---- segments ---- */

/* Adds a ROOT block to a cache whose writer was killed: `text` is its path and its classes. */
static void add_root_block(const char *dir, uint32_t id, uint32_t n_classes, const char *text,
                           size_t text_size)
{
    char *path, *lock;
    size_t size;
    struct firn_block b;
    struct firn_buffer payload = {0}, out = {0};
    if (asprintf(&path, "%s/seg-00000001.firn", dir) < 0 || asprintf(&lock, "%s/LOCK", dir) < 0)
        abort();
    uint8_t *bytes = slurp(path, &size);
    CHECK_INT(firn_header_decode(bytes, &b), FIRN_HEADER_GOOD);
    struct firn_stamp stamp = {b.cache, b.segment, 1000000};
    firn_buffer_add(&out, bytes, size);
    firn_buffer_pad(&out, FIRN_PAGE);
    firn_buffer_int(&payload, id, 4);
    firn_buffer_int(&payload, n_classes, 4);
    firn_buffer_add(&payload, text, text_size);
    firn_block_put(&out, NULL, &stamp, FIRN_BLOCK_ROOT, 0, payload.data, payload.size);
    spill(path, out.data, out.size);
    unlink(lock); /* which says that the block is not there yet */
    free(bytes);
    free(payload.data);
    free(out.data);
    free(path);
    free(lock);
}

/* One root with the highest number that counts costs no more than the room for a million. */
static void test_many_roots(void)
{
    struct firn_cache_stat stat;
    char *dir = test_dir();
    struct firn_writer *w = writer(dir, 1 << 30);
    add_some(w, 0, 20, 1);
    firn_writer_destroy(w);
    add_root_block(dir, (1 << 20) - 1, 0, "/x", 3);
    struct firn_cache *c = open_reader(dir);
    firn_cache_stat(c, &stat);
    CHECK_INT(stat.roots, 1 << 20);
    CHECK_INT(firn_cache_count(c), 20);
    firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

/* Classes are names that ascend: so a few bytes cannot ask for millions of them. */
static void test_classes(void)
{
    static const char *const made_up[] = {"/x\0a\0a\0", "/x\0b\0a\0", "/x\0\0a\0", "/x\0a\0b\0"};
    for (int i = 0; i < 4; i++) {
        struct firn_cache_stat stat;
        char *dir = test_dir();
        struct firn_writer *w = writer(dir, 1 << 30);
        add_some(w, 0, 20, 1); /* of ants and bees */
        firn_writer_destroy(w);
        add_root_block(dir, 1, 2, made_up[i], i == 2 ? 6 : 7);
        struct firn_cache *c = open_reader(dir);
        firn_cache_stat(c, &stat);
        CHECK_INT(stat.classes, i < 3 ? 2 : 4);
        firn_cache_close(c);
        remove_dir(dir);
        free(dir);
    }
}

/* ---- INDEX ---- */

/* Random numbers in a few places. */
static void scatter(uint8_t *bytes, size_t size, unsigned long long *state, int places)
{
    static const uint32_t odd[] = {0, 1, 2, 3, 255, 256, 257, 511, 512, 600, 65536, INT32_MAX,
                                   UINT32_MAX - 1, UINT32_MAX};
    while (places-- > 0) {
        uint8_t *p = bytes + check_random(state) % (size / FIRN_PAGE) * FIRN_PAGE + FIRN_HEADER +
                     check_random(state) % 1008 / 4 * 4;
        uint64_t r = check_random(state);
        firn_put(p, r % 3 ? odd[r / 3 % (sizeof odd / sizeof *odd)] : firn_get(p, 4) + r % 5 - 2,
                 4);
    }
}

/* The table LEAF, which is on the last page before the leaves. */
static uint8_t *leaf_table(uint8_t *bytes)
{
    size_t page = FIRN_PAGE;
    while (bytes[page + 5] == FIRN_BLOCK_TABLE)
        page += FIRN_PAGE;
    return bytes + page - FIRN_PAGE + FIRN_HEADER;
}

/* Two leaves change places, so that the photographs are not in order. */
static void swap_leaves(uint8_t *bytes, size_t size, uint32_t a, uint32_t b)
{
    for (size_t at = 0; at + FIRN_HEADER <= size; at += FIRN_HEADER) {
        uint8_t *p = bytes + at;
        uint32_t number = (uint32_t)firn_get(p + 24, 4);
        if (firn_get(p, 4) != FIRN_MAGIC_BLOCK || p[5] != FIRN_BLOCK_LEDGER)
            continue;
        if (number == a || number == b)
            firn_put(p + 24, a + b - number, 4);
    }
    uint8_t *table = leaf_table(bytes), other[12];
    memcpy(other, table + 12 * a, 12);
    memcpy(table + 12 * a, table + 12 * b, 12);
    memcpy(table + 12 * b, other, 12);
}

/* The photographs of a leaf are gone, but keep their rows. Returns the size of the file then. */
static size_t make_gone(uint8_t *bytes, size_t size, uint32_t leaf)
{
    struct firn_codec *codec = firn_codec_create();
    struct firn_block b;
    uint8_t *table = leaf_table(bytes) + 12 * leaf, *p = bytes + firn_get(table, 8), *raw = NULL;
    CHECK_INT(firn_header_decode(p, &b), FIRN_HEADER_GOOD);
    CHECK_INT(firn_block_get(codec, &b, p + FIRN_HEADER, &raw), 0);
    memset(raw + 63 * b.count, FIRN_GONE, b.count);
    b.stored = b.raw;
    memcpy(bytes + size + FIRN_HEADER, raw, b.raw);
    b.payload_sum = firn_checksum(raw, b.raw);
    firn_header_encode(&b, bytes + size);
    firn_put(table, size, 8);
    firn_put(table + 8, b.stored, 4);
    free(raw);
    firn_codec_destroy(codec);
    return size + firn_round_up(FIRN_HEADER + b.stored, FIRN_HEADER);
}

static void test_gone_with_rows(void)
{
    char *dir = test_dir(), *path;
    size_t size;
    struct firn_writer *w = writer(dir, 1);
    add_some(w, 0, 3 * FIRN_LEAF, 1);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    w = writer(dir, 1 << 30);
    for (unsigned id = 0; id < 3 * FIRN_LEAF; id++) /* all have changed */
        add_as(w, id, id + 5000);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    if (asprintf(&path, "%s/INDEX", dir) < 0)
        abort();
    uint8_t *good = slurp(path, &size), *bytes = calloc(1, size + (1 << 20));
    memcpy(bytes, good, size);
    for (uint32_t k = 0; k < 3; k++)
        size = make_gone(bytes, size, k);
    seal_blocks(bytes, size);
    spill(path, bytes, size);
    ask(dir);
    free(good);
    free(bytes);
    free(path);
    remove_dir(dir);
    free(dir);
}

static void test_index(void)
{
    char *dir = test_dir(), *path;
    unsigned long long state = 5;
    size_t size;
    struct firn_writer *w = writer(dir, 1);
    add_some(w, 0, 3 * FIRN_LEAF, 2);
    CHECK_INT(firn_writer_close(w, NULL), 0);
    w = writer(dir, 1 << 30);
    add_some(w, 101, 40, 13); /* between the others, not in INDEX */
    CHECK_INT(firn_writer_close(w, NULL), 0);
    if (asprintf(&path, "%s/INDEX", dir) < 0)
        abort();
    uint8_t *good = slurp(path, &size), *bytes = malloc(size);
    for (int i = 0; i < test_times(300, 100000); i++) {
        memcpy(bytes, good, size);
        if (i % 4 == 0)
            swap_leaves(bytes, size, (uint32_t)i / 4 % 3, ((uint32_t)i / 4 + 1) % 3);
        if (i > 12)
            scatter(bytes, size, &state, 1 + i % 3);
        seal_blocks(bytes, size);
        spill(path, bytes, size);
        ask(dir);
    }
    free(good);
    free(bytes);
    free(path);
    remove_dir(dir);
    free(dir);
}

/* A fingerprint is shown to people: nothing that a terminal obeys gets in, or out. */
static void test_escapes(void)
{
    char *dir = test_dir(), path[4200];
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    struct firn_cache *c;
    size_t size;
    fp.part[FIRN_PART_NUMERIC][0] = '\x1b';
    CHECK_INT(firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, &err), -FIRN_USAGE);
    w = writer(dir, 0);
    add_some(w, 0, 3, 1);
    CHECK_INT(firn_writer_close(w, &err), 0);
    snprintf(path, sizeof path, "%s/seg-00000001.firn", dir);
    uint8_t *bytes = slurp(path, &size);
    uint8_t *at = memmem(bytes, size, "bound=", 6);
    CHECK(at != NULL);
    *at = '\x1b';
    seal_blocks(bytes, size);
    spill(path, bytes, size);
    free(bytes);
    int status = firn_cache_open(&c, dir, &err);
    CHECK(status == -FIRN_DATA, "(%d)", status);
    if (status == 0)
        firn_cache_close(c);
    remove_dir(dir);
    free(dir);
}

int main(void)
{
    test_escapes();
    test_many_roots();
    test_classes();
    test_index();
    test_gone_with_rows();
    CHECK_DONE();
}
