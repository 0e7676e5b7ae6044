/* SPDX-License-Identifier: MIT */
/** What the blocks of all segments say, into the index: the second half of loading a cache. */
#include "base/error.h"
#include "base/thread.h"
#include "cache/load.h"

/* Where entries go, and where they come from. */
struct source {
    struct firn_index *index;
    uint32_t segment;
};

/*
 * A photograph that is done, and nobody knows with which contents: its row is in a block that
 * cannot be read. An older word that it is done may still have its row.
 */
static bool is_superfluous(const struct firn_index *index, const struct firn_entry *entry)
{
    static const uint8_t unknown[FIRN_KEY];
    if (entry->state != FIRN_DONE || memcmp(entry->content, unknown, FIRN_KEY) != 0)
        return false;
    const struct firn_entry *older = firn_index_find(index, entry->root, entry->name);
    return older && older->state == FIRN_DONE;
}

static int add_entry(void *user, const struct firn_entry *entry)
{
    const struct source *source = user;
    if (is_superfluous(source->index, entry))
        return 0;
    struct firn_entry e = *entry;
    e.segment = source->segment;
    return firn_index_entry(source->index, &e) == 0 ? 0 : -2;
}

/*
 * Whoever reads has to know that photographs or class names are missing or out of date. (The writer
 * meets the photographs again, and verification looks at every block anyway.)
 */
static int doubt_record(struct firn_loaded *l, const struct firn_segment *s,
                        const struct firn_extent *e)
{
    if (e->type == FIRN_BLOCK_RUN || e->type == FIRN_BLOCK_NEEDS)
        return 0;
    return firn_loaded_add_doubt(l, (struct firn_doubt){
        .number = s->number, .offset = e->offset, .bytes = e->stored, .certain = true,
        .block = true,
        .what = e->type == FIRN_BLOCK_LEDGER
                    ? "a part of its ledger is damaged: photographs are missing or out of date"
                    : "the classes of a directory are damaged: labels are missing or out of date"});
}

static bool same_root(const struct firn_root *a, const struct firn_root *b)
{
    bool same = a->path && strcmp(a->path, b->path) == 0 && a->n_classes == b->n_classes;
    for (size_t i = 0; same && i < a->n_classes; i++)
        same = strcmp(a->classes[i], b->classes[i]) == 0;
    return same;
}

static int load_root(struct firn_loaded *l, const struct firn_block *b, const uint8_t *raw)
{
    uint32_t id;
    struct firn_root root;
    int result = firn_root_get(raw, b->raw, &id, &root);
    if (result != 0)
        return result == -2 ? -1 : 0;
    /* Other classes are another order of all photographs, which the atlas knows nothing of. */
    l->misfit |= l->atlas && (id >= l->index.n_root || !same_root(l->index.root + id, &root));
    return firn_index_root(&l->index, id, &root);
}

/* What is at hand while the blocks of a segment are taken in order. */
struct loading {
    struct firn_loaded *loaded;
    const struct firn_segment *segment;
    struct firn_codec *codec;
    struct firn_scratch scratch;
    struct firn_roll roll; /* of the rows that the next ledger speaks of */
    bool spoken;           /* a ledger came since */
    size_t row;            /* of the segment, that comes next */
};

static int fail_newer(const struct firn_loaded *l, struct firn_error *err)
{
    return firn_fail(err, FIRN_CONFIG, "%s: was written by a later version of firn; use that one",
                     l->dir);
}

