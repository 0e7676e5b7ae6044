/* SPDX-License-Identifier: MIT */
#include "cache/writer.h"

#include "base/error.h"
#include "cache/writer_state.h"

/* ---- asking ---- */

/* True when the block at `place` is in w->scratch, whole. Each block is checked once a run. */
static bool see_block(struct firn_writer *w, uint32_t place, struct firn_block *b)
{
    struct firn_place *p = w->loaded.index.place + place;
    if (w->in_scratch == place)
        return firn_header_decode(w->scratch.memory, b) == FIRN_HEADER_GOOD;
    if (p->checked == 2)
        return false;
    w->in_scratch = FIRN_NO_PLACE;
    int result =
        firn_segment_read(w->loaded.segment + p->segment, &p->extent, &w->scratch, b, NULL);
    w->no_memory |= result == -FIRN_NOMEM;
    p->checked = result == 0 ? 1 : result == -FIRN_NOMEM ? 0 : 2;
    w->in_scratch = result == 0 ? place : FIRN_NO_PLACE;
    return result == 0;
}

/* A row for these contents is pending, or stored in a block that is whole. */
static bool has(struct firn_writer *w, const uint8_t *content)
{
    const struct firn_row *row;
    size_t at = 0;
    while ((row = firn_index_rows(&w->loaded.index, content, &at)) != NULL) {
        const uint8_t *key;
        struct firn_block b;
        if (row->place == FIRN_NO_PLACE)
            key = w->pending.key[row->row];
        else if (w->loaded.segment[w->loaded.index.place[row->place].segment].old)
            continue;
        else if (see_block(w, row->place, &b))
            key = w->scratch.memory + FIRN_HEADER + 4 * firn_store_bytes(b.store) +
                  (size_t)row->row * FIRN_KEY;
        else
            continue;
        if (memcmp(key, content, FIRN_KEY) == 0)
            return true;
    }
    return false;
}

bool firn_writer_has(struct firn_writer *w, const uint8_t content[32])
{
    pthread_mutex_lock(&w->mutex);
    bool result = has(w, content);
    pthread_mutex_unlock(&w->mutex);
    return result;
}

/* Makes what the index says of a photograph due for the next commit. */
static int push_entry(struct firn_writer *w, const struct firn_entry *e)
{
    struct firn_pending *p = &w->pending;
    if (p->n_entry == p->entry_room) {
        size_t room = p->entry_room ? p->entry_room * 2 : 64;
        struct firn_entry *more = realloc(p->entry, room * sizeof *more);
        if (!more)
            return -1;
        p->entry = more;
        p->entry_room = room;
    }
    p->entry[p->n_entry++] = *e;
    return 0;
}

static enum firn_known known(struct firn_writer *w, uint32_t root, const char *name, uint64_t size,
                             int64_t mtime_ns, int64_t ctime_ns)
{
    struct firn_entry *e = firn_index_find(&w->loaded.index, root, name);
    if (!e)
        return FIRN_UNKNOWN;
    e->met = true;
    if (e->size != size || e->mtime_ns != mtime_ns || e->ctime_ns != ctime_ns)
        return FIRN_UNKNOWN;
    if (e->state == FIRN_CORRUPT)
        return FIRN_KNOWN_CORRUPT;
    if (e->state != FIRN_DONE && e->state != FIRN_GONE)
        return FIRN_UNKNOWN;
    if (!has(w, e->content))
        return FIRN_UNKNOWN;
    if (e->state == FIRN_GONE) { /* it is back, as it was */
        e->state = FIRN_DONE;
        if (push_entry(w, e) != 0) {
            e->state = FIRN_GONE;
            return FIRN_UNKNOWN;
        }
    }
    return FIRN_KNOWN_DONE;
}

