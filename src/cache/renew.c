/* SPDX-License-Identifier: MIT */
/** Writing anew what old segments hold, and letting go of them. */
#include "base/error.h"
#include "cache/writer_state.h"

static int push_root(struct firn_pending *p, uint32_t id)
{
    uint32_t *more = realloc(p->root, (p->n_root + 1) * sizeof *more);
    if (!more)
        return -1;
    p->root = more;
    more[p->n_root++] = id;
    return 0;
}

int firn_writer_copy_facts(struct firn_writer *w, struct firn_error *err)
{
    const struct firn_index *index = &w->loaded.index;
    int result = 0;
    w->pending.n_root = 0;
    for (size_t i = 0; i < index->n_root && result == 0; i++)
        if (index->root[i].path)
            result = push_root(&w->pending, (uint32_t)i);
    if (result != 0)
        return firn_fail_nomem(err, "a root");
    for (size_t i = 0; i < index->n_run && result == 0; i++)
        if (w->loaded.segment[index->run_segment[i]].old)
            result = firn_writer_run(w, index->run + i, err);
    return result;
}

/* Every feature that an old segment has and a photograph needs is elsewhere by now. */
static int check_copies(struct firn_writer *w, struct firn_error *err)
{
    const struct firn_index *index = &w->loaded.index;
    for (size_t i = 0; i < index->n_row; i++) {
        const struct firn_row *row = index->row + i;
        if (row->place == FIRN_NO_PLACE)
            return firn_fail(err, FIRN_INTERNAL, "a feature that was copied is not stored");
    }
    for (size_t i = 0; i < index->n_entry; i++) {
        const struct firn_entry *e = index->entry + i;
        size_t at = 0;
        bool had = e->state == FIRN_DONE && firn_index_rows(index, e->content, &at) != NULL;
        if (!had || w->quarantine || firn_writer_has(w, e->content))
            continue;
        if (w->no_memory)
            return firn_fail_nomem(err, "a block of the cache");
        return firn_fail(err, FIRN_DATA, "%s: its feature was not copied; nothing is removed",
                         e->name);
    }
    return 0;
}

int firn_writer_let_go(struct firn_writer *w, struct firn_error *err)
{
    struct firn_loaded *l = &w->loaded;
    int result = firn_writer_commit(w, err);
    if (result == 0)
        result = check_copies(w, err);
    if (result != 0)
        return result;
    for (size_t i = 0; i < l->n_segment; i++) {
        struct firn_segment *s = l->segment + i;
        if (!s->old || s->leaving)
            continue;
        s->leaving = true;
        if (firn_loaded_add_stale(l, s->number) != 0)
            return firn_fail_nomem(err, "the list of segments");
    }
    w->pending.roster = true;
    return firn_writer_commit(w, err);
}
