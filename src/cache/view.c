/* SPDX-License-Identifier: MIT */
#include "cache/view.h"

/* ---- where everything stands ---- */

/* Index in the snapshot of photograph k of the index. */
static size_t stands_at(const struct firn_view *v, size_t k)
{
    return v->mark ? v->mark[k].at - v->mark[k].dropped + k : k;
}

/* Photograph of the atlas that photograph k of the index stands before, or in place of. */
static size_t stands_before(const struct firn_view *v, size_t k)
{
    return v->mark[k].at;
}

/* Row number of photograph k of the index, as if it had one. */
static size_t row_at(const struct firn_view *v, size_t k)
{
    return v->mark[k].row_at;
}

static size_t spot_of(const struct firn_view *v, size_t k)
{
    return v->spot[k].photo;
}

/* How many of the first n have a number of at most `most`, which rises with k. */
static size_t count_to(const struct firn_view *v, size_t number(const struct firn_view *, size_t k),
                       size_t n, size_t most)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (number(v, middle) <= most)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The photograph of the index that stands at i, or false: *b of the atlas does. */
static bool of_index(const struct firn_view *v, size_t i, size_t *k, size_t *b)
{
    *k = i;
    if (!v->mark)
        return true;
    size_t n = count_to(v, stands_at, v->loaded->index.n_entry, i);
    *k = n - 1;
    *b = i - n + v->mark[n].dropped;
    return n > 0 && stands_at(v, n - 1) == i;
}

/* Index in the snapshot of photograph b of the atlas; SIZE_MAX when another took its place. */
static size_t stands_of_atlas(const struct firn_view *v, size_t b)
{
    size_t n = count_to(v, stands_before, v->loaded->index.n_entry, b);
    for (size_t k = n; k > 0 && v->mark[k - 1].at == b; k--)
        if (v->mark[k - 1].replaces)
            return SIZE_MAX;
    return b - v->mark[n].dropped + n;
}

/* ---- the beginning ---- */

static int compare(const struct firn_view *v, const struct firn_order_key *key, size_t b, int *c)
{
    const struct firn_entry *e = firn_atlas_entry(v->loaded->atlas, b);
    struct firn_order_key other;
    if (!e)
        return 1;
    firn_order_key(&v->order, &v->loaded->index, e, &other);
    *c = firn_order_compare(&other, key);
    return 0;
}

/*
 * The first photograph of the atlas that does not come before `key`. Bisects the leaves always from
 * the whole, so that the same few are decoded for all keys, and then the one leaf.
 */
static int find_at(const struct firn_view *v, const struct firn_order_key *key, size_t *at)
{
    size_t n = v->loaded->atlas->head.photos, low = 0;
    size_t high = (n + FIRN_LEAF - 1) / FIRN_LEAF, step = FIRN_LEAF;
    int c = 0;
    for (int round = 0; round < 2; round++) {
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (compare(v, key, middle * step, &c) != 0)
                return 1;
            if (c < 0)
                low = middle + 1;
            else
                high = middle;
        }
        if (round == 0) {
            high = low * FIRN_LEAF < n ? low * FIRN_LEAF : n;
            low = low > 0 ? (low - 1) * FIRN_LEAF : 0;
            step = 1;
        }
    }
    *at = low;
    return 0;
}

static void count_state(struct firn_cache_stat *s, const struct firn_entry *e, bool row, int by)
{
    size_t *which = e->state == FIRN_CORRUPT ? &s->corrupt
                    : e->state == FIRN_GONE  ? &s->gone
                    : row                    ? &s->records
                                             : &s->skipped;
    *which += (size_t)by;
}

/* Where photograph k of the index stands; the next mark is begun with what it adds. */
static int set_mark(struct firn_view *v, size_t k, bool row)
{
    const struct firn_atlas *a = v->loaded->atlas;
    struct firn_mark *m = v->mark + k;
    const struct firn_entry *e = v->loaded->index.entry + v->order.photo[k].entry;
    struct firn_order_key key;
    size_t at, before;
    bool had_row = false;
    int c = 1;
    firn_order_key(&v->order, &v->loaded->index, e, &key);
    if (find_at(v, &key, &at) != 0 ||
        (at < a->head.photos && compare(v, &key, at, &c) != 0))
        return 1;
    m->at = (uint32_t)at;
    m->replaces = c == 0;
    before = firn_atlas_rows_before(a, at, &had_row);
    if (m->replaces && had_row != (firn_atlas_entry(a, at)->state == FIRN_DONE))
        return 1; /* somebody made it up */
    m->row_at = (uint32_t)(before - m->dropped_rows + m->rows);
    m[1].dropped = m->dropped + m->replaces;
    m[1].dropped_rows = m->dropped_rows + (m->replaces && had_row);
    m[1].rows = m->rows + row;
    if (m->replaces)
        count_state(&v->stat, firn_atlas_entry(a, at), had_row, -1);
    return 0;
}

