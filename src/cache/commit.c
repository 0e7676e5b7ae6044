/* SPDX-License-Identifier: MIT */
/**
 * The durable write path. One commit is one run of whole blocks that starts on a page of its own,
 * so that no page of the file is ever written twice and a torn write cannot touch what was
 * acknowledged before:
 *
 *     | HEAD . | ROWS ROWS LEDGER .. | ROWS LEDGER ..... | FOOTER.trailer | ROWS LEDGER .. torn
 *     0      4096                  8192  ...             end of a run     next run   ^
 *       commit    commit               commit                                   acknowledged
 *
 * A write, a sync or a directory sync that fails leaves the file in a state nobody knows: even a
 * later sync that succeeds proves nothing, because the kernel may have dropped the dirty pages. So
 * the segment is abandoned at the last acknowledged offset, and the same commit is written once
 * more into a new segment, together with a footer that says where the abandoned one ends. When
 * that fails too, nothing of the commit is acknowledged, and all of it stays pending.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/error.h"
#include "cache/atlas_write.h"
#include "cache/writer_state.h"

enum {
    RESERVE = 4 << 20,       /* asked of the file system ahead of need */
    MIN_FREE = 1 << 20,      /* bytes of the disk that are left alone */
    MAX_BLOCKS = 1 << 18     /* in a segment: bounds its footer */
};

static struct firn_segment *growing(struct firn_writer *w)
{
    return w->loaded.segment + w->growing;
}

static int fail_errno(const struct firn_writer *w, size_t segment, struct firn_error *err)
{
    char path[512];
    int saved = errno;
    firn_loaded_path(&w->loaded, segment, path, sizeof path);
    errno = saved;
    return firn_fail_errno(err, FIRN_IO, path);
}

static uint64_t random_name(void)
{
    uint64_t name = 0;
    while (name == 0)
        if (getrandom(&name, sizeof name, 0) != sizeof name)
            name = 0;
    return name;
}

/* ---- files ---- */

/* The end of a segment that no longer grows: what it has reserved goes back. */
static void let_go(struct firn_writer *w)
{
    struct firn_segment *s = growing(w);
    /* Only space is at stake; the next reader does not care. */
    w->disk->truncate(w->disk->user, s->fd, s->end);
    firn_segment_trim(s);
    w->growing = FIRN_NO_SEGMENT;
}

static int remember_orphan(struct firn_writer *w, size_t segment)
{
    struct firn_pending *p = &w->pending;
    size_t *more = realloc(p->orphan, (p->n_orphan + 1) * sizeof *more);
    if (!more)
        return -1;
    p->orphan = more;
    more[p->n_orphan++] = segment;
    return 0;
}

/* Gives the growing segment up for ever. Its tail beyond ->end is nobody's. */
static void abandon(struct firn_writer *w)
{
    struct firn_segment *s = growing(w);
    if (s->end == 0) {
        char path[4096];
        /* Never acknowledged anything: the space is worth more, above all on a full disk. */
        firn_loaded_path(&w->loaded, w->growing, path, sizeof path);
        w->disk->unlink(w->disk->user, path);
        s->leaving = true;
    } else if (firn_segment_unfold(s) == 0) {
        remember_orphan(w, w->growing); /* without memory it merely stays without a footer */
    }
    w->growing = FIRN_NO_SEGMENT;
}

static int create_segment(struct firn_writer *w, struct firn_error *err)
{
    struct firn_loaded *l = &w->loaded;
    struct firn_segment *p = realloc(l->segment, (l->n_segment + 1) * sizeof *p);
    if (!p)
        return firn_fail_nomem(err, "a segment");
    l->segment = p;
    struct firn_segment *s = p + l->n_segment;
    firn_segment_init(s, l->last_number + 1);
    l->n_segment++;
    char path[4096];
    firn_loaded_path(l, l->n_segment - 1, path, sizeof path);
    s->fd = w->disk->create(w->disk->user, path);
    if (s->fd < 0) {
        int result = fail_errno(w, l->n_segment - 1, err);
        l->n_segment--;
        return result;
    }
    l->last_number++;
    s->cache = l->cache;
    s->id = random_name();
    w->growing = l->n_segment - 1;
    w->reserved = 0;
    return 0;
}