const char *firn_writer_reason(struct firn_writer *w, uint32_t root, const char *name)
{
    pthread_mutex_lock(&w->mutex);
    const struct firn_entry *e = firn_index_find(&w->loaded.index, root, name);
    const char *reason = e && e->reason_size ? e->reason : "does not decode";
    pthread_mutex_unlock(&w->mutex);
    return reason;
}

void firn_writer_meet(struct firn_writer *w, uint32_t root, const char *name)
{
    pthread_mutex_lock(&w->mutex);
    struct firn_entry *e = firn_index_find(&w->loaded.index, root, name);
    if (e)
        e->met = true;
    pthread_mutex_unlock(&w->mutex);
}

/* In a root, and there in the sub-directory `below`, or anywhere when that is "". */
static bool lies_below(const struct firn_entry *e, uint32_t root, const char *below, size_t n)
{
    return e->root == root &&
           (n == 0 || (e->name_size > n && e->name[n] == '/' && memcmp(e->name, below, n) == 0));
}

void firn_writer_walk(struct firn_writer *w, uint32_t root, const char *below)
{
    struct firn_index *index = &w->loaded.index;
    size_t n = strlen(below);
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < index->n_entry; i++)
        if (lies_below(index->entry + i, root, below, n))
            index->entry[i].met = false;
    pthread_mutex_unlock(&w->mutex);
}

static int mark_gone(struct firn_writer *w, struct firn_entry *e, struct firn_error *err)
{
    e->state = FIRN_GONE;
    e->reason = "";
    e->reason_size = 0;
    return push_entry(w, e) == 0 ? 0 : firn_fail_nomem(err, "a ledger entry");
}

int firn_writer_gone(struct firn_writer *w, uint32_t root, const char *name,
                     struct firn_error *err)
{
    pthread_mutex_lock(&w->mutex);
    struct firn_entry *e = firn_index_find(&w->loaded.index, root, name);
    int result = e && e->state != FIRN_GONE ? mark_gone(w, e, err) : 0;
    pthread_mutex_unlock(&w->mutex);
    return result;
}

static int sweep(struct firn_writer *w, uint32_t root, const char *below, size_t *gone,
                 struct firn_error *err)
{
    struct firn_index *index = &w->loaded.index;
    size_t n = strlen(below);
    for (size_t i = 0; i < index->n_entry; i++) {
        struct firn_entry *e = index->entry + i;
        if (!lies_below(e, root, below, n) || e->met || e->state == FIRN_GONE)
            continue;
        int result = mark_gone(w, e, err);
        if (result != 0)
            return result;
        ++*gone;
    }
    return 0;
}

int firn_writer_sweep(struct firn_writer *w, uint32_t root, const char *below, size_t *gone,
                      struct firn_error *err)
{
    *gone = 0;
    pthread_mutex_lock(&w->mutex);
    int result = sweep(w, root, below, gone, err);
    pthread_mutex_unlock(&w->mutex);
    return result;
}

bool firn_writer_doubt(const struct firn_writer *w, size_t i, char text[256])
{
    return firn_loaded_doubt(&w->loaded, i, text);
}

enum firn_known firn_writer_known(struct firn_writer *w, uint32_t root, const char *name,
                                  uint64_t size, int64_t mtime_ns, int64_t ctime_ns)
{
    pthread_mutex_lock(&w->mutex);
    enum firn_known result = known(w, root, name, size, mtime_ns, ctime_ns);
    pthread_mutex_unlock(&w->mutex);
    return result;
}

size_t firn_writer_pending(const struct firn_writer *w)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&w->mutex;
    pthread_mutex_lock(mutex);
    size_t n = w->pending.n_entry;
    pthread_mutex_unlock(mutex);
    return n;
}

size_t firn_writer_news(const struct firn_writer *w)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&w->mutex;
    pthread_mutex_lock(mutex);
    size_t n = w->news;
    pthread_mutex_unlock(mutex);
    return n;
}

/* ---- adding ---- */