/* One record block into the index. Blocks that are damaged or mean nothing are left out. */
static int load_record(struct loading *g, const struct firn_extent *e, struct firn_error *err)
{
    struct firn_loaded *l = g->loaded;
    struct firn_block b;
    uint8_t *raw = NULL;
    int result = firn_segment_read(g->segment, e, &g->scratch, &b, NULL);
    if (result == 0)
        result = firn_block_get(g->codec, &b, g->scratch.memory + FIRN_HEADER, &raw);
    if (result != 0)
        return result == -2 || result == -FIRN_NOMEM ? -1 : doubt_record(l, g->segment, e);
    struct firn_run run;
    struct source source = {&l->index, (uint32_t)(g->segment - l->segment)};
    if (b.type == FIRN_BLOCK_LEDGER)
        result = firn_ledger_get(raw, b.raw, b.count, &g->roll, add_entry, &source) == -2 ? -1 : 0;
    else if (b.type == FIRN_BLOCK_ROOT)
        result = load_root(l, &b, raw);
    else if (b.type == FIRN_BLOCK_RUN && firn_run_get(raw, b.raw, &run) == 0)
        result = firn_index_run(&l->index, &run, source.segment);
    else if (b.type == FIRN_BLOCK_NEEDS && !firn_needs_known(raw, b.raw))
        result = fail_newer(l, err);
    free(raw);
    return result;
}

static int index_row(struct firn_index *index, uint64_t prefix, uint32_t row)
{
    return firn_index_row(index, prefix, (uint32_t)index->n_place - 1, row);
}

/* Rows whose keys cannot be read are in a block that is damaged anyway. */
static int load_keys(struct loading *g, const struct firn_extent *e)
{
    const uint8_t *key;
    int result = firn_segment_read_keys(g->segment, e, &g->scratch, &key);
    if (result != 0)
        return result == -FIRN_NOMEM ? -1 : 0;
    for (uint32_t i = 0; i < e->count; i++)
        if (index_row(&g->loaded->index, firn_key_prefix(key + (size_t)i * FIRN_KEY), i) != 0)
            return -1;
    return firn_roll_add(&g->roll, key, e->count);
}

static int load_rows(struct loading *g, const struct firn_extent *e)
{
    struct firn_index *index = &g->loaded->index;
    const struct firn_segment *s = g->segment;
    size_t first = g->row;
    g->row += e->count;
    if (e->width != g->loaded->head.dim || e->store != g->loaded->head.store)
        return 0;
    if (g->spoken)
        firn_roll_clear(&g->roll);
    g->spoken = false;
    if (firn_index_place(index, (uint32_t)(s - g->loaded->segment), e) != 0)
        return -1;
    if (g->row > s->n_prefix)
        return load_keys(g, e);
    for (uint32_t i = 0; i < e->count; i++)
        if (index_row(index, s->prefix[first + i], i) != 0)
            return -1;
    return 0;
}

static int load_block(struct loading *g, const struct firn_extent *e, struct firn_error *err)
{
    if (e->type == FIRN_BLOCK_ROWS)
        return load_rows(g, e);
    g->spoken |= e->type == FIRN_BLOCK_LEDGER;
    if ((e->type >= FIRN_BLOCK_LEDGER && e->type <= FIRN_BLOCK_RUN) ||
        e->type == FIRN_BLOCK_NEEDS)
        return load_record(g, e, err);
    return e->type > FIRN_BLOCK_NEEDS && e->type < FIRN_BLOCK_OPTIONAL
               ? fail_newer(g->loaded, err)
               : 0;
}

int firn_load_records(struct firn_loaded *l, struct firn_codec *codec, const volatile int *stop,
                      struct firn_error *err)
{
    struct loading g = {.loaded = l, .codec = codec};
    int result = 0;
    for (size_t k = 0; k < l->n_segment && result == 0; k++) {
        g.segment = l->segment + k;
        g.row = 0;
        firn_roll_clear(&g.roll);
        for (size_t i = 0; i < g.segment->n_extent && result == 0; i++)
            result = firn_is_set(stop) ? firn_fail(err, FIRN_INTERRUPTED, "%s: stopped", l->dir)
                                  : load_block(&g, g.segment->extent + i, err);
    }
    free(g.scratch.memory);
    firn_roll_fini(&g.roll);
    return result == -1 ? firn_fail_nomem(err, "the index of the cache") : result;
}
