/* SPDX-License-Identifier: MIT */
/**
 * The walk through a segment that trusts nothing. Blocks start on multiples of 64, so behind
 * damage the next header is found by trying each multiple; a header that is whole and carries the
 * names of this cache and this segment is believed, which takes three 64-bit coincidences to go
 * wrong. Sequence numbers ascend, so that a block copied elsewhere in the file is not believed.
 */
#include "cache/segment.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"

enum { WINDOW = 1 << 20 };

/* A piece of the file in memory. */
struct window {
    int fd;
    uint64_t size;  /* of what may be read of the file */
    uint8_t *bytes; /* room for `room` */
    size_t room;
    uint64_t at;    /* offset of bytes[0] */
    size_t filled;
};

/* n bytes at `offset`, which must lie below w->size; NULL with errno. */
static const uint8_t *look(struct window *w, uint64_t offset, size_t n)
{
    if (offset >= w->at && offset + n <= w->at + w->filled)
        return w->bytes + (offset - w->at);
    size_t want = n > WINDOW ? n : WINDOW;
    if (want > w->size - offset)
        want = w->size - offset;
    if (want > w->room) {
        uint8_t *p = realloc(w->bytes, want);
        if (!p)
            return NULL;
        w->bytes = p;
        w->room = want;
    }
    w->at = offset;
    w->filled = 0;
    errno = 0;
    if (firn_read_at(w->fd, w->bytes, want, offset) != 0) {
        errno = errno ? errno : EIO; /* shorter than fstat said: somebody cuts it under us */
        return NULL;
    }
    w->filled = want;
    return w->bytes;
}

/* Where a piece that is not in memory yet may hold anything: a file can be a hole of terabytes. */
static uint64_t next_data(const struct window *w, uint64_t at)
{
    if (at < w->at + w->filled)
        return at;
    off_t next = lseek(w->fd, (off_t)at, SEEK_DATA);
    if (next < 0) /* nothing but a hole, or a file system that does not know */
        return errno == ENXIO ? w->size : at;
    return (uint64_t)next < w->size ? (uint64_t)next & ~(uint64_t)(FIRN_HEADER - 1) : w->size;
}

static bool is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

/* One of ours? Names are learnt from the first block. */
static bool belongs(struct firn_segment *s, const struct firn_block *b)
{
    if (s->cache == 0 && s->id == 0) {
        s->cache = b->cache;
        s->id = b->segment;
    }
    return b->cache == s->cache && b->segment == s->id;
}

struct walker {
    struct firn_segment *segment;
    const struct firn_walk *walk;
    struct window window;
    uint64_t at;
    uint64_t next_sequence;
};

static void report(struct walker *w, uint64_t bytes, const struct firn_block *block,
                   const char *what)
{
    if (w->walk->bad)
        w->walk->bad(w->walk->user, w->at, bytes, block, what);
}

static int io_error(struct firn_error *err)
{
    if (errno == ENOMEM)
        return firn_fail_nomem(err, "a block of the cache");
    return firn_fail(err, FIRN_IO, "%s", strerror(errno));
}

/* Passes over what is no block, to the next header or the end. */
static int skip(struct walker *w, struct firn_error *err)
{
    uint64_t from = w->at, at = from;
    bool zeros = true, found = false;
    while ((at = next_data(&w->window, at)) < w->window.size && !found) {
        size_t n = w->window.size - at < FIRN_HEADER ? w->window.size - at : FIRN_HEADER;
        const uint8_t *p = look(&w->window, at, n);
        struct firn_block b;
        if (!p)
            return io_error(err);
        found = n == FIRN_HEADER && at > from && firn_header_decode(p, &b) == FIRN_HEADER_GOOD &&
                belongs(w->segment, &b);
        if (!found) {
            zeros = zeros && is_zero(p, n);
            at += n;
        }
    }
    if (!zeros)
        report(w, at - from, NULL, "bytes that are no block");
    w->at = at;
    return 0;
}

/* The padding behind a block is zero; a flip there loses nothing, but is a sign of decay. */
static void check_padding(struct walker *w, const uint8_t *block, const struct firn_block *b,
                          uint64_t span)
{
    size_t used = FIRN_HEADER + (size_t)b->stored;
    if (!is_zero(block + used, span - used))
        report(w, span - used, NULL, "padding that is not zero; nothing is lost");
}

static int step(struct walker *w, struct firn_error *err)
{
    struct firn_block b;
    if (w->window.size - w->at < FIRN_HEADER)
        return skip(w, err);
    const uint8_t *p = look(&w->window, w->at, FIRN_HEADER);
    if (!p)
        return io_error(err);
    enum firn_header_state state = firn_header_decode(p, &b);
    if (state == FIRN_HEADER_NEWER)
        return firn_fail(err, FIRN_CONFIG, "was written by a later version of firn; use that one");
    if (state == FIRN_HEADER_BAD || !belongs(w->segment, &b))
        return skip(w, err);
    uint64_t span = firn_block_span(b.stored), left = w->window.size - w->at;
    if (FIRN_HEADER + (uint64_t)b.stored > left) {
        report(w, left, &b, "block is cut off");
        w->at = w->window.size;
        return 0;
    }
    span = span < left ? span : left;
    p = look(&w->window, w->at, span);
    if (!p)
        return io_error(err);
    int result = 0;
    if (firn_checksum(p + FIRN_HEADER, b.stored) != b.payload_sum) {
        report(w, span, &b, "checksum does not match");
    } else if (b.sequence < w->next_sequence) {
        report(w, span, &b, "block is out of its place");
    } else {
        w->next_sequence = (uint64_t)b.sequence + 1;
        if (w->walk->padding)
            check_padding(w, p, &b, span);
        result = w->walk->good(w->walk->user, w->at, &b, p + FIRN_HEADER);
    }
    w->at += span;
    return result;
}

int firn_segment_walk(struct firn_segment *segment, uint64_t size, const struct firn_walk *walk,
                      struct firn_error *err)
{
    struct walker w = {
        .segment = segment, .walk = walk, .window = {.fd = segment->fd, .size = size},
        .at = segment->from, .next_sequence = segment->from ? segment->sequence : 0};
    int result = 0;
    while (w.at < size && result == 0)
        result = step(&w, err);
    free(w.window.bytes);
    segment->sequence = (uint32_t)w.next_sequence;
    return result;
}
