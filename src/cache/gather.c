/* SPDX-License-Identifier: MIT */
/**
 * Features out of a snapshot. pread() throughout: a copy out of the page cache costs a tenth of
 * decoding it, and a mapped file that somebody cuts, or a disk that fails, would kill the program
 * that trains on it. Blocks are taken in the order in which they lie, so that each is decoded once.
 */
#include "base/error.h"
#include "cache/reader.h"

struct firn_hand {
    struct firn_codec *codec;
    struct firn_scratch scratch;
    struct firn_rows rows;
    struct firn_block block; /* the one that is in `rows` */
    uint32_t place;          /* its place, or FIRN_NO_PLACE */
    float *views;            /* of one row, when a view of it is wanted */
    uint32_t in_views;       /* the row that is there, UINT32_MAX: none */
};

enum { HANDS = sizeof ((struct firn_cache *)0)->idle / sizeof ((struct firn_cache *)0)->idle[0] };

static void destroy_hand(struct firn_hand *hand)
{
    if (!hand)
        return;
    firn_codec_destroy(hand->codec);
    free(hand->scratch.memory);
    firn_rows_fini(&hand->rows);
    free(hand->views);
    free(hand);
}

void firn_cache_destroy_hands(struct firn_cache *cache)
{
    for (int i = 0; i < HANDS; i++)
        destroy_hand(atomic_exchange(cache->idle + i, NULL));
}

static struct firn_hand *take_hand(const struct firn_cache *cache)
{
    struct firn_cache *c = (struct firn_cache *)cache;
    struct firn_hand *hand = NULL;
    for (int i = 0; i < HANDS && !hand; i++)
        if (atomic_load_explicit(c->idle + i, memory_order_relaxed))
            hand = atomic_exchange(c->idle + i, NULL);
    if (hand)
        return hand;
    hand = calloc(1, sizeof *hand);
    if (!hand)
        return NULL;
    hand->place = FIRN_NO_PLACE;
    hand->codec = firn_codec_create();
    hand->views = calloc(cache->loaded.head.dim, sizeof *hand->views);
    if (!hand->codec || !hand->views) {
        destroy_hand(hand);
        return NULL;
    }
    return hand;
}

static void return_hand(const struct firn_cache *cache, struct firn_hand *hand)
{
    struct firn_cache *c = (struct firn_cache *)cache;
    for (int i = 0; i < HANDS; i++) {
        struct firn_hand *none = NULL;
        if (atomic_compare_exchange_strong(c->idle + i, &none, hand))
            return;
    }
    destroy_hand(hand);
}

/* Brings the block at `place` into the hand. */
static int grasp(const struct firn_cache *cache, struct firn_hand *hand, uint32_t place,
                 struct firn_error *err)
{
    struct firn_extent extent;
    size_t segment;
    if (hand->place == place)
        return 0;
    if (!firn_view_place(&cache->view, place, &extent, &segment))
        return firn_cache_fail_index(cache, err);
    hand->place = FIRN_NO_PLACE;
    hand->in_views = UINT32_MAX;
    int result = firn_segment_read(cache->loaded.segment + segment, &extent, &hand->scratch,
                                   &hand->block, err);
    if (result == 0) {
        result = firn_block_get_rows(hand->codec, &hand->block,
                                     hand->scratch.memory + FIRN_HEADER, &hand->rows);
        if (result == -2)
            return firn_fail_nomem(err, "a block of the cache");
        if (result != 0)
            result = firn_fail(err, FIRN_DATA, "block at %llu is damaged: it cannot be expanded",
                               (unsigned long long)extent.offset);
    }
    if (result == 0) {
        hand->place = place;
        return 0;
    }
    char path[512];
    firn_loaded_path(&cache->loaded, segment, path, sizeof path);
    return firn_fail_in(err, result, "%s", path);
}

/* The key of a row of the block in the hand, or NULL. */
static const uint8_t *key_of(const struct firn_hand *hand, uint32_t row)
{
    return row < hand->block.count ? hand->rows.key + (size_t)row * FIRN_KEY : NULL;
}

/* Instead of one view of a photograph. */
#define ALL_VIEWS (-1)

