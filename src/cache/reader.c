/* SPDX-License-Identifier: MIT */
/**
 * Readers use pread() throughout: a copy out of the page cache costs a tenth of decoding it, and a
 * mapped file that somebody cuts, or a disk that fails, would kill the program that trains on it.
 */
#include "firn/cache.h"

#include <pthread.h>

#include "base/error.h"
#include "cache/load.h"
#include "cache/order.h"

/* What a thread needs while it fetches features; kept for the next one. */
struct hand {
    struct hand *next;
    struct firn_codec *codec;
    struct firn_scratch scratch;
    struct firn_rows rows;
    struct firn_block block; /* the one that is in `rows` */
    uint32_t place;          /* its place, or FIRN_NO_PLACE */
};

struct firn_cache {
    struct firn_loaded loaded;
    struct firn_order order;
    struct firn_cache_stat stat;
    pthread_mutex_t mutex; /* guards `idle` */
    struct hand *idle;
};

static void destroy_hand(struct hand *hand)
{
    firn_codec_destroy(hand->codec);
    free(hand->scratch.memory);
    firn_rows_fini(&hand->rows);
    free(hand);
}

static struct hand *take_hand(struct firn_cache *cache)
{
    pthread_mutex_lock(&cache->mutex);
    struct hand *hand = cache->idle;
    if (hand)
        cache->idle = hand->next;
    pthread_mutex_unlock(&cache->mutex);
    if (hand)
        return hand;
    hand = calloc(1, sizeof *hand);
    if (!hand)
        return NULL;
    hand->place = FIRN_NO_PLACE;
    hand->codec = firn_codec_create();
    if (!hand->codec) {
        destroy_hand(hand);
        return NULL;
    }
    return hand;
}

static void return_hand(struct firn_cache *cache, struct hand *hand)
{
    pthread_mutex_lock(&cache->mutex);
    hand->next = cache->idle;
    cache->idle = hand;
    pthread_mutex_unlock(&cache->mutex);
}

static const struct firn_entry *entry_at(const struct firn_cache *cache, size_t i)
{
    return cache->loaded.index.entry + cache->order.photo[i].entry;
}

/* A row is on the lists; whether it is whole shows when it is read. */
static bool has_row(const struct firn_cache *cache, const struct firn_entry *e)
{
    size_t at = 0;
    return firn_index_rows(&cache->loaded.index, e->content, &at) != NULL;
}

static void count(struct firn_cache *cache)
{
    const struct firn_loaded *l = &cache->loaded;
    struct firn_cache_stat *s = &cache->stat;
    for (size_t i = 0; i < l->index.n_entry; i++) {
        const struct firn_entry *e = l->index.entry + i;
        if (e->state == FIRN_CORRUPT)
            s->corrupt++;
        else if (e->state == FIRN_GONE)
            s->gone++;
        else if (e->state == FIRN_DONE && has_row(cache, e))
            s->records++;
        else
            s->skipped++;
    }
    for (size_t i = 0; i < l->n_segment; i++)
        s->bytes += l->segment[i].size;
    s->rows = l->index.n_row;
    s->dim = (int)l->head.dim;
    s->store = l->head.store;
    s->segments = l->n_segment;
    s->raw_bytes = (uint64_t)s->rows * l->head.dim * 4;
    s->classes = cache->order.n_classes;
    s->runs = l->index.n_run;
    for (size_t i = 0; i < l->n_doubt; i++)
        s->lost_segments += l->doubt[i].certain;
}

static int load(struct firn_cache *cache, const char *dir, struct firn_error *err)
{
    int result = firn_load(&cache->loaded, dir, FIRN_LOAD_READER, err);
    if (result != 0)
        return result;
    if (cache->loaded.last_number == 0 && cache->loaded.n_doubt > 0)
        return firn_fail(err, FIRN_DATA, "%s: all segments are missing; put them back, or begin a "
                         "new cache elsewhere", dir);
    if (cache->loaded.last_number == 0)
        return firn_fail(err, FIRN_NOINPUT, "%s: is not a cache; firn extract makes one", dir);
    if (!cache->loaded.has_head)
        return firn_fail(err, FIRN_DATA,
                         "%s: not one head of a segment is whole; firn verify says more", dir);
    if (firn_order_init(&cache->order, &cache->loaded.index) != 0)
        return firn_fail_nomem(err, "the order of the photographs");
    count(cache);
    return 0;
}