/*
 * Goes on with the segment that the last run closed. Any trouble: a new one will do. A newer
 * segment that a failing run began and removed must not come back with a power cut: its roster may
 * say that this one ends here.
 */
static void reopen_segment(struct firn_writer *w)
{
    size_t i = w->reopen;
    char path[4096];
    w->reopen = FIRN_NO_SEGMENT;
    firn_loaded_path(&w->loaded, i, path, sizeof path);
    int fd = w->disk->open(w->disk->user, path);
    if (fd < 0)
        return;
    if (w->disk->sync_dir(w->disk->user, w->loaded.dir) != 0) {
        w->disk->close(w->disk->user, fd);
        return;
    }
    struct firn_segment *s = w->loaded.segment + i;
    w->disk->close(w->disk->user, s->fd);
    s->fd = fd;
    s->closed = false;
    s->n_footed = s->n_extent;
    w->growing = i;
    w->reserved = 0;
}

static bool is_full(const struct firn_writer *w)
{
    const struct firn_segment *s = w->loaded.segment + w->growing;
    size_t blocks = s->n_extent;
    for (size_t i = 0; i < s->n_part; i++)
        blocks += s->part[i].blocks;
    return s->end >= w->segment_bytes || blocks >= MAX_BLOCKS;
}

/* ---- writing it ---- */

static void reserve(struct firn_writer *w, uint64_t offset, uint64_t n)
{
    if (w->no_reserve || offset + n <= w->reserved)
        return;
    uint64_t more = n > RESERVE ? n : RESERVE;
    if (w->disk->reserve(w->disk->user, growing(w)->fd, offset, more) == 0)
        w->reserved = offset + more;
    else if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
        w->no_reserve = true;
    /* Any other failure will show in the write itself, if it matters. */
}

/* w->out to `offset` of the growing segment, on disk when this returns 0; else -1 with errno. */
static int write_through(struct firn_writer *w, uint64_t offset, bool is_new)
{
    const struct firn_disk *d = w->disk;
    int fd = growing(w)->fd;
    ssize_t n;
    reserve(w, offset, w->out.size);
    do
        n = d->pwrite(d->user, fd, w->out.data, w->out.size, offset);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && (size_t)n < w->out.size) {
        /* Why it fell short is told by the rest: a full disk, a quota, a limit of file size. */
        if (d->pwrite(d->user, fd, w->out.data + n, w->out.size - (size_t)n,
                      offset + (size_t)n) >= 0)
            errno = ENOSPC;
        return -1;
    }
    if (n < 0 || d->fdatasync(d->user, fd) != 0)
        return -1;
    return is_new ? d->sync_dir(d->user, w->loaded.dir) : 0;
}

/* Puts the blocks of w->out on the growing segment's lists. */
static int note_blocks(struct firn_writer *w, uint64_t offset)
{
    struct firn_block b;
    for (size_t at = 0; at + FIRN_HEADER <= w->out.size;) {
        const uint8_t *p = w->out.data + at;
        if (firn_header_decode(p, &b) != FIRN_HEADER_GOOD)
            break; /* padding */
        if (firn_segment_note(growing(w), offset + at, &b) != 0)
            return -1;
        at += firn_block_span(b.stored);
    }
    return 0;
}

/* The pending rows have a place now. Pending ROWS blocks are the last ROWS blocks of the commit. */
static int place_rows(struct firn_writer *w)
{
    const struct firn_segment *s = growing(w);
    struct firn_index *index = &w->loaded.index;
    size_t left = w->pending.n_row, i = s->n_extent;
    while (left > 0 && i-- > 0) {
        const struct firn_extent *e = s->extent + i;
        if (e->type != FIRN_BLOCK_ROWS)
            continue;
        if (firn_index_place(index, (uint32_t)w->growing, e) != 0)
            return -1;
        index->place[index->n_place - 1].checked = 1;
        left -= e->count;
        for (uint32_t k = 0; k < e->count; k++) {
            struct firn_row *row = index->row + w->pending.row[left + k];
            row->place = (uint32_t)index->n_place - 1;
            row->row = k;
        }
    }
    return 0;
}

