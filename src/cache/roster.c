/* SPDX-License-Identifier: MIT */
/**
 * Which segments there ought to be. The newest ROSTER names all that were there when its segment
 * was begun, and LOCK the one that has grown since; so a file that was removed, replaced or cut
 * shows, and one that a compaction has written anew, but could not remove any more, is not read.
 */
#include "cache/load.h"

#include <stdio.h>

enum { MAX_DOUBTS = 1000 };

int firn_loaded_add_stale(struct firn_loaded *l, uint32_t number)
{
    uint32_t *p = realloc(l->stale, (l->n_stale + 1) * sizeof *p);
    if (!p)
        return -1;
    l->stale = p;
    p[l->n_stale++] = number;
    return 0;
}

int firn_loaded_drop(struct firn_loaded *l, size_t i, bool stale)
{
    if (stale && firn_loaded_add_stale(l, l->segment[i].number) != 0)
        return -1;
    firn_segment_fini(l->segment + i);
    memmove(l->segment + i, l->segment + i + 1, (l->n_segment - i - 1) * sizeof *l->segment);
    l->n_segment--;
    return 0;
}

bool firn_loaded_is_stale(const struct firn_loaded *l, uint32_t number)
{
    for (size_t i = 0; i < l->n_stale; i++)
        if (l->stale[i] == number)
            return true;
    return false;
}

bool firn_loaded_doubt(const struct firn_loaded *l, size_t i, char text[256])
{
    char name[32];
    if (i >= l->n_doubt)
        return false;
    firn_segment_name(name, l->doubt[i].number);
    snprintf(text, 256, "%s: %s", name, l->doubt[i].what);
    return true;
}

int firn_loaded_add_doubt(struct firn_loaded *l, struct firn_doubt doubt)
{
    for (size_t i = 0; i < l->n_doubt; i++)
        if (l->doubt[i].number == doubt.number)
            return 0;
    if (l->n_doubt == MAX_DOUBTS) /* a made-up roster can name a million */
        return 0;
    struct firn_doubt *p = realloc(l->doubt, (l->n_doubt + 1) * sizeof *p);
    if (!p)
        return -1;
    l->doubt = p;
    p[l->n_doubt++] = doubt;
    return 0;
}

static int read_roster(const struct firn_segment *s, const struct firn_extent *e,
                       struct firn_roster *roster)
{
    struct firn_scratch scratch = {0};
    struct firn_block b;
    int result = firn_segment_read(s, e, &scratch, &b, NULL);
    if (result == 0)
        result = b.stored == b.raw
                     ? firn_roster_get(scratch.memory + FIRN_HEADER, b.stored, roster) : -1;
    free(scratch.memory);
    return result == -FIRN_NOMEM ? -2 : result;
}

/* The newest roster that can be read, and the segment that it lies in; *unread: there is a newer
 * one. 1, 0: there is none, -2: memory is out. */
static int find_roster(const struct firn_loaded *l, struct firn_roster *roster, size_t *holder,
                       bool *unread)
{
    *unread = false;
    for (size_t k = l->n_segment; k-- > 0;)
        for (size_t i = l->segment[k].n_extent; i-- > 0;) {
            const struct firn_segment *s = l->segment + k;
            if (s->extent[i].type != FIRN_BLOCK_ROSTER)
                continue;
            int result = read_roster(s, s->extent + i, roster);
            *holder = k;
            if (result == 0 || result == -2)
                return result == 0 ? 1 : -2;
            *unread = true;
        }
    return 0;
}

/* Says in what way `s` (NULL: absent) is not what was acknowledged. */
static int compare(struct firn_loaded *l, const struct firn_segment *s, uint32_t number,
                   uint64_t id, uint64_t end)
{
    struct firn_doubt d = {.number = number, .bytes = end, .certain = true};
    if (!s)
        d.what = "the segment is missing, and all that was in it";
    else if (s->id != id && s->id != 0)
        d.what = "is another segment than the one that belongs here";
    else if (s->size < end)
        d = (struct firn_doubt){number, s->size, end - s->size, true,
                                "the file is shorter than what was acknowledged", false};
    else if (s->damaged < end)
        d = (struct firn_doubt){number, s->damaged, 0, true,
                                "is damaged: photographs or classes may be missing or out of date",
                                false};
    else
        return 0;
    return firn_loaded_add_doubt(l, d);
}

static struct firn_segment *by_number(const struct firn_loaded *l, uint32_t number)
{
    for (size_t i = 0; i < l->n_segment; i++)
        if (l->segment[i].number == number)
            return l->segment + i;
    return NULL;
}

static void forget_stale(struct firn_loaded *l, uint32_t number)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n_stale; i++)
        if (l->stale[i] != number)
            l->stale[kept++] = l->stale[i];
    l->n_stale = kept;
}

/* What was acknowledged of the segment does not end where its file does. */
static bool is_cut(const struct firn_loaded *l, const struct firn_segment *s)
{
    return l->published.segment == s->id && s->size < l->published.offset;
}

static int check_roster(struct firn_loaded *l)
{
    struct firn_roster roster;
    size_t holder;
    bool unread;
    int result = find_roster(l, &roster, &holder, &unread);
    if (result <= 0)
        return result;
    result = 0;
    for (size_t i = 0; i < roster.n && result == 0; i++) {
        const struct firn_member *m = roster.member + i;
        const struct firn_segment *s = by_number(l, m->number);
        if (!s && is_cut(l, l->segment + holder))
            continue; /* what was cut off may have let go of it; the cut is told in any case */
        result = !s && unread
                     ? firn_loaded_add_doubt(l, (struct firn_doubt){
                           m->number, 0, m->end, true, "is not there: a list that is damaged let "
                           "go of it, or it is missing and all that was in it", false})
                     : compare(l, s, m->number, m->id, m->end);
        forget_stale(l, m->number); /* it was acknowledged: a ruin, not a beginning */
    }
    for (size_t k = holder; k-- > 0 && result == 0;) {
        bool listed = false;
        for (size_t i = 0; i < roster.n; i++)
            listed = listed || roster.member[i].id == l->segment[k].id;
        if (!listed)
            result = firn_loaded_drop(l, k, true);
    }
    free(roster.member);
    return result;
}

/* The segment that LOCK names is the newest, or the newest but those begun since. */
static int check_published(struct firn_loaded *l)
{
    const struct firn_published *p = &l->published;
    const struct firn_segment *last = l->n_segment ? l->segment + l->n_segment - 1 : NULL;
    if (p->segment == 0) {
        if (!last || last->closed || last->adopted || last->broken)
            return 0;
        return firn_loaded_add_doubt(l, (struct firn_doubt){
            last->number, last->size, 0, false,
            "no LOCK says how far it was acknowledged, and no footer where it ends: its end may "
            "be missing", false});
    }
    forget_stale(l, p->number);
    for (size_t i = 0; i < l->n_segment; i++)
        if (l->segment[i].id == p->segment)
            return compare(l, l->segment + i, l->segment[i].number, p->segment, p->offset);
    if (last && last->number > p->number)
        return 0; /* the roster has the say over it */
    return compare(l, by_number(l, p->number), p->number, p->segment, p->offset);
}

int firn_loaded_check(struct firn_loaded *l)
{
    return check_roster(l) != 0 || check_published(l) != 0 ? -1 : 0;
}