static bool room_for_row(struct firn_writer *w)
{
    struct firn_pending *p = &w->pending;
    size_t dim = w->loaded.head.dim;
    if (p->n_row < p->row_room)
        return true;
    size_t room = p->row_room ? p->row_room * 2 : 64;
    void *key = realloc(p->key, room * sizeof *p->key);
    p->key = key ? key : p->key;
    void *value = realloc(p->value, room * dim * sizeof *p->value);
    p->value = value ? value : p->value;
    void *row = realloc(p->row, room * sizeof *p->row);
    p->row = row ? row : p->row;
    if (!key || !value || !row)
        return false;
    p->row_room = room;
    return true;
}

/* The index's place for a new row: that of its old copy, so that copies do not add up. */
static int index_row(struct firn_writer *w, const uint8_t *content, size_t *i)
{
    struct firn_index *index = &w->loaded.index;
    const struct firn_row *row;
    size_t at = 0;
    while ((row = firn_index_rows(index, content, &at)) != NULL)
        if (row->place != FIRN_NO_PLACE &&
            w->loaded.segment[index->place[row->place].segment].old) {
            *i = (size_t)(row - index->row);
            index->row[*i].place = FIRN_NO_PLACE;
            index->row[*i].row = (uint32_t)w->pending.n_row;
            return 0;
        }
    *i = index->n_row;
    return firn_index_row(index, firn_key_prefix(content), FIRN_NO_PLACE,
                          (uint32_t)w->pending.n_row);
}

static int add_row(struct firn_writer *w, const char *name, const uint8_t *content,
                   const float *feature, struct firn_error *err)
{
    struct firn_pending *p = &w->pending;
    size_t dim = w->loaded.head.dim, place;
    size_t i = firn_rows_fault(feature, dim, w->loaded.head.store);
    if (i < dim)
        return firn_fail(err, FIRN_INTERNAL, "%s: value %zu of its feature is %g: not stored", name,
                         i, (double)feature[i]);
    if (!room_for_row(w) || index_row(w, content, &place) != 0)
        return firn_fail_nomem(err, "a feature");
    if (place == w->loaded.index.n_row)
        return firn_fail(err, FIRN_DATA, "%s: its content hash starts like too many others", name);
    memcpy(p->key[p->n_row], content, FIRN_KEY);
    memcpy(p->value + p->n_row * dim, feature, dim * sizeof *p->value);
    p->row[p->n_row++] = (uint32_t)place;
    return 0;
}

static int add_entry(struct firn_writer *w, const struct firn_record *r, struct firn_error *err)
{
    size_t reason = r->reason ? strlen(r->reason) : 0;
    struct firn_entry e = {
        .name = r->name, .name_size = (uint16_t)strlen(r->name),
        .reason = reason ? r->reason : "", .reason_size = (uint8_t)(reason < 255 ? reason : 255),
        .size = r->size, .mtime_ns = r->mtime_ns, .ctime_ns = r->ctime_ns,
        .root = r->root, .state = (uint8_t)r->state, .met = true,
    };
    memcpy(e.content, r->content, FIRN_KEY);
    /* The index copies the strings, and keeps them. */
    if (firn_index_entry(&w->loaded.index, &e) != 0 ||
        push_entry(w, firn_index_find(&w->loaded.index, r->root, r->name)) != 0)
        return firn_fail_nomem(err, "a ledger entry");
    return 0;
}

/* A failure that the ledger has just so: it is tried again, but not said again. */
static bool is_told(struct firn_writer *w, const struct firn_record *r)
{
    const char *reason = r->reason ? r->reason : "";
    size_t n = strnlen(reason, 255);
    struct firn_entry *e =
        r->state == FIRN_DONE ? NULL : firn_index_find(&w->loaded.index, r->root, r->name);
    if (!e || e->state != r->state || e->size != r->size || e->mtime_ns != r->mtime_ns ||
        e->ctime_ns != r->ctime_ns || e->reason_size != n || memcmp(e->reason, reason, n) != 0 ||
        memcmp(e->content, r->content, FIRN_KEY) != 0)
        return false;
    e->met = true;
    return true;
}

