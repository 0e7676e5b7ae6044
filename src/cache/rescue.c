/* SPDX-License-Identifier: MIT */
/**
 * What ledgers that are damaged said of photographs, from INDEX: it has the newest word of all
 * segments that it covers, and is believed only while they are those that it was made of. What lies
 * behind them is read from the segments, with INDEX as without.
 */
#include "base/error.h"
#include "cache/load.h"

static bool is_same(const struct firn_entry *a, const struct firn_entry *b)
{
    return a->state == b->state && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns && memcmp(a->content, b->content, FIRN_KEY) == 0 &&
           strcmp(a->reason, b->reason) == 0;
}

/* Its row is lost, and that of an older word may not be: as in load_records.c. */
static bool is_superfluous(const struct firn_index *index, const struct firn_entry *word,
                           const struct firn_entry *have)
{
    size_t at = 0;
    return word->state == FIRN_DONE && have && have->state == FIRN_DONE &&
           !firn_index_rows(index, word->content, &at);
}

static int take(struct firn_index *index, const struct firn_index *later,
                const struct firn_entry *word)
{
    const struct firn_entry *have = firn_index_find(index, word->root, word->name);
    if (firn_index_find(later, word->root, word->name) || (have && is_same(have, word)) ||
        is_superfluous(index, word, have))
        return 0;
    struct firn_entry e = *word;
    e.segment = FIRN_OF_NO_SEGMENT;
    return firn_index_entry(index, &e);
}

/* Parts of INDEX that are damaged say nothing. */
static int take_all(struct firn_index *index, const struct firn_loaded *known)
{
    const struct firn_atlas *a = known->atlas;
    int result = 0;
    for (size_t k = 0; k < a->head.n[FIRN_TABLE_LEAF] && result == 0; k++) {
        struct firn_leaf *leaf = firn_atlas_leaf(a, k);
        size_t left = a->head.photos - k * FIRN_LEAF;
        for (size_t i = 0; leaf && i < FIRN_LEAF && i < left && result == 0; i++)
            result = take(index, &known->index, firn_leaf_entry(leaf, i));
        free(leaf);
    }
    return result != 0 || firn_atlas_trouble(a) & FIRN_OUT_OF_MEMORY ? -1 : 0;
}

int firn_loaded_rescue(struct firn_loaded *loaded, struct firn_error *err)
{
    struct firn_loaded known;
    int result = firn_load(&known, loaded->dir, FIRN_LOAD_READER, NULL, err);
    if (result != 0)
        return result;
    if (known.atlas && known.cache == loaded->cache && take_all(&loaded->index, &known) != 0)
        result = firn_fail_nomem(err, "photographs of damaged ledgers");
    firn_loaded_fini(&known);
    return result;
}
