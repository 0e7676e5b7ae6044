/* SPDX-License-Identifier: MIT */
/** Opening an atlas, and holding it against the segments. */
#include "cache/atlas.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "cache/index.h"

struct firn_covered *firn_atlas_covers(const struct firn_atlas *a, uint32_t number)
{
    for (size_t i = 0; i < a->n_covered; i++)
        if (a->covered[i].number == number)
            return a->covered + i;
    return NULL;
}

static int take_covered(struct firn_cursor *c, struct firn_covered *s)
{
    s->id = firn_take_int(c, 8);
    s->end = firn_take_int(c, 8);
    s->tie = firn_take_int(c, 8);
    s->last_footer = firn_take_int(c, 8);
    s->number = (uint32_t)firn_take_int(c, 4);
    s->sequence = (uint32_t)firn_take_int(c, 4);
    s->adopted = firn_take_int(c, 4) != 0;
    size_t n = firn_take_int(c, 4);
    if (c->bad || n > c->left / 24)
        return -1;
    s->extent = calloc(n + 1, sizeof *s->extent);
    if (!s->extent)
        return -1;
    s->n_extent = n;
    for (size_t i = 0; i < n; i++) {
        s->extent[i] = (struct firn_extent){.offset = firn_take_int(c, 8)};
        s->extent[i].stored = (uint32_t)firn_take_int(c, 4);
        s->extent[i].count = (uint32_t)firn_take_int(c, 4);
        s->extent[i].type = (uint8_t)firn_take_int(c, 8);
    }
    return 0;
}

static int take_segments(struct firn_cursor *c, struct firn_atlas *a)
{
    size_t n = firn_take_int(c, 4);
    if (c->bad || n == 0 || n > c->left / 48)
        return -1;
    a->covered = calloc(n, sizeof *a->covered);
    for (; a->covered && a->n_covered < n; a->n_covered++)
        if (take_covered(c, a->covered + a->n_covered) != 0) {
            a->n_covered++;
            return -1;
        }
    for (size_t i = 1; i < a->n_covered; i++)
        if (a->covered[i].number <= a->covered[i - 1].number)
            return -1;
    return a->n_covered == n ? 0 : -1;
}

static int take_facts(struct firn_cursor *c, struct firn_atlas *a)
{
    size_t n_root = firn_take_int(c, 4), n_run = firn_take_int(c, 4);
    if (c->bad || n_root > c->left / 4 || n_run > c->left / (FIRN_RUN_BYTES + 4))
        return -1;
    a->root = calloc(n_root + 1, sizeof *a->root);
    a->run = calloc(n_run + 1, sizeof *a->run);
    a->run_segment = calloc(n_run + 1, sizeof *a->run_segment);
    if (!a->root || !a->run || !a->run_segment)
        return -1;
    for (; a->n_root < n_root; a->n_root++) {
        size_t size = firn_take_int(c, 4);
        const uint8_t *p = firn_take(c, size);
        uint32_t id;
        if (!p || (size > 0 && firn_root_get(p, size, &id, a->root + a->n_root) != 0))
            return -1;
    }
    for (; a->n_run < n_run; a->n_run++) {
        a->run_segment[a->n_run] = (uint32_t)firn_take_int(c, 4);
        const uint8_t *p = firn_take(c, FIRN_RUN_BYTES);
        if (!p || a->run_segment[a->n_run] >= a->n_covered ||
            firn_run_get(p, FIRN_RUN_BYTES, a->run + a->n_run) != 0)
            return -1;
    }
    return 0;
}

static int take_head(struct firn_cursor *c, struct firn_atlas *a)
{
    struct firn_atlas_head *h = &a->head;
    if (firn_take_int(c, 4) != FIRN_ATLAS_VERSION || firn_take_int(c, 4) != 0)
        return -1;
    for (int i = 0; i < FIRN_TABLES; i++)
        h->n[i] = firn_take_int(c, 8);
    h->photos = firn_take_int(c, 8);
    h->rows = firn_take_int(c, 8);
    h->skipped = firn_take_int(c, 8);
    h->corrupt = firn_take_int(c, 8);
    h->gone = firn_take_int(c, 8);
    if (h->photos >= UINT32_MAX ||
        h->n[FIRN_TABLE_LEAF] != (h->photos + FIRN_LEAF - 1) / FIRN_LEAF ||
        h->n[FIRN_TABLE_NAME] != h->photos ||
        h->n[FIRN_TABLE_SPOT] + h->n[FIRN_TABLE_HOLE] != h->photos)
        return -1;
    return take_segments(c, a) == 0 ? take_facts(c, a) : -1;
}

/* Reads all of HOLE, where each photograph stands once, or of START, where the first is 0. */
static int load_rising(struct firn_atlas *a, enum firn_atlas_table table)
{
    const struct firn_table *t = a->table + table;
    const bool start = table == FIRN_TABLE_START;
    uint64_t least = 0;
    for (size_t i = 0; i < t->n; i++) {
        const uint8_t *p = firn_table_at(t, i);
        uint64_t number = p ? firn_get(p, 4) : UINT64_MAX;
        if (number < least || number >= a->head.photos + start || (start && i == 0 && number > 0))
            return -1;
        least = number + !start;
    }
    return 0;
}