static int add(struct firn_writer *w, const struct firn_record *r, struct firn_error *err)
{
    const struct firn_index *index = &w->loaded.index;
    if (r->root >= index->n_root || !index->root[r->root].path)
        return firn_fail(err, FIRN_USAGE, "%s: its root was not declared", r->name);
    if (r->state == FIRN_DONE && !has(w, r->content)) {
        if (!r->feature)
            return firn_fail(err, FIRN_INTERNAL, "%s: done, but there is no feature", r->name);
        int result = add_row(w, r->name, r->content, r->feature, err);
        if (result != 0)
            return result;
    }
    if (is_told(w, r))
        return 0;
    w->news++;
    return add_entry(w, r, err);
}

int firn_writer_add(struct firn_writer *w, const struct firn_record *record,
                    struct firn_error *err)
{
    size_t n = strlen(record->name);
    if (n == 0 || n > UINT16_MAX || record->state < FIRN_DONE || record->state > FIRN_CORRUPT)
        return firn_fail(err, FIRN_USAGE, "%.100s: not a record", record->name);
    pthread_mutex_lock(&w->mutex);
    int result = add(w, record, err);
    pthread_mutex_unlock(&w->mutex);
    return result;
}

int firn_writer_copy_row(struct firn_writer *w, const char *name, const uint8_t content[32],
                         const float *feature, struct firn_error *err)
{
    pthread_mutex_lock(&w->mutex);
    int result = has(w, content) ? 0 : add_row(w, name, content, feature, err);
    pthread_mutex_unlock(&w->mutex);
    return result;
}

int firn_writer_copy(struct firn_writer *w, const struct firn_entry *entry, const float *feature,
                     struct firn_error *err)
{
    int result =
        feature ? firn_writer_copy_row(w, entry->name, entry->content, feature, err) : 0;
    pthread_mutex_lock(&w->mutex);
    if (result == 0 && (firn_index_entry(&w->loaded.index, entry) != 0 ||
                        push_entry(w, firn_index_find(&w->loaded.index, entry->root, entry->name))))
        result = firn_fail_nomem(err, "a ledger entry");
    pthread_mutex_unlock(&w->mutex);
    return result;
}

int firn_writer_run(struct firn_writer *w, const struct firn_run *run, struct firn_error *err)
{
    pthread_mutex_lock(&w->mutex);
    struct firn_run *p = realloc(w->pending.run, (w->pending.n_run + 1) * sizeof *p);
    if (p) {
        w->pending.run = p;
        p[w->pending.n_run++] = *run;
        w->news = 0;
    }
    pthread_mutex_unlock(&w->mutex);
    return p ? 0 : firn_fail_nomem(err, "a run");
}

int firn_writer_commit(struct firn_writer *w, struct firn_error *err)
{
    pthread_mutex_lock(&w->mutex);
    int result = firn_writer_flush(w, err);
    pthread_mutex_unlock(&w->mutex);
    return result;
}

int firn_writer_hold(const struct firn_writer *w)
{
    return firn_lock_hold(w->lock);
}

int firn_writer_close(struct firn_writer *w, struct firn_error *err)
{
    if (!w)
        return 0;
    int result = firn_writer_commit(w, err), closed = 0;
    /* What is stored gets its index also when the rest finds no room. */
    if (w->growing != FIRN_NO_SEGMENT)
        closed = firn_writer_close_segment(w, result ? NULL : err);
    if (result == 0 && closed != 0)
        firn_fail_in(err, closed, "everything is stored, but its index is not; the next run "
                                  "will write it");
    result = result ? result : closed;
    if (result == 0) {
        firn_lock_settle(w->lock);
        firn_writer_index(w);
    }
    firn_writer_destroy(w);
    return result;
}
