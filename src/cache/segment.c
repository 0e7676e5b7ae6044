/* SPDX-License-Identifier: MIT */
#include "cache/segment.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "cache/records.h"

void firn_segment_name(char name[32], uint32_t number)
{
    snprintf(name, 32, "seg-%08u.firn", number);
}

uint32_t firn_segment_number(const char *name)
{
    char again[32];
    unsigned number;
    if (sscanf(name, "seg-%u", &number) != 1)
        return 0;
    firn_segment_name(again, number);
    return strcmp(name, again) == 0 ? number : 0;
}

void firn_segment_init(struct firn_segment *segment, uint32_t number)
{
    memset(segment, 0, sizeof *segment);
    segment->fd = -1;
    segment->number = number;
    segment->damaged = UINT64_MAX;
}

void firn_segment_fini(struct firn_segment *segment)
{
    if (segment->fd >= 0)
        close(segment->fd);
    free(segment->extent);
    free(segment->prefix);
    free(segment->part);
    firn_segment_init(segment, 0);
}

static int add_extent(struct firn_segment *s, const struct firn_extent *extent)
{
    if (s->n_extent == s->extent_room) {
        size_t room = s->extent_room ? s->extent_room * 2 : 64;
        struct firn_extent *p = realloc(s->extent, room * sizeof *p);
        s->no_memory |= !p;
        if (!p)
            return -1;
        s->extent = p;
        s->extent_room = room;
    }
    s->extent[s->n_extent++] = *extent;
    s->n_row += extent->type == FIRN_BLOCK_ROWS ? extent->count : 0;
    s->needs |= extent->type == FIRN_BLOCK_NEEDS;
    return 0;
}

static int add_footer(struct firn_segment *s, const struct firn_footer *f)
{
    bool first = s->n_prefix == s->n_row;
    for (size_t i = 0; i < f->n_extent; i++)
        if (add_extent(s, f->extent + i) != 0)
            return -1;
    if (!first || f->n_prefix == 0)
        return 0;
    uint64_t *p = realloc(s->prefix, (s->n_prefix + f->n_prefix) * sizeof *p);
    s->no_memory |= !p;
    if (!p)
        return -1;
    memcpy(p + s->n_prefix, f->prefix, f->n_prefix * sizeof *p);
    s->prefix = p;
    s->n_prefix += f->n_prefix;
    return 0;
}