/* The tables lie one behind the other, each on pages of its own, behind the head. */
static int lay_tables(struct firn_atlas *a, uint64_t page)
{
    for (int i = 0; i < FIRN_TABLES; i++) {
        if (a->head.n[i] > UINT32_MAX)
            return -1;
        uint64_t pages = firn_table_pages(a->head.n[i], firn_atlas_width[i]);
        if (page + pages > a->size / FIRN_PAGE ||
            firn_table_init(a->table + i, a->fd, a->cache, a->id, (uint32_t)page,
                            firn_atlas_width[i], a->head.n[i]) != 0)
            return -1;
        page += pages;
    }
    a->leaf = calloc(a->head.n[FIRN_TABLE_LEAF] + 1, sizeof *a->leaf);
    /* A page of these that failed later could put a row beside the label of another. */
    return a->leaf && load_rising(a, FIRN_TABLE_HOLE) == 0 && load_rising(a, FIRN_TABLE_START) == 0
               ? 0
               : -1;
}

static int open_file(struct firn_atlas *a, const char *dir)
{
    struct stat st;
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, FIRN_ATLAS_NAME) < 0)
        return -1;
    a->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(path);
    if (a->fd < 0 || fstat(a->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size > (off_t)UINT32_MAX * FIRN_PAGE)
        return -1;
    a->size = (uint64_t)st.st_size;
    return 0;
}

static int load(struct firn_atlas *a, const char *dir)
{
    uint8_t header[FIRN_HEADER];
    struct firn_scratch scratch = {0};
    struct firn_block b;
    if (open_file(a, dir) != 0 || firn_read_at(a->fd, header, sizeof header, 0) != 0 ||
        firn_header_decode(header, &b) != FIRN_HEADER_GOOD || b.type != FIRN_BLOCK_ATLAS ||
        b.stored != b.raw)
        return -1;
    a->cache = b.cache;
    a->id = b.segment;
    struct firn_segment file = {.fd = a->fd, .cache = a->cache, .id = a->id};
    struct firn_extent e = {.stored = b.stored, .type = b.type};
    int result = firn_segment_read(&file, &e, &scratch, &b, NULL) == 0 ? 0 : -1;
    struct firn_cursor c = {scratch.memory + FIRN_HEADER, b.stored, false};
    if (result == 0)
        result = take_head(&c, a);
    free(scratch.memory);
    uint64_t head = firn_round_up(FIRN_HEADER + (uint64_t)b.stored, FIRN_PAGE);
    return result == 0 && !c.bad ? lay_tables(a, head / FIRN_PAGE) : -1;
}

struct firn_atlas *firn_atlas_open(const char *dir)
{
    struct firn_atlas *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->fd = -1;
    if (load(a, dir) == 0)
        return a;
    firn_atlas_close(a);
    return NULL;
}

void firn_atlas_close(struct firn_atlas *a)
{
    if (!a)
        return;
    firn_atlas_forget(a);
    free(a->leaf);
    firn_codec_destroy(atomic_load(&a->codec));
    for (int i = 0; i < FIRN_TABLES; i++)
        firn_table_fini(a->table + i);
    for (size_t i = 0; i < a->n_covered; i++)
        free(a->covered[i].extent);
    free(a->covered);
    for (size_t i = 0; i < a->n_root; i++)
        firn_root_fini(a->root + i);
    free(a->root);
    free(a->run);
    free(a->run_segment);
    if (a->fd >= 0)
        close(a->fd);
    free(a);
}

int firn_atlas_adopt(const struct firn_atlas *a, const struct firn_covered *c,
                     struct firn_segment *s, struct firn_error *err)
{
    uint8_t header[FIRN_HEADER], tie[8];
    struct firn_block b;
    bool last = c == a->covered + a->n_covered - 1;
    if (s->size < c->end || c->end < FIRN_HEADER ||
        firn_read_at(s->fd, header, sizeof header, 0) != 0 ||
        firn_header_decode(header, &b) != FIRN_HEADER_GOOD || b.segment != c->id ||
        b.cache != a->cache || firn_read_at(s->fd, tie, sizeof tie, c->end - sizeof tie) != 0 ||
        (!c->adopted && firn_get(tie, 8) != c->tie))
        return 1;
    /* Only the newest segment is ever appended to once it has ended. */
    if (!c->adopted && !last && s->size != c->end)
        return 1;
    return firn_segment_resume(s, a->cache, c->id, &(struct firn_resume){
        .end = c->end, .last_footer = c->last_footer, .sequence = c->sequence,
        .adopted = c->adopted, .extent = c->extent, .n_extent = c->n_extent}, err);
}
