/* SPDX-License-Identifier: MIT */
/** What a commit says: all that is pending, as blocks in memory. */
#include <time.h>

#include "base/error.h"
#include "cache/writer_state.h"

enum {
    BLOCK_BYTES = 48 << 10, /* of values in a ROWS block: what one gathered row must decode */
    LEDGER_ENTRIES = 4096,  /* in a LEDGER block */
    LEDGER_BYTES = 4 << 20  /* of strings in one, about */
};

static void put_head(struct firn_writer *w, struct firn_stamp *stamp)
{
    struct firn_buffer payload = {0};
    struct firn_head head = w->loaded.head;
    head.number = w->loaded.segment[w->growing].number;
    head.created = (int64_t)time(NULL);
    firn_head_put(&payload, &head);
    firn_block_put(&w->out, NULL, stamp, FIRN_BLOCK_HEAD, 0, payload.data, payload.size);
    w->out.failed |= payload.failed;
    free(payload.data);
}

/* Once in a segment, so that no reader takes for damage what it does not know. */
static void put_needs(struct firn_writer *w, struct firn_stamp *stamp)
{
    uint8_t needs[4];
    if (w->loaded.segment[w->growing].needs)
        return;
    firn_put(needs, FIRN_NEEDS_ROLL, sizeof needs);
    firn_block_put(&w->out, NULL, stamp, FIRN_BLOCK_NEEDS, 0, needs, sizeof needs);
}

/* All that belongs to the cache besides the segment that this goes to. */
static void put_roster(struct firn_writer *w, struct firn_stamp *stamp)
{
    const struct firn_loaded *l = &w->loaded;
    struct firn_buffer payload = {0};
    struct firn_roster roster = {calloc(l->n_segment + 1, sizeof *roster.member), 0};
    for (size_t i = 0; roster.member && i < l->n_segment; i++) {
        const struct firn_segment *s = l->segment + i;
        if (i != w->growing && !s->leaving)
            roster.member[roster.n++] = (struct firn_member){s->id, s->end, s->number};
    }
    firn_roster_put(&payload, &roster);
    firn_block_put(&w->out, NULL, stamp, FIRN_BLOCK_ROSTER, 0, payload.data, payload.size);
    w->out.failed |= payload.failed || !roster.member;
    free(roster.member);
    free(payload.data);
}

static void put_footer(struct firn_writer *w, struct firn_stamp *stamp, size_t segment)
{
    const struct firn_segment *s = w->loaded.segment + segment;
    struct firn_buffer payload = {0};
    struct firn_footer footer = {
        .segment = s->id, .number = s->number, .end = s->end,
        .extent = s->extent, .n_extent = s->n_extent,
    };
    firn_footer_put(&payload, &footer);
    firn_block_put(&w->out, NULL, stamp, FIRN_BLOCK_FOOTER, 0, payload.data, payload.size);
    w->out.failed |= payload.failed;
    free(payload.data);
}

static void put_salvage(struct firn_writer *w, struct firn_stamp *stamp,
                        const struct firn_salvage *salvage)
{
    const struct firn_segment *s = w->loaded.segment + salvage->segment;
    struct firn_block b;
    w->in_scratch = FIRN_NO_PLACE;
    /* What cannot be read now could be read a moment ago; it was never acknowledged. */
    int result = firn_segment_read(s, &salvage->extent, &w->scratch, &b, NULL);
    w->out.failed |= result == -FIRN_NOMEM;
    if (result != 0)
        return;
    bool own = b.type == FIRN_BLOCK_FOOTER && firn_get(w->scratch.memory + FIRN_HEADER, 8) == s->id;
    if (!own && b.type != FIRN_BLOCK_ROSTER)
        firn_block_put_stored(&w->out, stamp, &b, w->scratch.memory + FIRN_HEADER);
}

