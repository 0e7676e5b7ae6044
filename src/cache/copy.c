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

/* Features in a batch: no more than a segment takes, nor more than is to be held in memory. */
static size_t batch_of(const struct firn_writer *to)
{
    uint64_t bytes = to->segment_bytes < BATCH_BYTES ? to->segment_bytes : BATCH_BYTES;
    uint64_t n = bytes / (sizeof(float) * to->loaded.head.dim);
    return n == 0 ? 1 : n < BATCH ? n : BATCH;
}

int firn_copy(struct firn_copy *c, struct firn_error *err)
{
    struct batch *b = calloc(1, sizeof *b);
    size_t n = firn_cache_count(c->from), most = batch_of(c->to);
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

/* ---- rows without an entry ---- */

/* What is at hand while the rows are gone through. */
struct rows {
    const struct firn_loaded *from;
    struct firn_writer *to; /* or NULL */
    bool named_only;
    bool *named;            /* [n_row] a photograph has it */
    bool *taken;            /* [n_row] one of these contents was dealt with */
    struct firn_codec *codec;
    struct firn_scratch scratch;
    struct firn_block block; /* the one that is in `rows` */
    struct firn_rows rows;
    uint32_t place; /* its place */
    bool whole;
    float *value;
};

/* Brings the block of a row, if it is whole. FIRN_NOMEM. */
static int bring(struct rows *r, uint32_t place, struct firn_error *err)
{
    const struct firn_place *p = r->from->index.place + place;
    if (r->place == place)
        return 0;
    r->place = place;
    int result = firn_segment_read(r->from->segment + p->segment, &p->extent, &r->scratch,
                                   &r->block, NULL);
    if (result == 0)
        result = firn_block_get_rows(r->codec, &r->block, r->scratch.memory + FIRN_HEADER,
                                     &r->rows);
    r->whole = result == 0;
    return result == -2 || result == -FIRN_NOMEM ? firn_fail_nomem(err, "a block of the cache") : 0;
}

/* A segment that stays has a row for it. */
static bool stays(const struct rows *r, const uint8_t *content, const bool *leaving)
{
    const struct firn_index *index = &r->from->index;
    const struct firn_row *row;
    size_t at = 0;
    if (r->to)
        return firn_writer_has(r->to, content);
    while ((row = firn_index_rows(index, content, &at)) != NULL)
        if (!leaving[index->place[row->place].segment])
            return true;
    return false;
}

/* 1: row i is one that was to be taken; 0: it is not. */
static int take_row(struct rows *r, size_t i, const bool *leaving, struct firn_error *err)
{
    const struct firn_row *row = r->from->index.row + i;
    const struct firn_head *head = &r->from->head;
    if (r->taken[i] || !leaving[r->from->index.place[row->place].segment] ||
        (r->named_only && !r->named[i]))
        return 0;
    int result = bring(r, row->place, err);
    if (result != 0 || !r->whole || row->row >= r->block.count)
        return result;
    const uint8_t *content = r->rows.key + (size_t)row->row * FIRN_KEY;
    firn_rows_values(&r->rows, &r->block, row->row, r->value);
    if (firn_rows_fault(r->value, head->dim, head->store) < head->dim || stays(r, content, leaving))
        return 0;
    firn_index_mark(&r->from->index, content, r->taken);
    result = r->to ? firn_writer_copy_row(r->to, "a feature", content, r->value, err) : 0;
    return result == 0 ? 1 : result;
}

static int take_rows(struct rows *r, const bool *leaving, size_t *unnamed, struct firn_error *err)
{
    const struct firn_index *index = &r->from->index;
    size_t most = r->to ? batch_of(r->to) : SIZE_MAX, n = 0;
    int result = 0;
    for (size_t i = 0; i < index->n_entry; i++)
        if (index->entry[i].state == FIRN_DONE || index->entry[i].state == FIRN_GONE)
            firn_index_mark(index, index->entry[i].content, r->named);
    for (size_t i = 0; i < index->n_row && result >= 0; i++) {
        result = take_row(r, i, leaving, err);
        if (unnamed)
            *unnamed += result > 0 && !r->named[i];
        n += result > 0;
        if (result > 0 && r->to && n % most == 0)
            result = firn_writer_commit(r->to, err);
    }
    if (result < 0)
        return result;
    return r->to ? firn_writer_commit(r->to, err) : 0;
}

int firn_copy_rows(const struct firn_cache *from, struct firn_writer *to, const bool *leaving,
                   size_t *unnamed, struct firn_error *err)
{
    const struct firn_loaded *l = firn_cache_loaded(from);
    struct rows r = {.from = l, .to = to, .place = FIRN_NO_PLACE, .named_only = !unnamed,
                     .codec = firn_codec_create()};
    r.named = calloc(l->index.n_row + 1, sizeof *r.named);
    r.taken = calloc(l->index.n_row + 1, sizeof *r.taken);
    r.value = malloc(l->head.dim * sizeof *r.value);
    int result = r.named && r.taken && r.value && r.codec
                     ? take_rows(&r, leaving, unnamed, err)
                     : firn_fail_nomem(err, "features to copy");
    free(r.named);
    free(r.taken);
    free(r.value);
    free(r.scratch.memory);
    firn_rows_fini(&r.rows);
    firn_codec_destroy(r.codec);
    return result;
}