/* The values of `view` of a row of the block in the hand. */
static void put_values(const struct firn_cache *cache, struct firn_hand *hand, uint32_t row,
                       int view, float *out)
{
    const size_t dim = (size_t)cache->stat.dim;
    if (view == ALL_VIEWS || cache->stat.views == 1) {
        firn_rows_values(&hand->rows, &hand->block, row, out);
        return;
    }
    if (hand->in_views != row)
        firn_rows_values(&hand->rows, &hand->block, row, hand->views);
    hand->in_views = row;
    memcpy(out, hand->views + (size_t)view * dim, dim * sizeof *out);
}

/* Whether a row of the block in the hand is that of these contents; its values then. */
static bool take_row(const struct firn_cache *cache, struct firn_hand *hand, uint32_t row,
                     const uint8_t *content, int view, float *out)
{
    const uint8_t *key = key_of(hand, row);
    if (!key || memcmp(key, content, FIRN_KEY) != 0)
        return false;
    put_values(cache, hand, row, view, out);
    return true;
}

/* The same when it is known where the row is, and perhaps no more than a sum of its key. */
static bool take_spot(const struct firn_cache *cache, struct firn_hand *hand,
                      const struct firn_spot *spot, int view, float *out)
{
    const struct firn_view *v = &cache->view;
    if (!(spot->place & FIRN_OF_ATLAS)) {
        size_t entry = v->order.photo[spot->photo].entry;
        return take_row(cache, hand, spot->row, v->loaded->index.entry[entry].content, view, out);
    }
    const uint8_t *key = key_of(hand, spot->row);
    if (!key || firn_atlas_sum(key) != spot->check)
        return false;
    put_values(cache, hand, spot->row, view, out);
    return true;
}

/* A feature from the first of its candidate rows that is whole. */
static int search(const struct firn_cache *cache, struct firn_hand *hand, const uint8_t *content,
                  const char *name, int view, float *out, struct firn_error *err)
{
    struct firn_search search = {0};
    struct firn_spot spot;
    struct firn_error why = {0};
    while (firn_view_search(&cache->view, content, &search, &spot))
        if (grasp(cache, hand, spot.place, &why) == 0 &&
            take_row(cache, hand, spot.row, content, view, out))
            return 0;
    if (why.code == FIRN_NOMEM || why.code == FIRN_IO)
        return firn_fail(err, why.code, "%s", why.text);
    if (firn_atlas_trouble(cache->loaded.atlas))
        return firn_cache_fail_index(cache, err);
    return firn_fail(err, FIRN_DATA, "%s: its feature cannot be read: %.600s; run firn extract "
                     "again to compute it anew", name, why.code ? why.text : "it is missing");
}

int firn_cache_feature_of(const struct firn_cache *cache, const uint8_t content[32], float *out,
                          struct firn_error *err)
{
    struct firn_search first = {0};
    struct firn_spot spot;
    if (!firn_view_search(&cache->view, content, &first, &spot)) {
        if (firn_atlas_trouble(cache->loaded.atlas))
            return firn_cache_fail_index(cache, err);
        return firn_fail(err, FIRN_NOINPUT, "%s: has no feature of these contents",
                         cache->loaded.dir);
    }
    struct firn_hand *hand = take_hand(cache);
    if (!hand)
        return firn_fail_nomem(err, "a feature");
    int result = search(cache, hand, content, "contents", ALL_VIEWS, out, err);
    return_hand(cache, hand);
    return result;
}

/* One of the features asked for. */
struct wish {
    struct firn_spot spot;
    size_t row; /* counting photographs */
    int view;   /* or ALL_VIEWS */
    size_t i; /* where it goes */
};