int firn_read_at(int fd, void *bytes, size_t n, uint64_t offset)
{
    uint8_t *p = bytes;
    while (n > 0) {
        ssize_t got = pread(fd, p, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got == 0 ? 0 : errno;
            return -1;
        }
        p += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

static int make_room(struct firn_scratch *scratch, size_t n)
{
    if (scratch->room >= n)
        return 0;
    free(scratch->memory);
    scratch->memory = malloc(n);
    scratch->room = scratch->memory ? n : 0;
    return scratch->memory ? 0 : -FIRN_NOMEM;
}

/* Whether the header is that of the block which the extent names. */
static bool is_block(const struct firn_segment *segment, const struct firn_extent *e,
                     const uint8_t *header, struct firn_block *b)
{
    return firn_header_decode(header, b) == FIRN_HEADER_GOOD && b->type == e->type &&
           b->store == e->store && b->stored == e->stored && b->count == e->count &&
           b->width == e->width && b->cache == segment->cache && b->segment == segment->id;
}

int firn_segment_read(const struct firn_segment *segment, const struct firn_extent *e,
                      struct firn_scratch *scratch, struct firn_block *b, struct firn_error *err)
{
    size_t n = FIRN_HEADER + (size_t)e->stored;
    if (e->stored > FIRN_MAX_RAW)
        return firn_fail(err, FIRN_DATA, "block at %llu is longer than any", (long long)e->offset);
    if (make_room(scratch, n) != 0)
        return firn_fail_nomem(err, "a block of the cache");
    errno = 0;
    if (firn_read_at(segment->fd, scratch->memory, n, e->offset) != 0)
        return firn_fail(err, errno ? FIRN_IO : FIRN_DATA, "block at %llu: %s",
                         (unsigned long long)e->offset,
                         errno ? strerror(errno) : "the file ends before it");
    if (!is_block(segment, e, scratch->memory, b))
        return firn_fail(err, FIRN_DATA, "block at %llu is damaged: its header is not whole",
                         (unsigned long long)e->offset);
    if (firn_checksum(scratch->memory + FIRN_HEADER, b->stored) != b->payload_sum)
        return firn_fail(err, FIRN_DATA, "block at %llu is damaged: its checksum does not match",
                         (unsigned long long)e->offset);
    return 0;
}

int firn_segment_read_keys(const struct firn_segment *segment, const struct firn_extent *e,
                           struct firn_scratch *scratch, const uint8_t **keys)
{
    size_t before = FIRN_HEADER + 4 * firn_store_bytes(e->store);
    uint64_t n = before + (uint64_t)e->count * FIRN_KEY;
    struct firn_block b;
    if (n > FIRN_HEADER + (uint64_t)e->stored || e->stored > FIRN_MAX_RAW)
        return -FIRN_DATA;
    if (make_room(scratch, n) != 0)
        return -FIRN_NOMEM;
    if (firn_read_at(segment->fd, scratch->memory, n, e->offset) != 0)
        return -FIRN_IO;
    *keys = scratch->memory + before;
    return is_block(segment, e, scratch->memory, &b) ? 0 : -FIRN_DATA;
}

int firn_segment_note(struct firn_segment *s, uint64_t offset, const struct firn_block *b)
{
    struct firn_extent e = {.offset = offset, .stored = b->stored, .count = b->count,
                            .width = b->width, .type = b->type, .store = b->store};
    if (add_extent(s, &e) != 0)
        return -1;
    s->end = offset + firn_block_span(b->stored);
    return 0;
}

void firn_segment_limit(struct firn_segment *s, uint64_t end)
{
    while (s->n_extent > 0 && s->extent[s->n_extent - 1].offset >= end) {
        const struct firn_extent *e = s->extent + --s->n_extent;
        s->n_row -= e->type == FIRN_BLOCK_ROWS ? e->count : 0;
    }
    if (s->n_prefix > s->n_row)
        s->n_prefix = s->n_row;
    if (s->end > end)
        s->end = end;
}

void firn_segment_fold(struct firn_segment *s)
{
    struct firn_footed *part = realloc(s->part, (s->n_part + 1) * sizeof *part);
    if (!part) { /* then they stay */
        s->n_footed = s->n_extent;
        return;
    }
    s->part = part;
    part += s->n_part++;
    *part = (struct firn_footed){.end = s->end, .blocks = s->n_extent - s->n_footed};
    for (size_t i = s->n_footed; i < s->n_extent; i++) {
        part->photographs += s->extent[i].type == FIRN_BLOCK_LEDGER ? s->extent[i].count : 0;
        part->root |= s->extent[i].type == FIRN_BLOCK_ROOT;
    }
    s->n_extent = s->n_footed;
}

void firn_segment_trim(struct firn_segment *s)
{
    if (s->n_extent > 0)
        return;
    free(s->extent);
    free(s->prefix);
    s->extent = NULL;
    s->prefix = NULL;
    s->extent_room = s->n_prefix = 0;
}

static int note(void *user, uint64_t offset, const struct firn_block *b, const uint8_t *payload)
{
    (void)payload;
    return firn_segment_note(user, offset, b);
}

/* The first block of the file says whose it is. */
static void load_head(struct firn_segment *s, struct firn_scratch *scratch)
{
    struct firn_block b;
    const struct firn_extent *e = s->extent;
    if (s->n_extent == 0 || e->type != FIRN_BLOCK_HEAD || e->offset != 0)
        return;
    int result = firn_segment_read(s, e, scratch, &b, NULL);
    s->no_memory |= result == -FIRN_NOMEM;
    if (result != 0 || b.stored != b.raw)
        return;
    s->has_head =
        firn_head_get(scratch->memory + FIRN_HEADER, b.stored, &s->head) == 0;
}

/* Lost features show where they are missed; records that are lost do not. */
static void note_damage(void *user, uint64_t offset, uint64_t bytes, const struct firn_block *b,
                        const char *what)
{
    struct firn_segment *s = user;
    (void)bytes, (void)what;
    if ((!b || (b->type != FIRN_BLOCK_ROWS && b->type != FIRN_BLOCK_RUN)) && offset < s->damaged)
        s->damaged = offset;
}

static int load_by_walk(struct firn_segment *s, struct firn_error *err)
{
    struct firn_walk walk = {.user = s, .good = note, .bad = note_damage};
    s->n_extent = s->n_known;
    s->n_prefix = s->n_row = 0;
    s->end = s->from;
    return firn_segment_walk(s, s->size, &walk, err);
}

/* Reads the footer at `offset` and checks that it is this segment's. */
static int read_footer(struct firn_segment *s, uint64_t offset, struct firn_scratch *scratch,
                       struct firn_footer *footer)
{
    uint8_t header[FIRN_HEADER];
    struct firn_block b;
    if (firn_read_at(s->fd, header, sizeof header, offset) != 0 ||
        firn_header_decode(header, &b) != FIRN_HEADER_GOOD || b.type != FIRN_BLOCK_FOOTER ||
        b.stored != b.raw)
        return -1;
    if (s->cache == 0 && s->id == 0) {
        s->cache = b.cache;
        s->id = b.segment;
        s->sequence = b.sequence + 1;
    }
    struct firn_extent e = {.offset = offset, .stored = b.stored, .count = b.count,
                            .type = b.type};
    int result = firn_segment_read(s, &e, scratch, &b, NULL);
    s->no_memory |= result == -FIRN_NOMEM;
    if (result == 0)
        result = firn_footer_get(scratch->memory + FIRN_HEADER, b.stored, footer);
    s->no_memory |= result == -2;
    if (result != 0)
        return -1;
    if (footer->segment == s->id && footer->end == offset && footer->previous < offset &&
        (footer->previous == 0 || footer->n_extent == 0 ||
         footer->extent[0].offset > footer->previous))
        return 0;
    firn_footer_fini(footer);
    return -1;
}

/* Chains of footers are as long as a segment was reopened; each adds its part in front. */
struct chain {
    struct firn_footer *footer;
    size_t n;
};

static int read_chain(struct firn_segment *s, uint64_t offset, struct chain *chain,
                      struct firn_scratch *scratch)
{
    while (offset > s->from) {
        struct firn_footer *p = realloc(chain->footer, (chain->n + 1) * sizeof *p);
        s->no_memory |= !p;
        if (!p)
            return -1;
        chain->footer = p;
        if (read_footer(s, offset, scratch, p + chain->n) != 0)
            return -1;
        offset = p[chain->n++].previous;
    }
    return offset == s->last_footer ? 0 : -1;
}

static int load_by_footers(struct firn_segment *s, uint64_t last, struct firn_scratch *scratch)
{
    struct chain chain = {0};
    int result = read_chain(s, last, &chain, scratch);
    for (size_t k = chain.n; k-- > 0 && result == 0;)
        result = add_footer(s, chain.footer + k);
    for (size_t k = 0; k < chain.n; k++)
        firn_footer_fini(chain.footer + k);
    free(chain.footer);
    if (result == 0) {
        s->end = s->size;
        s->last_footer = last;
    }
    return result;
}

int firn_segment_unfold(struct firn_segment *s)
{
    struct firn_segment all = {.fd = s->fd, .cache = s->cache, .id = s->id};
    struct firn_scratch scratch = {0};
    if (s->n_part == 0)
        return 0;
    int result = load_by_footers(&all, s->last_footer, &scratch);
    for (size_t i = s->n_footed; i < s->n_extent && result == 0; i++)
        result = add_extent(&all, s->extent + i);
    free(scratch.memory);
    free(all.prefix);
    free(result ? all.extent : s->extent);
    if (result != 0)
        return -1;
    s->extent = all.extent;
    s->n_extent = all.n_extent;
    s->extent_room = all.extent_room;
    s->n_part = s->n_footed = 0;
    return 0;
}

int firn_segment_load(struct firn_segment *s, struct firn_error *err)
{
    uint8_t trailer[FIRN_TRAILER];
    uint64_t footer;
    int result = 0;
    struct firn_scratch scratch = {0};
    if (s->size >= FIRN_TRAILER &&
        firn_read_at(s->fd, trailer, sizeof trailer, s->size - FIRN_TRAILER) == 0 &&
        firn_trailer_get(trailer, s->size, &footer) == 0) {
        s->closed = load_by_footers(s, footer, &scratch) == 0;
        s->broken = !s->closed;
    }
    if (!s->closed && !s->no_memory) {
        if (s->from == 0)
            s->cache = s->id = 0;
        result = load_by_walk(s, err);
    }
    load_head(s, &scratch);
    free(scratch.memory);
    return s->no_memory ? firn_fail_nomem(err, "the index of the cache") : result;
}

int firn_segment_resume(struct firn_segment *s, uint64_t cache, uint64_t id,
                        const struct firn_resume *known, struct firn_error *err)
{
    struct firn_scratch scratch = {0};
    s->cache = cache;
    s->id = id;
    s->from = s->end = known->end;
    s->last_footer = known->last_footer;
    s->sequence = known->sequence;
    s->adopted = known->adopted;
    s->closed = !known->adopted && s->size == known->end;
    for (size_t i = 0; i < known->n_extent; i++)
        if (add_extent(s, known->extent + i) != 0)
            return firn_fail_nomem(err, "the index of the cache");
    s->n_known = s->n_extent;
    if (!s->adopted && !s->closed)
        return firn_segment_load(s, err);
    load_head(s, &scratch);
    free(scratch.memory);
    return 0;
}

int firn_segment_adopt(struct firn_segment *s, const struct firn_footer *footer)
{
    struct firn_scratch scratch = {0};
    uint8_t header[FIRN_HEADER];
    struct firn_block b;
    if (footer->n_extent == 0) /* it never got as far as its head */
        return 0;
    /* The name of the cache is in any block; the first will do. */
    if (firn_read_at(s->fd, header, sizeof header, footer->extent[0].offset) != 0 ||
        firn_header_decode(header, &b) != FIRN_HEADER_GOOD || b.segment != footer->segment ||
        footer->end > s->size)
        return -1;
    s->cache = b.cache;
    s->id = b.segment;
    if (add_footer(s, footer) != 0)
        return -1;
    s->end = footer->end;
    s->adopted = true;
    load_head(s, &scratch);
    free(scratch.memory);
    return s->no_memory ? -1 : 0;
}