static void clear_pending(struct firn_writer *w)
{
    struct firn_pending *p = &w->pending;
    for (size_t i = 0; i < p->n_orphan; i++)
        w->loaded.segment[p->orphan[i]].adopted = true;
    p->n_entry = p->n_row = p->n_root = p->n_run = p->n_orphan = p->n_salvage = 0;
    p->head = p->roster = false;
}

/* What the newest roster leaves out may go now. Failure leaves it to the next writer. */
static void remove_stale(struct firn_writer *w)
{
    struct firn_loaded *l = &w->loaded;
    for (; l->n_stale > 0; l->n_stale--) {
        char name[32], path[4096], aside[4096 + 10];
        firn_segment_name(name, l->stale[l->n_stale - 1]);
        snprintf(path, sizeof path, "%s/%s", l->dir, name);
        snprintf(aside, sizeof aside, "%s.damaged", path);
        if (w->quarantine)
            w->disk->rename(w->disk->user, path, aside);
        else
            w->disk->unlink(w->disk->user, path);
    }
}

/* One try at writing all that is pending into the growing segment. */
static int attempt(struct firn_writer *w, struct firn_error *err)
{
    struct firn_segment *s = growing(w);
    struct firn_stamp stamp = {s->cache, s->id, s->sequence};
    bool is_new = s->end == 0, had_needs = s->needs;
    uint64_t offset = firn_round_up(s->end, FIRN_PAGE), old_end = s->end;
    size_t old_extents = s->n_extent;
    int result = firn_writer_encode(w, &stamp, err);
    if (result != 0)
        return result;
    /* The lists first: behind the sync nothing may fail any more. */
    if (note_blocks(w, offset) != 0 || place_rows(w) != 0)
        result = firn_fail_nomem(err, "the index of the cache");
    else if (write_through(w, offset, is_new) != 0)
        result = fail_errno(w, w->growing, err);
    s = growing(w);
    if (result != 0) {
        s->n_extent = old_extents;
        s->needs = had_needs;
        s->end = old_end;
        for (size_t i = 0; i < w->pending.n_row; i++) {
            struct firn_row *row = w->loaded.index.row + w->pending.row[i];
            row->place = FIRN_NO_PLACE;
            row->row = (uint32_t)i;
        }
        return result;
    }
    s->sequence = stamp.sequence;
    w->wrote = true;
    w->commits += w->pending.n_entry > 0;
    firn_publish(w->lock, s->number, s->id, s->end);
    if (is_new) /* after a power cut it shall still say that there is this segment */
        firn_lock_settle(w->lock);
    clear_pending(w);
    remove_stale(w);
    return 0;
}

void firn_writer_index(struct firn_writer *w)
{
    /* A writer that has written nothing leaves it as it is; the next one will see. */
    if (w->wrote && firn_atlas_is_due(&w->loaded, w->index_from, w->disk)) {
        firn_atlas_write(w->loaded.dir, w->disk);
        malloc_trim(0); /* for which the cache was loaded anew; a daemon keeps its heap for long */
    }
    w->wrote = false;
}

/* ---- footers ---- */

static size_t unfooted(const struct firn_segment *s)
{
    return s->n_extent - s->n_footed;
}

