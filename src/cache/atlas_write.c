/* SPDX-License-Identifier: MIT */
/**
 * INDEX from a snapshot:
 *
 *     | HEAD | HOLE | START | SPOT | KEY | NAME | EXTRA | PLACE | LEAF | LEDGER LEDGER ... |
 *      pages   tables, one behind the other, in pages                    leaves
 *
 * The leaves are written first, because a table says where they are, and the head last.
 */
#include "cache/atlas_write.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "cache/reader.h"

enum { BUFFER = 1 << 20, SHARE = 256 /* of the photographs may be missing */ };

/* Bytes on their way to the file, from `offset` on. */
struct stream {
    const struct firn_disk *disk;
    int fd;
    uint64_t offset;
    struct firn_buffer out;
    bool failed;
};

static void flush(struct stream *s)
{
    const uint8_t *p = s->out.data;
    size_t left = s->out.size;
    s->failed |= s->out.failed;
    while (left > 0 && !s->failed) {
        ssize_t n = s->disk->pwrite(s->disk->user, s->fd, p, left, s->offset);
        if (n < 0 && errno == EINTR)
            continue;
        s->failed = n <= 0;
        p += s->failed ? 0 : n;
        left -= s->failed ? 0 : (size_t)n;
        s->offset += s->failed ? 0 : (uint64_t)n;
    }
    s->out.size = 0;
}

struct drawing {
    const struct firn_cache *cache;
    const struct firn_index *index;
    const struct firn_order *order;
    struct firn_atlas_head head;
    uint64_t id;
    struct stream stream;
    /* the page that is being filled */
    uint8_t page[FIRN_PAGE];
    uint32_t number, used;
    uint8_t *leaf;      /* records of FIRN_TABLE_LEAF */
    uint32_t *row;      /* of each photograph: index into row[], UINT32_MAX without */
    bool *taken;        /* rows that a photograph has */
    uint64_t *sorted;   /* number << 32 | target, of KEY and NAME */
};

static const struct firn_entry *entry(const struct drawing *d, size_t photo)
{
    return d->index->entry + d->order->photo[photo].entry;
}

/* ---- tables ---- */

static void end_page(struct drawing *d)
{
    if (d->used == 0)
        return;
    memset(d->page + FIRN_HEADER + d->used, 0, FIRN_TABLE_PAYLOAD - d->used);
    firn_table_seal(d->page, d->cache->loaded.cache, d->id, d->number++);
    firn_buffer_add(&d->stream.out, d->page, FIRN_PAGE);
    d->used = 0;
    if (d->stream.out.size >= BUFFER)
        flush(&d->stream);
}

static uint8_t *record(struct drawing *d, enum firn_atlas_table table)
{
    uint32_t width = firn_atlas_width[table];
    if (d->used + width > firn_table_per_page(width) * width)
        end_page(d);
    d->used += width;
    return d->page + FIRN_HEADER + d->used - width;
}

static void put_numbers(struct drawing *d, enum firn_atlas_table table, const uint32_t *number)
{
    uint8_t *p = record(d, table);
    for (uint32_t i = 0; i < firn_atlas_width[table] / 4; i++)
        firn_put(p + 4 * i, number[i], 4);
}

