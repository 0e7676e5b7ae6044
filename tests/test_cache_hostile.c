/* SPDX-License-Identifier: MIT */
/** Caches that somebody made up: every checksum is right, and what stands there makes no sense. */
#include "cache/reader.h"
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

static void add_some(struct firn_writer *w, unsigned from, unsigned n, unsigned step)
{
    uint32_t root;
    CHECK_INT(test_root(w, &root, NULL), 0);
    for (unsigned i = 0; i < n; i++)
        CHECK_INT(test_add(w, from + i * step, root, NULL), 0);
    CHECK_INT(firn_writer_commit(w, NULL), 0);
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

int main(void)
{
    test_many_roots();
    test_classes();
    CHECK_DONE();
}
