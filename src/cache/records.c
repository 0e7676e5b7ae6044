/* SPDX-License-Identifier: MIT */
#include "cache/records.h"

#include "base/error.h"
#include "base/hash.h"
#include "cache/shuffle.h"

static void put_text(struct firn_buffer *out, const char *text)
{
    size_t n = strlen(text);
    firn_buffer_int(out, n, 2);
    firn_buffer_add(out, text, n);
}

/* Into room for `size` bytes with the terminator. */
static void take_text(struct firn_cursor *c, char *text, size_t size)
{
    size_t n = firn_take_int(c, 2);
    const uint8_t *p = firn_take(c, n);
    if (!p || n >= size || !firn_is_plain(p, n)) {
        c->bad = true;
        n = 0;
    } else {
        memcpy(text, p, n);
    }
    text[n] = 0;
}

void firn_head_put(struct firn_buffer *out, const struct firn_head *head)
{
    firn_buffer_int(out, head->views > 1 ? FIRN_HEAD_VIEWS : 0, 4);
    firn_buffer_int(out, 0, 4); /* features a writer must know: none yet */
    firn_buffer_int(out, head->number, 4);
    firn_buffer_int(out, head->dim, 4);
    firn_buffer_int(out, head->store, 4);
    firn_buffer_int(out, (uint64_t)head->created, 8);
    for (int i = 0; i < FIRN_PARTS; i++)
        put_text(out, head->fp.part[i]);
    put_text(out, "firn " FIRN_VERSION);
    if (head->views > 1)
        firn_buffer_int(out, head->views, 4);
}

int firn_head_get(const uint8_t *bytes, size_t size, struct firn_head *head)
{
    struct firn_cursor c = {bytes, size, false};
    char version[64];
    uint32_t known = (uint32_t)firn_take_int(&c, 4);
    firn_take_int(&c, 4);
    memset(head, 0, sizeof *head);
    head->number = (uint32_t)firn_take_int(&c, 4);
    head->dim = (uint32_t)firn_take_int(&c, 4);
    uint32_t store = (uint32_t)firn_take_int(&c, 4);
    head->store = store;
    head->created = (int64_t)firn_take_int(&c, 8);
    for (int i = 0; i < FIRN_PARTS; i++)
        take_text(&c, head->fp.part[i], sizeof head->fp.part[i]);
    take_text(&c, version, sizeof version);
    head->views = known & FIRN_HEAD_VIEWS ? (uint32_t)firn_take_int(&c, 4) : 1;
    bool sane = store <= FIRN_STORE_F16 && head->dim > 0 && head->dim <= FIRN_MAX_DIM &&
                head->views > 0 && head->dim % head->views == 0;
    return c.bad || known > FIRN_HEAD_VIEWS || !sane ? -1 : 0;
}

void firn_footer_put(struct firn_buffer *out, const struct firn_footer *footer)
{
    firn_buffer_int(out, footer->segment, 8);
    firn_buffer_int(out, footer->number, 4);
    firn_buffer_int(out, footer->n_extent, 4);
    firn_buffer_int(out, 0, 8); /* no prefixes */
    firn_buffer_int(out, footer->previous, 8);
    firn_buffer_int(out, footer->end, 8);
    for (size_t i = 0; i < footer->n_extent; i++) {
        const struct firn_extent *e = footer->extent + i;
        firn_buffer_int(out, e->offset, 8);
        firn_buffer_int(out, e->stored, 4);
        firn_buffer_int(out, e->count, 4);
        firn_buffer_int(out, e->width, 4);
        firn_buffer_int(out, e->type, 1);
        firn_buffer_int(out, e->store, 1);
        firn_buffer_int(out, 0, 2);
    }
}