static void put_photo_tables(struct drawing *d)
{
    for (uint32_t i = 0; i < d->head.photos; i++)
        if (d->row[i] == UINT32_MAX)
            put_numbers(d, FIRN_TABLE_HOLE, &i);
    end_page(d);
    uint32_t start = 0;
    for (int label = -1; label < (int)d->order->n_classes; label++) {
        while (start < d->head.photos && d->order->photo[start].label < label)
            start++;
        put_numbers(d, FIRN_TABLE_START, &start);
    }
    end_page(d);
    for (size_t i = 0; i < d->head.photos; i++) {
        if (d->row[i] == UINT32_MAX)
            continue;
        const struct firn_row *row = d->index->row + d->row[i];
        put_numbers(d, FIRN_TABLE_SPOT, (uint32_t[]){row->place, row->row,
                                                     firn_atlas_sum(entry(d, i)->content)});
    }
    end_page(d);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void put_sorted(struct drawing *d, enum firn_atlas_table table)
{
    size_t n = d->head.n[table];
    if (n > 1)
        qsort(d->sorted, n, sizeof *d->sorted, compare_u64);
    for (size_t i = 0; i < n; i++)
        put_numbers(d, table, (uint32_t[]){(uint32_t)(d->sorted[i] >> 32), (uint32_t)d->sorted[i]});
    end_page(d);
}

static bool has_content(const struct firn_entry *e)
{
    static const uint8_t zeros[FIRN_KEY];
    return memcmp(e->content, zeros, FIRN_KEY) != 0;
}

static void put_search_tables(struct drawing *d)
{
    size_t n = 0, extra = 0;
    for (size_t i = 0; i < d->head.photos; i++)
        if (has_content(entry(d, i)))
            d->sorted[n++] = (uint64_t)firn_atlas_key(entry(d, i)->content) << 32 | i;
    for (size_t i = 0; i < d->index->n_row; i++)
        if (!d->taken[i])
            d->sorted[n++] = (d->index->row[i].prefix >> 32) << 32 | (d->head.photos + extra++);
    put_sorted(d, FIRN_TABLE_KEY);
    for (size_t i = 0; i < d->head.photos; i++)
        d->sorted[i] =
            (uint64_t)firn_atlas_name(entry(d, i)->name, entry(d, i)->name_size) << 32 | i;
    put_sorted(d, FIRN_TABLE_NAME);
}

static void put_place_tables(struct drawing *d)
{
    for (size_t i = 0; i < d->index->n_row; i++) {
        const struct firn_row *row = d->index->row + i;
        if (!d->taken[i])
            put_numbers(d, FIRN_TABLE_EXTRA,
                        (uint32_t[]){row->place, row->row, (uint32_t)row->prefix});
    }
    end_page(d);
    for (size_t i = 0; i < d->index->n_place; i++) {
        const struct firn_place *place = d->index->place + i;
        uint64_t offset = place->extent.offset;
        put_numbers(d, FIRN_TABLE_PLACE,
                    (uint32_t[]){(uint32_t)offset, (uint32_t)(offset >> 32), place->extent.stored,
                                 place->extent.count, place->segment});
    }
    end_page(d);
    for (size_t i = 0; i < d->head.n[FIRN_TABLE_LEAF]; i++)
        memcpy(record(d, FIRN_TABLE_LEAF), d->leaf + i * firn_atlas_width[FIRN_TABLE_LEAF],
               firn_atlas_width[FIRN_TABLE_LEAF]);
    end_page(d);
}

/* ---- leaves ---- */

static void put_leaf(struct drawing *d, struct firn_codec *codec, size_t k)
{
    struct firn_entry some[FIRN_LEAF];
    struct firn_buffer payload = {0};
    struct stream *s = &d->stream;
    struct firn_stamp stamp = {d->cache->loaded.cache, d->id, (uint32_t)k};
    size_t n = 0, first = k * FIRN_LEAF, part[FIRN_LEDGER_PARTS] = {0};
    while (n < FIRN_LEAF && first + n < d->head.photos) {
        some[n] = *entry(d, first + n);
        n++;
    }
    firn_ledger_put(&payload, some, n, NULL, part);
    size_t at = s->out.size;
    firn_block_put_parts(&s->out, codec, &stamp, FIRN_BLOCK_LEDGER, (uint32_t)n, payload.data,
                         part, FIRN_LEDGER_PARTS);
    s->failed |= payload.failed || payload.size > FIRN_MAX_RAW;
    free(payload.data);
    struct firn_block b = {0};
    if (!s->out.failed)
        firn_header_decode(s->out.data + at, &b);
    uint8_t *p = d->leaf + k * firn_atlas_width[FIRN_TABLE_LEAF];
    firn_put(p, s->offset + at, 8);
    firn_put(p + 8, b.stored, 4);
    if (s->out.size >= BUFFER)
        flush(s);
}

static void put_leaves(struct drawing *d)
{
    struct firn_codec *codec = firn_codec_create();
    d->stream.failed |= !codec;
    for (size_t k = 0; k < d->head.n[FIRN_TABLE_LEAF] && !d->stream.failed; k++)
        put_leaf(d, codec, k);
    flush(&d->stream);
    firn_codec_destroy(codec);
}

/* ---- head ---- */

static bool is_of_photographs(const struct firn_extent *e)
{
    return e->type >= FIRN_BLOCK_ROWS && e->type <= FIRN_BLOCK_RUN;
}

static void put_segment(struct firn_buffer *out, const struct firn_segment *s)
{
    uint8_t tie[8] = {0};
    size_t n = 0;
    if (s->closed)
        out->failed |= firn_read_at(s->fd, tie, sizeof tie, s->end - sizeof tie) != 0;
    for (size_t i = 0; i < s->n_extent; i++)
        n += !is_of_photographs(s->extent + i);
    firn_buffer_int(out, s->id, 8);
    firn_buffer_int(out, s->end, 8);
    firn_buffer_int(out, firn_get(tie, 8), 8);
    firn_buffer_int(out, s->last_footer, 8);
    firn_buffer_int(out, s->number, 4);
    firn_buffer_int(out, s->sequence, 4);
    firn_buffer_int(out, s->adopted, 4);
    firn_buffer_int(out, n, 4);
    for (size_t i = 0; i < s->n_extent; i++)
        if (!is_of_photographs(s->extent + i)) {
            firn_buffer_int(out, s->extent[i].offset, 8);
            firn_buffer_int(out, s->extent[i].stored, 4);
            firn_buffer_int(out, s->extent[i].count, 4);
            firn_buffer_int(out, s->extent[i].type, 8);
        }
}

static void put_facts(struct firn_buffer *out, const struct firn_index *index)
{
    firn_buffer_int(out, index->n_root, 4);
    firn_buffer_int(out, index->n_run, 4);
    for (size_t i = 0; i < index->n_root; i++) {
        const struct firn_root *root = index->root + i;
        struct firn_buffer bytes = {0};
        if (root->path)
            firn_root_put(&bytes, (uint32_t)i, root->path, root->classes, root->n_classes);
        firn_buffer_int(out, bytes.size, 4);
        firn_buffer_add(out, bytes.data, bytes.size);
        out->failed |= bytes.failed;
        free(bytes.data);
    }
    for (size_t i = 0; i < index->n_run; i++) {
        firn_buffer_int(out, index->run_segment[i], 4);
        firn_run_put(out, index->run + i);
    }
}

/* The whole block. */
static void put_head(const struct drawing *d, struct firn_buffer *out)
{
    const struct firn_loaded *l = &d->cache->loaded;
    struct firn_stamp stamp = {l->cache, d->id, 0};
    struct firn_buffer payload = {0};
    firn_buffer_int(&payload, FIRN_ATLAS_VERSION, 4);
    firn_buffer_int(&payload, 0, 4);
    for (int i = 0; i < FIRN_TABLES; i++)
        firn_buffer_int(&payload, d->head.n[i], 8);
    firn_buffer_int(&payload, d->head.photos, 8);
    firn_buffer_int(&payload, d->head.rows, 8);
    firn_buffer_int(&payload, d->head.skipped, 8);
    firn_buffer_int(&payload, d->head.corrupt, 8);
    firn_buffer_int(&payload, d->head.gone, 8);
    firn_buffer_int(&payload, l->n_segment, 4);
    for (size_t i = 0; i < l->n_segment; i++)
        put_segment(&payload, l->segment + i);
    put_facts(&payload, d->index);
    out->failed |= payload.failed || payload.size > FIRN_MAX_RAW;
    if (!out->failed)
        firn_block_put(out, NULL, &stamp, FIRN_BLOCK_ATLAS, 0, payload.data, payload.size);
    firn_buffer_pad(out, FIRN_PAGE);
    free(payload.data);
}

/* ---- all of it ---- */

/* A cache that lacks something is described as it is when it is read: nothing is set down. */
static bool is_sound(const struct firn_loaded *l)
{
    const struct firn_index *index = &l->index;
    for (size_t i = 0; i < l->n_segment; i++)
        if (!l->segment[i].closed && !l->segment[i].adopted)
            return false;
    for (size_t i = 0; i < index->n_entry; i++)
        if (index->entry[i].root >= index->n_root || !index->root[index->entry[i].root].path)
            return false;
    return l->n_doubt == 0 && l->has_head && index->n_entry + index->n_row < UINT32_MAX;
}

/* Which row each photograph has; false when one that is done has none. */
static bool assign_rows(struct drawing *d)
{
    struct firn_atlas_head *h = &d->head;
    for (size_t i = 0; i < h->photos; i++) {
        const struct firn_entry *e = entry(d, i);
        size_t at = 0;
        const struct firn_row *row =
            e->state == FIRN_DONE ? firn_index_rows(d->index, e->content, &at) : NULL;
        if (e->state == FIRN_DONE && (!row || !has_content(e)))
            return false;
        d->row[i] = row ? (uint32_t)(row - d->index->row) : UINT32_MAX;
        if (row)
            d->taken[d->row[i]] = true;
        h->n[row ? FIRN_TABLE_SPOT : FIRN_TABLE_HOLE]++;
        h->n[FIRN_TABLE_KEY] += has_content(e);
    }
    for (size_t i = 0; i < d->index->n_row; i++)
        h->n[FIRN_TABLE_EXTRA] += !d->taken[i];
    h->n[FIRN_TABLE_KEY] += h->n[FIRN_TABLE_EXTRA];
    return true;
}

static bool begin(struct drawing *d)
{
    const struct firn_cache_stat *stat = &d->cache->view.stat;
    size_t n = d->cache->view.n, n_row = d->index->n_row;
    d->head.photos = n;
    d->head.rows = stat->rows;
    d->head.skipped = stat->skipped;
    d->head.corrupt = stat->corrupt;
    d->head.gone = stat->gone;
    d->head.n[FIRN_TABLE_START] = d->order->n_classes + 1;
    d->head.n[FIRN_TABLE_NAME] = n;
    d->head.n[FIRN_TABLE_PLACE] = d->index->n_place;
    d->head.n[FIRN_TABLE_LEAF] = (n + FIRN_LEAF - 1) / FIRN_LEAF;
    d->leaf = calloc(d->head.n[FIRN_TABLE_LEAF] + 1, firn_atlas_width[FIRN_TABLE_LEAF]);
    d->row = malloc((n + 1) * sizeof *d->row);
    d->taken = calloc(n_row + 1, sizeof *d->taken);
    d->sorted = malloc((n + n_row + 1) * sizeof *d->sorted);
    return d->leaf && d->row && d->taken && d->sorted && assign_rows(d) &&
           getrandom(&d->id, sizeof d->id, 0) == sizeof d->id;
}

static bool draw(struct drawing *d)
{
    struct firn_buffer head = {0};
    struct stream *s = &d->stream;
    put_head(d, &head);
    uint64_t first = head.size / FIRN_PAGE, pages = first;
    for (int i = 0; i < FIRN_TABLES; i++)
        pages += firn_table_pages(d->head.n[i], firn_atlas_width[i]);
    s->failed |= head.failed || pages > UINT32_MAX;
    s->offset = pages * FIRN_PAGE;
    put_leaves(d);
    s->offset = first * FIRN_PAGE;
    d->number = (uint32_t)first;
    put_photo_tables(d);
    put_search_tables(d);
    put_place_tables(d);
    flush(s);
    s->offset = 0;
    firn_buffer_add(&s->out, head.data, head.size);
    flush(s);
    free(head.data);
    return !s->failed;
}

static void write_aside(struct drawing *d, const char *aside, const char *path, int *result)
{
    const struct firn_disk *disk = d->stream.disk;
    disk->unlink(disk->user, aside); /* of a writer that could not remove it */
    d->stream.fd = disk->create(disk->user, aside);
    if (d->stream.fd < 0)
        return;
    bool good = draw(d) && disk->fdatasync(disk->user, d->stream.fd) == 0;
    disk->close(disk->user, d->stream.fd);
    if (good && disk->rename(disk->user, aside, path) == 0)
        *result = 0;
    else
        disk->unlink(disk->user, aside);
}

int firn_atlas_write(const char *dir, const struct firn_disk *disk)
{
    struct drawing d = {.stream = {.disk = disk}};
    struct firn_cache *cache;
    char *aside = NULL, *path = NULL;
    int result = -1;
    if (firn_cache_open_whole(&cache, dir, NULL) != 0)
        return -1;
    d.cache = cache;
    d.index = &cache->loaded.index;
    d.order = &cache->view.order;
    if (asprintf(&path, "%s/%s", dir, FIRN_ATLAS_NAME) < 0)
        path = NULL;
    if (asprintf(&aside, "%s/%s", dir, FIRN_ATLAS_ASIDE) < 0)
        aside = NULL;
    uint64_t room = disk->room ? disk->room(disk->user, dir) : UINT64_MAX;
    if (path && aside && is_sound(&cache->loaded) && room > cache->view.n * 256 && begin(&d))
        write_aside(&d, aside, path, &result);
    free(d.stream.out.data);
    free(d.leaf);
    free(d.row);
    free(d.taken);
    free(d.sorted);
    free(aside);
    free(path);
    firn_cache_close(cache);
    return result;
}

/* Photographs in the blocks of a segment at or behind `from`; *root: a directory is among them. */
static size_t photographs_from(const struct firn_segment *s, uint64_t from, bool *root)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_part; i++)
        if (s->part[i].end > from) {
            n += s->part[i].photographs;
            *root |= s->part[i].root;
        }
    for (size_t i = 0; i < s->n_extent; i++) {
        if (s->extent[i].offset < from)
            continue;
        n += s->extent[i].type == FIRN_BLOCK_LEDGER ? s->extent[i].count : 0;
        *root |= s->extent[i].type == FIRN_BLOCK_ROOT;
    }
    return n;
}

bool firn_atlas_is_due(const struct firn_loaded *l, size_t least, const struct firn_disk *disk)
{
    struct firn_atlas *a = firn_atlas_open(l->dir);
    size_t all = 0, fresh = 0, covered = 0;
    bool root = false, ignored = false;
    for (size_t i = 0; i < l->n_segment; i++) {
        const struct firn_segment *s = l->segment + i;
        const struct firn_covered *c = a && !s->leaving ? firn_atlas_covers(a, s->number) : NULL;
        c = c && c->id == s->id && c->end <= s->end ? c : NULL;
        covered += c != NULL;
        if (s->leaving)
            continue;
        all += photographs_from(s, 0, &ignored);
        fresh += photographs_from(s, c ? c->end : 0, &root);
    }
    bool fits = a && covered == a->n_covered && firn_atlas_check(a) == 0;
    firn_atlas_close(a);
    if (all < least) {
        char *path = NULL;
        if (!fits && asprintf(&path, "%s/%s", l->dir, FIRN_ATLAS_NAME) >= 0)
            disk->unlink(disk->user, path);
        free(path);
        return false;
    }
    return !fits || root || fresh >= (least > all / SHARE ? least : all / SHARE);
}