static int compare_wishes(const void *a, const void *b)
{
    const struct wish *x = a, *y = b;
    if (x->spot.place != y->spot.place)
        return x->spot.place < y->spot.place ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

static int fulfil(const struct firn_cache *cache, struct firn_hand *hand, const struct wish *wish,
                  float *out, struct firn_error *err)
{
    if (grasp(cache, hand, wish->spot.place, NULL) == 0 &&
        take_spot(cache, hand, &wish->spot, wish->view, out))
        return 0;
    const struct firn_entry *e = firn_cache_entry(cache, firn_view_photo(&cache->view, wish->row));
    return e ? search(cache, hand, e->content, e->name, wish->view, out, err)
             : firn_cache_fail_index(cache, err);
}

static int grant(const struct firn_cache *cache, struct wish *wish, size_t n, float *out,
                 struct firn_error *err)
{
    struct firn_hand *hand = take_hand(cache);
    size_t sorted = 1;
    int result = hand ? 0 : firn_fail_nomem(err, "a list of features");
    while (sorted < n && compare_wishes(wish + sorted - 1, wish + sorted) < 0)
        sorted++;
    if (sorted < n)
        qsort(wish, n, sizeof *wish, compare_wishes);
    for (size_t k = 0; k < n && result == 0; k++) {
        const size_t width =
            wish[k].view == ALL_VIEWS ? cache->loaded.head.dim : (size_t)cache->stat.dim;
        result = fulfil(cache, hand, wish + k, out + wish[k].i * width, err);
    }
    if (hand)
        return_hand(cache, hand);
    return result;
}

static int find_spot(const struct firn_cache *cache, struct wish *wish, struct firn_error *err)
{
    return firn_view_spot(&cache->view, wish->row, &wish->spot) ? 0
                                                                : firn_cache_fail_index(cache, err);
}

/* The row of a photograph, or why it has none. */
static int row_of(const struct firn_cache *cache, size_t i, size_t *row, struct firn_error *err)
{
    if (i >= cache->view.n)
        return firn_fail(err, FIRN_USAGE, "photograph %zu: there are only %zu", i, cache->view.n);
    *row = firn_view_row(&cache->view, i);
    if (*row != SIZE_MAX)
        return 0;
    const struct firn_entry *e = firn_cache_entry(cache, i);
    return !e ? firn_cache_fail_index(cache, err)
              : firn_fail(err, FIRN_NOINPUT, "%s: has no feature (%s)", e->name,
                          e->state == FIRN_DONE   ? "lost to damage"
                          : e->state == FIRN_GONE ? "gone"
                                                  : e->reason);
}

int firn_cache_features(const struct firn_cache *cache, const size_t *index, size_t n, float *out,
                        struct firn_error *err)
{
    struct wish *wish = malloc((n + 1) * sizeof *wish);
    int result = wish ? 0 : firn_fail_nomem(err, "a list of features");
    for (size_t i = 0, row = 0; i < n && result == 0; i++) {
        result = row_of(cache, index[i], &row, err);
        wish[i] = (struct wish){.row = row, .view = ALL_VIEWS, .i = i};
        if (result == 0)
            result = find_spot(cache, wish + i, err);
    }
    if (result == 0)
        result = grant(cache, wish, n, out, err);
    free(wish);
    return result;
}

/* row NULL: first, first + 1, ... */
static int gather(const struct firn_cache *cache, const int64_t *row, size_t first, size_t n,
                  float *out, struct firn_error *err)
{
    struct wish *wish = malloc((n + 1) * sizeof *wish);
    int result = wish ? 0 : firn_fail_nomem(err, "a list of features");
    for (size_t i = 0; i < n && result == 0; i++) {
        const uint64_t r = row ? (uint64_t)row[i] : first + i, views = (uint64_t)cache->stat.views;
        wish[i] = (struct wish){.row = r / views, .view = (int)(r % views), .i = i};
        if (r < firn_cache_rows(cache))
            result = find_spot(cache, wish + i, err);
        else
            result = firn_fail(err, FIRN_USAGE, "row %lld: there are only %zu", (long long)r,
                               firn_cache_rows(cache));
    }
    if (result == 0)
        result = grant(cache, wish, n, out, err);
    free(wish);
    return result;
}

int firn_cache_gather(const struct firn_cache *cache, const int64_t *row, size_t n, float *out,
                      struct firn_error *err)
{
    return gather(cache, row, 0, n, out, err);
}

int firn_cache_range(const struct firn_cache *cache, size_t first, size_t n, float *out,
                     struct firn_error *err)
{
    return gather(cache, NULL, first, n, out, err);
}