/* Extents ascend without overlap and end before `end`; a prefix for each of their rows, or none. */
static bool footer_is_sane(const struct firn_footer *f)
{
    uint64_t at = 0, rows = 0;
    for (size_t i = 0; i < f->n_extent; i++) {
        const struct firn_extent *e = f->extent + i;
        if (e->offset < at || e->offset % FIRN_HEADER || e->offset > f->end ||
            firn_block_span(e->stored) > f->end - e->offset)
            return false;
        at = e->offset + firn_block_span(e->stored);
        rows += e->type == FIRN_BLOCK_ROWS ? e->count : 0;
    }
    return f->n_prefix == rows || f->n_prefix == 0;
}

int firn_footer_get(const uint8_t *bytes, size_t size, struct firn_footer *f)
{
    struct firn_cursor c = {bytes, size, false};
    memset(f, 0, sizeof *f);
    f->segment = firn_take_int(&c, 8);
    f->number = (uint32_t)firn_take_int(&c, 4);
    f->n_extent = firn_take_int(&c, 4);
    f->n_prefix = firn_take_int(&c, 4);
    firn_take_int(&c, 4);
    f->previous = firn_take_int(&c, 8);
    f->end = firn_take_int(&c, 8);
    if (c.bad || f->n_extent > c.left / 24 || f->n_prefix > c.left / 8)
        return -1;
    f->extent = calloc(f->n_extent + 1, sizeof *f->extent);
    f->prefix = calloc(f->n_prefix + 1, sizeof *f->prefix);
    for (size_t i = 0; f->extent && i < f->n_extent; i++) {
        struct firn_extent *e = f->extent + i;
        e->offset = firn_take_int(&c, 8);
        e->stored = (uint32_t)firn_take_int(&c, 4);
        e->count = (uint32_t)firn_take_int(&c, 4);
        e->width = (uint32_t)firn_take_int(&c, 4);
        e->type = (uint8_t)firn_take_int(&c, 1);
        e->store = (uint8_t)firn_take_int(&c, 1);
        firn_take_int(&c, 2);
    }
    for (size_t i = 0; f->prefix && i < f->n_prefix; i++)
        f->prefix[i] = firn_take_int(&c, 8);
    bool all = f->extent && f->prefix;
    if (all && !c.bad && footer_is_sane(f))
        return 0;
    firn_footer_fini(f);
    return all ? -1 : -2;
}

void firn_footer_fini(struct firn_footer *footer)
{
    free(footer->extent);
    free(footer->prefix);
    footer->extent = NULL;
    footer->prefix = NULL;
}

void firn_trailer_put(uint8_t bytes[FIRN_TRAILER], uint64_t footer, uint64_t file_size)
{
    firn_put(bytes, FIRN_MAGIC_TRAILER, 4);
    firn_put(bytes + 4, 0, 4);
    firn_put(bytes + 8, footer, 8);
    firn_put(bytes + 16, file_size, 8);
    firn_put(bytes + 24, firn_checksum(bytes, 24), 8);
}

int firn_trailer_get(const uint8_t bytes[FIRN_TRAILER], uint64_t file_size, uint64_t *footer)
{
    *footer = firn_get(bytes + 8, 8);
    return firn_get(bytes, 4) == FIRN_MAGIC_TRAILER && firn_get(bytes + 16, 8) == file_size &&
                   firn_get(bytes + 24, 8) == firn_checksum(bytes, 24)
               ? 0
               : -1;
}

bool firn_needs_known(const uint8_t *bytes, size_t size)
{
    struct firn_cursor c = {bytes, size, false};
    return (firn_take_int(&c, 4) & ~(uint64_t)FIRN_NEEDS_ROLL) == 0 && !c.bad;
}

void firn_roster_put(struct firn_buffer *out, const struct firn_roster *roster)
{
    firn_buffer_int(out, roster->n, 4);
    firn_buffer_int(out, 0, 4);
    for (size_t i = 0; i < roster->n; i++) {
        firn_buffer_int(out, roster->member[i].id, 8);
        firn_buffer_int(out, roster->member[i].end, 8);
        firn_buffer_int(out, roster->member[i].number, 4);
        firn_buffer_int(out, 0, 4);
    }
}