static void put_rows(struct firn_writer *w, struct firn_stamp *stamp)
{
    const struct firn_pending *p = &w->pending;
    size_t dim = w->loaded.head.dim;
    size_t most = BLOCK_BYTES / (firn_store_bytes(w->loaded.head.store) * dim);
    most = most ? most : 1;
    for (size_t i = 0; i < p->n_row; i += most) {
        size_t n = p->n_row - i < most ? p->n_row - i : most;
        firn_block_put_rows(&w->out, w->codec, stamp, w->loaded.head.store, (uint32_t)dim,
                            (const uint8_t(*)[FIRN_KEY])(p->key + i), p->value + i * dim,
                            (uint32_t)n);
        w->out.failed |= firn_roll_add(&w->roll, p->key[i], (uint32_t)n) != 0;
    }
}

static bool put_entries(struct firn_writer *w, struct firn_stamp *stamp, size_t first, size_t n,
                        struct firn_roll *roll, struct firn_buffer *payload)
{
    size_t part[FIRN_LEDGER_PARTS] = {0};
    payload->size = 0;
    firn_ledger_put(payload, w->pending.entry + first, n, roll, part);
    return firn_block_put_parts(&w->out, w->codec, stamp, FIRN_BLOCK_LEDGER, (uint32_t)n,
                                payload->data, part, FIRN_LEDGER_PARTS);
}

static void put_ledger(struct firn_writer *w, struct firn_stamp *stamp)
{
    const struct firn_pending *p = &w->pending;
    struct firn_buffer payload = {0};
    for (size_t i = 0, n; i < p->n_entry; i += n) {
        size_t bytes = 0, start = w->out.size;
        for (n = 0; i + n < p->n_entry && n < LEDGER_ENTRIES && bytes < LEDGER_BYTES; n++)
            bytes += FIRN_ENTRY + (size_t)p->entry[i + n].name_size + p->entry[i + n].reason_size;
        if (put_entries(w, stamp, i, n, &w->roll, &payload))
            continue;
        /* Entries that are all alike: with their keys in full a reader takes them. */
        w->out.size = start;
        stamp->sequence--;
        put_entries(w, stamp, i, n, NULL, &payload);
    }
    w->out.failed |= payload.failed;
    free(payload.data);
}

static void put_roots_and_runs(struct firn_writer *w, struct firn_stamp *stamp)
{
    const struct firn_pending *p = &w->pending;
    struct firn_buffer payload = {0};
    for (size_t i = 0; i < p->n_root; i++) {
        const struct firn_root *root = w->loaded.index.root + p->root[i];
        payload.size = 0;
        firn_root_put(&payload, p->root[i], root->path, root->classes, root->n_classes);
        firn_block_put(&w->out, w->codec, stamp, FIRN_BLOCK_ROOT, 0, payload.data, payload.size);
    }
    for (size_t i = 0; i < p->n_run; i++) {
        payload.size = 0;
        firn_run_put(&payload, p->run + i);
        firn_block_put(&w->out, w->codec, stamp, FIRN_BLOCK_RUN, 0, payload.data, payload.size);
    }
    w->out.failed |= payload.failed;
    free(payload.data);
}

/* Rows before the ledger that speaks of them, so that any prefix of a cache makes sense. */
int firn_writer_encode(struct firn_writer *w, struct firn_stamp *stamp, struct firn_error *err)
{
    const struct firn_pending *p = &w->pending;
    bool is_new = w->loaded.segment[w->growing].end == 0;
    w->out.size = 0;
    w->out.failed = false;
    firn_roll_clear(&w->roll);
    if (is_new)
        put_head(w, stamp);
    put_needs(w, stamp);
    if (is_new || p->roster)
        put_roster(w, stamp);
    for (size_t i = 0; i < p->n_orphan; i++)
        put_footer(w, stamp, p->orphan[i]);
    for (size_t i = 0; i < p->n_salvage; i++)
        put_salvage(w, stamp, p->salvage + i);
    put_rows(w, stamp);
    put_roots_and_runs(w, stamp);
    put_ledger(w, stamp);
    firn_buffer_pad(&w->out, FIRN_PAGE);
    return w->out.failed ? firn_fail_nomem(err, "a commit to the cache") : 0;
}
