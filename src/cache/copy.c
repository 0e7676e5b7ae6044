/* SPDX-License-Identifier: MIT */
#include "cache/copy.h"

#include "base/error.h"

/* The fewer batches the better they fit into pages; each is held in memory three times. */
enum { BATCH = 2048, BATCH_BYTES = 4 << 20 };

/* Entries on their way, those first that bring a feature. */
struct batch {
    struct firn_entry entry[BATCH];
    size_t n;
    size_t index[BATCH]; /* in the snapshot, of those whose feature is wanted */
    size_t of[BATCH];    /* which entry that is */
    size_t wanted;
    bool has[BATCH];     /* by place among the wanted: its feature is there */
    float *feature;
};

/* All at once; when that fails, one by one, so that one damaged block loses nothing else. */
static int read_features(struct firn_copy *c, struct batch *b, struct firn_error *err)
{
    size_t dim = firn_cache_loaded(c->from)->head.dim;
    memset(b->has, 1, sizeof b->has);
    int result = firn_cache_features(c->from, b->index, b->wanted, b->feature, err);
    if (result == 0 || !c->lost || (result != -FIRN_DATA && result != -FIRN_NOINPUT))
        return result;
    for (size_t i = 0; i < b->wanted; i++) {
        result = firn_cache_features(c->from, b->index + i, 1, b->feature + i * dim, err);
        if (result != 0 && result != -FIRN_DATA && result != -FIRN_NOINPUT)
            return result;
        b->has[i] = result == 0;
        if (result != 0)
            c->lost(c->user, b->entry + b->of[i]);
    }
    return 0;
}

static int hand_over(struct firn_copy *c, struct batch *b, struct firn_error *err)
{
    size_t dim = firn_cache_loaded(c->from)->head.dim, k = 0;
    int result = b->wanted ? read_features(c, b, err) : 0;
    for (size_t i = 0; i < b->n && result == 0; i++) {
        bool wanted = k < b->wanted && b->of[k] == i;
        const float *feature = wanted && b->has[k] ? b->feature + k * dim : NULL;
        result = firn_writer_copy(c->to, b->entry + i, feature, err);
        k += wanted;
    }
    c->photographs += b->n;
    b->n = b->wanted = 0;
    return result == 0 ? firn_writer_commit(c->to, err) : result;
}

static bool is_stored(const struct firn_copy *c, const struct firn_entry *e)
{
    size_t at = 0;
    /* Done, but its row is in no readable block: to be computed again, here as there. */
    if (!firn_index_rows(&firn_cache_loaded(c->from)->index, e->content, &at) && !c->lost)
        return true;
    return firn_writer_has(c->to, e->content);
}

/* Entries in a batch: no more than a segment takes, nor more than is to be held in memory. */
static size_t batch_of(const struct firn_copy *c)
{
    uint64_t bytes = c->to->segment_bytes < BATCH_BYTES ? c->to->segment_bytes : BATCH_BYTES;
    uint64_t n = bytes / (sizeof(float) * firn_cache_loaded(c->from)->head.dim);
    return n == 0 ? 1 : n < BATCH ? n : BATCH;
}

int firn_copy(struct firn_copy *c, struct firn_error *err)
{
    struct batch *b = calloc(1, sizeof *b);
    size_t n = firn_cache_count(c->from), most = batch_of(c);
    int result = 0;
    if (b)
        b->feature = malloc(most * firn_cache_loaded(c->from)->head.dim * sizeof *b->feature);
    if (!b || !b->feature)
        result = firn_fail_nomem(err, "features to copy");
    for (size_t i = 0; i < n && result == 0; i++) {
        struct firn_entry e = *firn_cache_entry(c->from, i);
        if (c->root && e.root >= firn_cache_loaded(c->from)->index.n_root)
            continue; /* its root was lost to damage: nobody knows where it was */
        e.root = c->root ? c->root[e.root] : e.root;
        if (c->choose && !c->choose(c->user, i, &e))
            continue;
        if (e.state == FIRN_DONE && !is_stored(c, &e)) {
            b->index[b->wanted] = i;
            b->of[b->wanted++] = b->n;
        }
        b->entry[b->n++] = e;
        if (b->n == most)
            result = hand_over(c, b, err);
    }
    if (result == 0)
        result = hand_over(c, b, err);
    if (b)
        free(b->feature);
    free(b);
    return result;
}