int firn_roster_get(const uint8_t *bytes, size_t size, struct firn_roster *roster)
{
    struct firn_cursor c = {bytes, size, false};
    roster->n = firn_take_int(&c, 4);
    firn_take_int(&c, 4);
    roster->member = NULL;
    if (c.bad || roster->n > c.left / 24)
        return -1;
    roster->member = calloc(roster->n + 1, sizeof *roster->member);
    for (size_t i = 0; roster->member && i < roster->n; i++) {
        roster->member[i].id = firn_take_int(&c, 8);
        roster->member[i].end = firn_take_int(&c, 8);
        roster->member[i].number = (uint32_t)firn_take_int(&c, 4);
        firn_take_int(&c, 4);
    }
    return roster->member ? 0 : -2;
}

static void put_entry(uint8_t *p, const struct firn_entry *e)
{
    memcpy(p, e->content, FIRN_KEY);
    firn_put(p + 32, e->size, 8);
    firn_put(p + 40, (uint64_t)e->mtime_ns, 8);
    firn_put(p + 48, (uint64_t)e->ctime_ns, 8);
    firn_put(p + 56, e->root, 4);
    firn_put(p + 60, e->name_size, 2);
    p[62] = e->reason_size;
    p[63] = e->state;
}

/* Takes the keys of all entries out of the records that come next in the roll; returns how many. */
static size_t refer(uint8_t *records, size_t n, struct firn_roll *roll)
{
    size_t first = roll->next;
    for (size_t i = 0; i < n && roll->next < roll->n; i++) {
        uint8_t *record = records + i * FIRN_ENTRY;
        if (memcmp(record, roll->key[roll->next], FIRN_KEY) != 0)
            continue;
        memset(record, 0, FIRN_KEY);
        record[FIRN_ENTRY - 1] |= FIRN_KEY_OF_ROW;
        roll->next++;
    }
    return roll->next - first;
}

/* Where the n keys from `first` on are. */
static void put_references(struct firn_buffer *out, const struct firn_roll *roll, size_t first,
                           size_t n)
{
    const struct firn_roll_block *b = roll->block, *end;
    while (b->first + b->count <= first)
        b++;
    for (end = b; end < roll->block + roll->n_block && end->first < first + n;)
        end++;
    firn_buffer_int(out, first - b->first, 4);
    firn_buffer_int(out, (uint64_t)(end - b), 4);
    for (; b < end; b++) {
        firn_buffer_int(out, b->sum, 8);
        firn_buffer_int(out, b->count, 4);
    }
}

void firn_ledger_put(struct firn_buffer *out, const struct firn_entry *entry, size_t n,
                     struct firn_roll *roll, size_t part[FIRN_LEDGER_PARTS])
{
    size_t start = out->size, first = roll ? roll->next : 0, referring = 0;
    uint8_t *records = malloc(n * FIRN_ENTRY + 1);
    uint8_t *planes = records ? firn_buffer_room(out, n * FIRN_ENTRY) : NULL;
    if (!planes) {
        out->failed = true;
        free(records);
        return;
    }
    for (size_t i = 0; i < n; i++)
        put_entry(records + i * FIRN_ENTRY, entry + i);
    if (roll)
        referring = refer(records, n, roll);
    firn_transpose(records, n, FIRN_ENTRY, planes);
    out->size += n * FIRN_ENTRY;
    free(records);
    part[0] = n * FIRN_KEY;
    part[1] = n * (FIRN_ENTRY - FIRN_KEY);
    if (referring > 0)
        put_references(out, roll, first, referring);
    part[2] = out->size - start - n * FIRN_ENTRY;
    for (size_t i = 0; i < n; i++) {
        firn_buffer_add(out, entry[i].name, entry[i].name_size + 1u);
        firn_buffer_add(out, entry[i].reason, entry[i].reason_size + 1u);
    }
    part[3] = out->size - start - n * FIRN_ENTRY - part[2];
}