/* Of all that none of them says yet. A failure ends the segment, and loses nothing. */
static int put_footer(struct firn_writer *w, struct firn_error *err)
{
    struct firn_segment *s = growing(w);
    struct firn_stamp stamp = {s->cache, s->id, s->sequence};
    uint64_t offset = firn_round_up(s->end, FIRN_PAGE);
    struct firn_footer footer = {
        .segment = s->id, .number = s->number, .previous = s->last_footer, .end = offset,
        .extent = s->extent + s->n_footed, .n_extent = unfooted(s),
    };
    struct firn_buffer payload = {0};
    firn_footer_put(&payload, &footer);
    size_t whole = firn_round_up(FIRN_HEADER + payload.size + FIRN_TRAILER, FIRN_PAGE);
    uint8_t *p = firn_buffer_room(&payload, whole - FIRN_HEADER - payload.size);
    w->out.size = 0;
    if (p) {
        memset(p, 0, whole - FIRN_HEADER - payload.size);
        payload.size = whole - FIRN_HEADER;
        firn_trailer_put(payload.data + payload.size - FIRN_TRAILER, offset, offset + whole);
        firn_block_put(&w->out, NULL, &stamp, FIRN_BLOCK_FOOTER, 0, payload.data, payload.size);
    }
    free(payload.data);
    int result = 0;
    if (!p || w->out.failed)
        result = firn_fail_nomem(err, "a footer");
    else if (write_through(w, offset, false) != 0)
        result = fail_errno(w, w->growing, err);
    if (result != 0) {
        abandon(w);
        return result;
    }
    s->sequence = stamp.sequence;
    s->last_footer = offset;
    s->end = offset + whole;
    firn_segment_fold(s);
    firn_publish(w->lock, s->number, s->id, s->end);
    return 0;
}

int firn_writer_close_segment(struct firn_writer *w, struct firn_error *err)
{
    int result = unfooted(growing(w)) > 0 ? put_footer(w, err) : 0;
    if (result != 0)
        return result;
    growing(w)->closed = growing(w)->last_footer != 0;
    let_go(w);
    return 0;
}

/* ---- commits ---- */

/* Makes sure that some segment can take a commit. */
static int ready(struct firn_writer *w, struct firn_error *err)
{
    struct firn_error ignored; /* it is abandoned then, and gets its footer from the next */
    if (w->growing != FIRN_NO_SEGMENT && is_full(w)) {
        if (firn_writer_close_segment(w, &ignored) == 0)
            firn_writer_index(w);
    } else if (w->growing != FIRN_NO_SEGMENT && unfooted(growing(w)) >= w->footer_blocks) {
        put_footer(w, &ignored);
    }
    if (w->growing == FIRN_NO_SEGMENT && w->reopen != FIRN_NO_SEGMENT)
        reopen_segment(w);
    return w->growing == FIRN_NO_SEGMENT ? create_segment(w, err) : 0;
}

/* Whether a commit would take the last of the disk. What it says is kept free for the footers of
 * what is stored already, and for whoever has to clear up. */
static int check_room(const struct firn_writer *w, struct firn_error *err)
{
    const struct firn_pending *p = &w->pending;
    uint64_t n = p->n_row * (4 * (uint64_t)w->loaded.head.dim + FIRN_KEY) + (p->n_entry << 8);
    uint64_t room = w->disk->room ? w->disk->room(w->disk->user, w->loaded.dir) : UINT64_MAX;
    bool reserved = w->growing != FIRN_NO_SEGMENT &&
                    w->loaded.segment[w->growing].end + n <= w->reserved;
    if (reserved || room >= n + MIN_FREE)
        return 0;
    return firn_fail(err, FIRN_IO, "%s: the disk is full but for %llu kB; make room", w->loaded.dir,
                     (unsigned long long)(room >> 10));
}

int firn_writer_flush(struct firn_writer *w, struct firn_error *err)
{
    const struct firn_pending *p = &w->pending;
    int result = 0;
    if (p->n_entry + p->n_row + p->n_root + p->n_run + p->n_orphan == 0 && !p->head &&
        !p->roster)
        return 0;
    result = check_room(w, err);
    for (int tries = 0; tries < 2 && (result == 0 || tries > 0); tries++) {
        result = ready(w, err);
        if (result == 0)
            result = attempt(w, err);
        if (result != -FIRN_IO)
            break;
        if (w->growing != FIRN_NO_SEGMENT)
            abandon(w);
    }
    if (result != 0 && err && p->n_entry > 0) {
        char was[sizeof err->text];
        memcpy(was, err->text, sizeof was);
        firn_fail(err, err->code, "%.700s; %zu photograph%s not stored: when the cause is gone, "
                                  "run the same command again", was, p->n_entry,
                  p->n_entry == 1 ? " is" : "s are");
    }
    return result;
}