int firn_cache_open(struct firn_cache **out, const char *dir, struct firn_error *err)
{
    struct firn_cache *cache = calloc(1, sizeof *cache);
    *out = NULL;
    if (!cache)
        return firn_fail_nomem(err, "a cache");
    pthread_mutex_init(&cache->mutex, NULL);
    int result = load(cache, dir, err);
    if (result != 0) {
        firn_cache_close(cache);
        return result;
    }
    *out = cache;
    return 0;
}

void firn_cache_close(struct firn_cache *cache)
{
    if (!cache)
        return;
    for (struct hand *hand = cache->idle, *next; hand; hand = next) {
        next = hand->next;
        destroy_hand(hand);
    }
    pthread_mutex_destroy(&cache->mutex);
    firn_order_fini(&cache->order);
    firn_loaded_fini(&cache->loaded);
    free(cache);
}

void firn_cache_stat(const struct firn_cache *cache, struct firn_cache_stat *stat)
{
    *stat = cache->stat;
}

const struct firn_fingerprint *firn_cache_fingerprint(const struct firn_cache *cache)
{
    return &cache->loaded.head.fp;
}

bool firn_cache_doubt(const struct firn_cache *cache, size_t i, char text[256])
{
    return firn_loaded_doubt(&cache->loaded, i, text);
}

const char *firn_cache_class(const struct firn_cache *cache, size_t label)
{
    return label < cache->order.n_classes ? cache->order.classes[label] : NULL;
}

int firn_cache_run(const struct firn_cache *cache, size_t i, struct firn_run *run)
{
    if (i >= cache->loaded.index.n_run)
        return -FIRN_USAGE;
    *run = cache->loaded.index.run[i];
    return 0;
}

size_t firn_cache_count(const struct firn_cache *cache)
{
    return cache->loaded.index.n_entry;
}

static const char *root_of(const struct firn_cache *cache, const struct firn_entry *e)
{
    const struct firn_index *index = &cache->loaded.index;
    return e->root < index->n_root && index->root[e->root].path ? index->root[e->root].path : "";
}

void firn_cache_photo(const struct firn_cache *cache, size_t i, struct firn_photo *photo)
{
    const struct firn_entry *e = entry_at(cache, i);
    *photo = (struct firn_photo){
        .root = root_of(cache, e),
        .name = e->name,
        .class_name = cache->order.photo[i].class_name,
        .label = cache->order.photo[i].label,
        .state = e->state,
        .reason = e->reason,
        .size = e->size,
        .mtime_ns = e->mtime_ns,
    };
    memcpy(photo->content, e->content, sizeof photo->content);
    if (e->state == FIRN_DONE && !has_row(cache, e)) {
        photo->state = FIRN_SKIPPED;
        photo->reason = "its feature is lost to damage; firn extract computes it again";
    }
}

/* ---- finding ---- */

enum match { NO_MATCH, TAIL, EXACT };

static enum match match(const char *root, const char *name, const char *path)
{
    size_t r = strlen(root), n = strlen(name), p = strlen(path);
    if (strcmp(name, path) == 0)
        return EXACT;
    while (r > 1 && root[r - 1] == '/')
        r--;
    if (p > r + 1 && r > 0 && memcmp(path, root, r) == 0) {
        const char *rest = path + r - (r == 1); /* below "/", the slash is the root */
        if (*rest == '/' && strcmp(rest + 1, name) == 0)
            return EXACT;
    }
    if (p < n && name[n - p - 1] == '/' && strcmp(name + n - p, path) == 0)
        return TAIL;
    return NO_MATCH;
}

int firn_cache_find(const struct firn_cache *cache, const char *path, size_t *i,
                    struct firn_error *err)
{
    enum match best = NO_MATCH;
    size_t found[2] = {0, 0}, n = 0;
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    for (size_t k = 0; *path && k < cache->loaded.index.n_entry; k++) {
        const struct firn_entry *e = entry_at(cache, k);
        enum match m = match(root_of(cache, e), e->name, path);
        if (m == NO_MATCH || m < best)
            continue;
        n = m > best ? 0 : n;
        best = m;
        if (n < 2)
            found[n] = k;
        n++;
    }
    *i = found[0];
    if (n == 1)
        return 0;
    if (n == 0)
        return firn_fail(err, FIRN_NOINPUT, "%s: is not in the cache %s; firn ls lists what is",
                         path, cache->loaded.dir);
    const struct firn_entry *a = entry_at(cache, found[0]), *b = entry_at(cache, found[1]);
    return firn_fail(err, FIRN_USAGE, "%.200s: means %zu photographs (%.250s/%.200s, %.250s/%.200s); "
                     "give more of the path", path, n, root_of(cache, a), a->name,
                     root_of(cache, b), b->name);
}