static int init(struct firn_view *v)
{
    const struct firn_index *index = &v->loaded->index;
    const struct firn_atlas *a = v->loaded->atlas;
    size_t n = index->n_entry, rows = 0;
    v->spot = malloc((n + 1) * sizeof *v->spot);
    v->mark = a ? calloc(n + 1, sizeof *v->mark) : NULL;
    if (!v->spot || (a && !v->mark))
        return -1;
    for (size_t k = 0; k < n; k++) {
        const struct firn_entry *e = index->entry + v->order.photo[k].entry;
        struct firn_search search = {0};
        bool row =
            e->state == FIRN_DONE && firn_view_search(v, e->content, &search, v->spot + rows);
        if (row)
            v->spot[rows++].photo = (uint32_t)k;
        count_state(&v->stat, e, row, 1);
        if (a && set_mark(v, k, row) != 0)
            return 1;
    }
    v->n = n + (a ? a->head.photos - v->mark[n].dropped : 0);
    return firn_atlas_trouble(a) != 0;
}

int firn_view_init(struct firn_view *v, const struct firn_loaded *loaded)
{
    const struct firn_atlas *a = loaded->atlas;
    memset(v, 0, sizeof *v);
    v->loaded = loaded;
    v->stat.rows = loaded->index.n_row;
    if (a) {
        v->stat.records = a->head.n[FIRN_TABLE_SPOT];
        v->stat.skipped = a->head.skipped;
        v->stat.corrupt = a->head.corrupt;
        v->stat.gone = a->head.gone;
        v->stat.rows += a->head.rows;
    }
    if (firn_order_init(&v->order, &loaded->index) != 0)
        return -1;
    if (a && a->head.n[FIRN_TABLE_START] != v->order.n_classes + 1)
        return 1; /* a label would name no class */
    return init(v);
}

void firn_view_fini(struct firn_view *v)
{
    firn_order_fini(&v->order);
    free(v->spot);
    free(v->mark);
    v->spot = NULL;
    v->mark = NULL;
}

/* ---- questions ---- */

int firn_view_label(const struct firn_view *v, size_t i)
{
    size_t k, b;
    return of_index(v, i, &k, &b) ? v->order.photo[k].label : firn_atlas_label(v->loaded->atlas, b);
}

const struct firn_entry *firn_view_entry(const struct firn_view *v, size_t i, int *label,
                                         bool *has_row)
{
    size_t k, b;
    bool mine = of_index(v, i, &k, &b);
    if (label)
        *label = mine ? v->order.photo[k].label : firn_atlas_label(v->loaded->atlas, b);
    if (has_row)
        *has_row = firn_view_row(v, i) != SIZE_MAX;
    return mine ? v->loaded->index.entry + v->order.photo[k].entry
                : firn_atlas_entry(v->loaded->atlas, b);
}

const struct firn_entry *firn_view_next(const struct firn_view *v, size_t i, struct firn_reel *reel)
{
    size_t k, b;
    if (of_index(v, i, &k, &b))
        return v->loaded->index.entry + v->order.photo[k].entry;
    if (!reel->leaf || reel->k != b / FIRN_LEAF) {
        firn_reel_fini(reel);
        reel->k = b / FIRN_LEAF;
        reel->leaf = firn_atlas_leaf(v->loaded->atlas, reel->k);
    }
    return reel->leaf ? firn_leaf_entry(reel->leaf, b % FIRN_LEAF) : NULL;
}

void firn_reel_fini(struct firn_reel *reel)
{
    free(reel->leaf);
    reel->leaf = NULL;
}

static bool atlas_spot(const struct firn_view *v, size_t row, struct firn_spot *spot)
{
    struct firn_atlas_spot s;
    if (!firn_atlas_spot(v->loaded->atlas, FIRN_TABLE_SPOT, row, &s))
        return false;
    *spot = (struct firn_spot){0, s.place | FIRN_OF_ATLAS, s.row, s.check};
    return true;
}

/* Whether row r is of the index, which of its spots then; else which row of the atlas. */
static bool row_of_index(const struct firn_view *v, size_t r, size_t *n, size_t *row)
{
    const struct firn_mark *m = v->mark;
    *n = count_to(v, row_at, v->loaded->index.n_entry, r);
    *row = *n > 0 ? m[*n - 1].rows : 0;
    if (*n > 0 && m[*n - 1].row_at == r && m[*n].rows > m[*n - 1].rows)
        return true;
    *row = r - m[*n].rows + m[*n].dropped_rows;
    return false;
}

size_t firn_view_photo(const struct firn_view *v, size_t r)
{
    size_t n, row;
    if (!v->mark)
        return v->spot[r].photo;
    if (row_of_index(v, r, &n, &row))
        return stands_at(v, v->spot[row].photo);
    return firn_atlas_photo(v->loaded->atlas, row) - v->mark[n].dropped + n;
}