/* n bytes and a NUL, none inside; NULL when it is not so. */
static const char *take_string(struct firn_cursor *c, size_t n)
{
    const uint8_t *p = firn_take(c, n + 1);
    return p && memchr(p, 0, n + 1) == p + n ? (const char *)p : NULL;
}

static bool get_entry(const uint8_t *p, struct firn_cursor *strings, struct firn_entry *e)
{
    memcpy(e->content, p, FIRN_KEY);
    e->size = firn_get(p + 32, 8);
    e->mtime_ns = (int64_t)firn_get(p + 40, 8);
    e->ctime_ns = (int64_t)firn_get(p + 48, 8);
    e->root = (uint32_t)firn_get(p + 56, 4);
    e->name_size = (uint16_t)firn_get(p + 60, 2);
    e->reason_size = p[62];
    e->state = p[63] & (uint8_t)~FIRN_KEY_OF_ROW;
    e->name = take_string(strings, e->name_size);
    e->reason = take_string(strings, e->reason_size);
    return e->name && e->reason && e->name_size > 0 && e->state >= FIRN_DONE &&
           e->state <= FIRN_GONE;
}

/* The keys that the entries of a ledger refer to, one after the other. */
struct references {
    struct firn_cursor block; /* of the table, those that are still to come */
    struct firn_roll *roll;
    const uint8_t *key;       /* of the block at hand; NULL: nobody has them */
    uint32_t row, count;      /* in it */
};

static int next_block(struct references *r)
{
    uint64_t sum = firn_take_int(&r->block, 8);
    r->count = (uint32_t)firn_take_int(&r->block, 4);
    r->key = r->roll ? firn_roll_find(r->roll, sum, r->count) : NULL;
    r->row = 0;
    return r->block.bad ? -1 : 0;
}

/* Each block of the table has a key that is referred to, so there are no more than entries. */
static int take_references(struct firn_cursor *c, uint32_t count, struct firn_roll *roll,
                           struct references *r)
{
    uint32_t row = (uint32_t)firn_take_int(c, 4), n = (uint32_t)firn_take_int(c, 4);
    const uint8_t *table = n <= count ? firn_take(c, (size_t)n * 12) : NULL;
    *r = (struct references){.block = {table, (size_t)n * 12, false}, .roll = roll};
    if (!table || next_block(r) != 0 || row >= r->count)
        return -1;
    r->row = row;
    return 0;
}

static int take_reference(struct references *r, uint8_t content[FIRN_KEY])
{
    if (r->row == r->count && (next_block(r) != 0 || r->count == 0))
        return -1;
    if (r->key)
        memcpy(content, r->key + (size_t)r->row * FIRN_KEY, FIRN_KEY);
    r->row++;
    return 0;
}

static int get_entries(const uint8_t *records, uint32_t count, struct firn_cursor *strings,
                       struct firn_roll *roll,
                       int (*each)(void *user, const struct firn_entry *entry), void *user)
{
    struct references references = {0};
    uint8_t any = 0;
    int result = 0;
    for (uint32_t i = 0; i < count; i++)
        any |= records[(size_t)i * FIRN_ENTRY + FIRN_ENTRY - 1] & FIRN_KEY_OF_ROW;
    if (any)
        result = take_references(strings, count, roll, &references);
    for (uint32_t i = 0; i < count && result == 0; i++) {
        struct firn_entry e = {0};
        if (!get_entry(records + (size_t)i * FIRN_ENTRY, strings, &e))
            return -1;
        if (records[(size_t)i * FIRN_ENTRY + FIRN_ENTRY - 1] & FIRN_KEY_OF_ROW)
            result = take_reference(&references, e.content);
        if (result == 0)
            result = each(user, &e);
    }
    return result;
}