/* ---- features ---- */

/* Brings the block at `place` into the hand. */
static int grasp(const struct firn_cache *cache, struct hand *hand, uint32_t place,
                 struct firn_error *err)
{
    const struct firn_place *p = cache->loaded.index.place + place;
    if (hand->place == place)
        return 0;
    hand->place = FIRN_NO_PLACE;
    int result = firn_segment_read(cache->loaded.segment + p->segment, &p->extent, &hand->scratch,
                                   &hand->block, err);
    if (result == 0) {
        result = firn_block_get_rows(hand->codec, &hand->block,
                                     hand->scratch.memory + FIRN_HEADER, &hand->rows);
        if (result == -2)
            return firn_fail_nomem(err, "a block of the cache");
        if (result != 0)
            result = firn_fail(err, FIRN_DATA, "block at %llu is damaged: it cannot be expanded",
                               (unsigned long long)p->extent.offset);
    }
    if (result == 0) {
        hand->place = place;
        return 0;
    }
    char path[512];
    firn_loaded_path(&cache->loaded, p->segment, path, sizeof path);
    return firn_fail_in(err, result, "%s", path);
}

/* One feature: from the first of its candidate rows that is whole. */
static int fetch(const struct firn_cache *cache, struct hand *hand, const struct firn_entry *e,
                 float *out, struct firn_error *err)
{
    const struct firn_row *row;
    struct firn_error why = {0};
    size_t at = 0;
    if (e->state != FIRN_DONE || !has_row(cache, e))
        return firn_fail(err, FIRN_NOINPUT, "%s: has no feature (%s)", e->name,
                         e->state == FIRN_DONE ? "lost to damage" : e->reason);
    while ((row = firn_index_rows(&cache->loaded.index, e->content, &at)) != NULL) {
        if (grasp(cache, hand, row->place, &why) != 0)
            continue;
        if (memcmp(hand->rows.key + (size_t)row->row * FIRN_KEY, e->content, FIRN_KEY) != 0)
            continue;
        firn_rows_values(&hand->rows, &hand->block, row->row, out);
        return 0;
    }
    if (why.code == FIRN_NOMEM || why.code == FIRN_IO)
        return firn_fail(err, why.code, "%s", why.text);
    return firn_fail(err, FIRN_DATA, "%s: its feature cannot be read: %.600s; run firn extract "
                     "again to compute it anew", e->name, why.code ? why.text : "it is missing");
}

/* Features in the order in which they lie on the disk, so that a block is decoded once. */
struct wish {
    uint32_t place;
    size_t i;
};

static int compare_wishes(const void *a, const void *b)
{
    const struct wish *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

int firn_cache_features(const struct firn_cache *cache, const size_t *index, size_t n, float *out,
                        struct firn_error *err)
{
    struct wish *wish = malloc((n + 1) * sizeof *wish);
    struct hand *hand = take_hand((struct firn_cache *)cache);
    int result = wish && hand ? 0 : firn_fail_nomem(err, "a list of features");
    for (size_t i = 0; i < n && result == 0; i++) {
        size_t at = 0;
        if (index[i] >= cache->loaded.index.n_entry) {
            result = firn_fail(err, FIRN_USAGE, "photograph %zu: there are only %zu", index[i],
                               cache->loaded.index.n_entry);
            break;
        }
        const struct firn_row *row =
            firn_index_rows(&cache->loaded.index, entry_at(cache, index[i])->content, &at);
        wish[i] = (struct wish){row ? row->place : FIRN_NO_PLACE, i};
    }
    if (result == 0 && n > 1)
        qsort(wish, n, sizeof *wish, compare_wishes);
    for (size_t i = 0; i < n && result == 0; i++)
        result = fetch(cache, hand, entry_at(cache, index[wish[i].i]),
                       out + wish[i].i * cache->loaded.head.dim, err);
    if (hand)
        return_hand((struct firn_cache *)cache, hand);
    free(wish);
    return result;
}