bool firn_view_spot(const struct firn_view *v, size_t r, struct firn_spot *spot)
{
    size_t n, row;
    if (v->mark && !row_of_index(v, r, &n, &row))
        return atlas_spot(v, row, spot);
    *spot = v->spot[v->mark ? row : r];
    return true;
}

size_t firn_view_row(const struct firn_view *v, size_t i)
{
    const struct firn_mark *m = v->mark;
    size_t k, b;
    if (m && of_index(v, i, &k, &b))
        return m[k + 1].rows > m[k].rows ? m[k].row_at : SIZE_MAX;
    if (m) {
        bool has_row;
        size_t row = firn_atlas_rows_before(v->loaded->atlas, b, &has_row);
        return has_row ? row - m[k + 1].dropped_rows + m[k + 1].rows : SIZE_MAX;
    }
    size_t n = count_to(v, spot_of, v->stat.records, i);
    return n > 0 && v->spot[n - 1].photo == i ? n - 1 : SIZE_MAX;
}

bool firn_view_place(const struct firn_view *v, uint32_t place, struct firn_extent *extent,
                     size_t *segment)
{
    const struct firn_loaded *l = v->loaded;
    if (place & FIRN_OF_ATLAS)
        return firn_atlas_place(l->atlas, place & ~FIRN_OF_ATLAS, &l->head, extent, segment);
    *extent = l->index.place[place].extent;
    *segment = l->index.place[place].segment;
    return true;
}

static bool search_atlas(const struct firn_view *v, const uint8_t *content,
                         struct firn_search *s, struct firn_spot *spot)
{
    const struct firn_atlas *a = v->loaded->atlas;
    uint32_t key = firn_atlas_key(content), target;
    if (!s->begun)
        s->record = firn_atlas_search(a, FIRN_TABLE_KEY, key);
    bool first = !s->begun;
    s->begun = true;
    while (firn_atlas_match(a, FIRN_TABLE_KEY, s->record, key, &target)) {
        s->record++;
        bool has_row = true;
        struct firn_atlas_spot extra;
        if (target < a->head.photos) {
            size_t row = firn_atlas_rows_before(a, target, &has_row);
            if (!has_row || !atlas_spot(v, row, spot) || spot->check != firn_atlas_sum(content))
                continue;
        } else if (firn_atlas_spot(a, FIRN_TABLE_EXTRA, target - a->head.photos, &extra) &&
                   extra.check == (uint32_t)firn_key_prefix(content)) {
            *spot = (struct firn_spot){0, extra.place | FIRN_OF_ATLAS, extra.row, 0};
        } else {
            continue;
        }
        /* Photographs of the same contents share a row. */
        if (!first && spot->place == s->last.place && spot->row == s->last.row)
            continue;
        s->last = *spot;
        return true;
    }
    return false;
}

bool firn_view_search(const struct firn_view *v, const uint8_t *content,
                      struct firn_search *s, struct firn_spot *spot)
{
    const struct firn_row *row =
        s->begun ? NULL : firn_index_rows(&v->loaded->index, content, &s->at);
    if (row)
        *spot = (struct firn_spot){0, row->place, row->row, 0};
    return row || (v->loaded->atlas && search_atlas(v, content, s, spot));
}

size_t firn_view_find(const struct firn_view *v, const uint8_t *content)
{
    const struct firn_index *index = &v->loaded->index;
    const struct firn_atlas *a = v->loaded->atlas;
    size_t best = SIZE_MAX;
    for (size_t k = 0; k < index->n_entry && best == SIZE_MAX; k++)
        if (memcmp(index->entry[v->order.photo[k].entry].content, content, FIRN_KEY) == 0)
            best = stands_at(v, k);
    uint32_t key = firn_atlas_key(content), target;
    size_t record = a ? firn_atlas_search(a, FIRN_TABLE_KEY, key) : 0;
    for (; a && firn_atlas_match(a, FIRN_TABLE_KEY, record, key, &target); record++) {
        const struct firn_entry *e = target < a->head.photos ? firn_atlas_entry(a, target) : NULL;
        size_t i = e && memcmp(e->content, content, FIRN_KEY) == 0 ? stands_of_atlas(v, target)
                                                                   : SIZE_MAX;
        best = i < best ? i : best;
    }
    return best;
}

size_t firn_view_namesake(const struct firn_view *v, const char *path, size_t *at)
{
    const struct firn_atlas *a = v->loaded->atlas;
    size_t n = v->loaded->index.n_entry;
    if (*at < n) /* these few are all offered */
        return stands_at(v, (*at)++);
    uint32_t key = a ? firn_atlas_name(path, strlen(path)) : 0, target;
    if (*at == n && a)
        *at += firn_atlas_search(a, FIRN_TABLE_NAME, key);
    while (a && firn_atlas_match(a, FIRN_TABLE_NAME, *at - n, key, &target)) {
        size_t i = target < a->head.photos ? stands_of_atlas(v, target) : SIZE_MAX;
        ++*at;
        if (i != SIZE_MAX)
            return i;
    }
    return SIZE_MAX;
}