int firn_ledger_get(const uint8_t *bytes, size_t size, uint32_t count, struct firn_roll *roll,
                    int (*each)(void *user, const struct firn_entry *entry), void *user)
{
    struct firn_cursor c = {bytes, size, false};
    const uint8_t *planes = firn_take(&c, (size_t)count * FIRN_ENTRY);
    if (!planes)
        return -1;
    uint8_t *records = malloc((size_t)count * FIRN_ENTRY + 1);
    if (!records)
        return -2;
    firn_untranspose(planes, count, FIRN_ENTRY, records);
    int result = get_entries(records, count, &c, roll, each, user);
    free(records);
    return result;
}

void firn_root_put(struct firn_buffer *out, uint32_t id, const char *path,
                   const char *const *classes, size_t n_classes)
{
    firn_buffer_int(out, id, 4);
    firn_buffer_int(out, n_classes, 4);
    firn_buffer_add(out, path, strlen(path) + 1);
    for (size_t i = 0; i < n_classes; i++)
        firn_buffer_add(out, classes[i], strlen(classes[i]) + 1);
}

int firn_root_get(const uint8_t *bytes, size_t size, uint32_t *id, struct firn_root *root)
{
    struct firn_cursor c = {bytes, size, false};
    memset(root, 0, sizeof *root);
    *id = (uint32_t)firn_take_int(&c, 4);
    root->n_classes = firn_take_int(&c, 4);
    if (c.bad || root->n_classes >= c.left || c.at[c.left - 1] != 0)
        return -1;
    root->strings = malloc(c.left);
    root->classes = calloc(root->n_classes + 1, sizeof *root->classes);
    if (!root->strings || !root->classes) {
        firn_root_fini(root);
        return -2;
    }
    memcpy(root->strings, c.at, c.left);
    root->path = root->strings;
    const char *p = root->path, *end = p + c.left;
    for (size_t i = 0; i < root->n_classes; i++) {
        p += strlen(p) + 1;
        if (p == end || !*p || (i > 0 && strcmp(root->classes[i - 1], p) >= 0))
            goto fail;
        root->classes[i] = p;
    }
    return 0;
fail:
    firn_root_fini(root);
    return -1;
}

void firn_root_fini(struct firn_root *root)
{
    free(root->strings);
    free(root->classes);
    memset(root, 0, sizeof *root);
}

void firn_run_put(struct firn_buffer *out, const struct firn_run *run)
{
    uint64_t seconds;
    memcpy(&seconds, &run->seconds, sizeof seconds);
    firn_buffer_int(out, (uint64_t)run->start, 8);
    firn_buffer_int(out, seconds, 8);
    firn_buffer_int(out, run->done, 8);
    firn_buffer_int(out, run->failed, 8);
    firn_buffer_int(out, run->reused, 8);
    firn_buffer_int(out, run->bytes_read, 8);
    firn_buffer_int(out, (uint32_t)run->threads, 4);
    firn_buffer_int(out, (uint32_t)run->batch, 4);
    firn_buffer_add(out, run->cpu, sizeof run->cpu);
    firn_buffer_add(out, run->version, sizeof run->version);
    firn_buffer_add(out, run->slowest, sizeof run->slowest);
}

static void take_field(struct firn_cursor *c, char field[16])
{
    const uint8_t *p = firn_take(c, 16);
    memset(field, 0, 16);
    if (p)
        memcpy(field, p, 15);
    c->bad |= !firn_is_plain(field, strlen(field));
}

int firn_run_get(const uint8_t *bytes, size_t size, struct firn_run *run)
{
    struct firn_cursor c = {bytes, size, false};
    run->start = (int64_t)firn_take_int(&c, 8);
    uint64_t seconds = firn_take_int(&c, 8);
    memcpy(&run->seconds, &seconds, sizeof seconds);
    run->done = firn_take_int(&c, 8);
    run->failed = firn_take_int(&c, 8);
    run->reused = firn_take_int(&c, 8);
    run->bytes_read = firn_take_int(&c, 8);
    run->threads = (int)firn_take_int(&c, 4);
    run->batch = (int)firn_take_int(&c, 4);
    take_field(&c, run->cpu);
    take_field(&c, run->version);
    take_field(&c, run->slowest);
    return c.bad ? -1 : 0;
}
