/* SPDX-License-Identifier: MIT */
/**
 * Segments are looked at from the newest to the oldest, because a later one may hold the footer of
 * an older one whose writer died or whose disk failed; then their records are read from the oldest
 * to the newest, so that the newest word about a photograph wins.
 */
#include "cache/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

void firn_loaded_path(const struct firn_loaded *loaded, size_t segment, char *path, size_t n)
{
    char name[32];
    firn_segment_name(name, loaded->segment[segment].number);
    snprintf(path, n, "%s/%s", loaded->dir, name);
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int firn_list_segments(const char *dir, uint32_t **numbers, size_t *n, struct firn_error *err)
{
    *numbers = NULL;
    *n = 0;
    DIR *d = opendir(dir);
    if (!d)
        return errno == ENOENT ? firn_fail(err, FIRN_NOINPUT, "%s: there is no such cache", dir)
                               : firn_fail_errno(err, FIRN_NOINPUT, dir);
    int result = 0;
    const struct dirent *e;
    while (result == 0 && (errno = 0, e = readdir(d)) != NULL) {
        uint32_t number = firn_segment_number(e->d_name);
        if (number == 0)
            continue;
        uint32_t *p = realloc(*numbers, (*n + 1) * sizeof *p);
        if (!p) {
            result = firn_fail_nomem(err, "the list of segments");
            break;
        }
        *numbers = p;
        p[(*n)++] = number;
    }
    if (result == 0 && errno != 0)
        result = firn_fail_errno(err, FIRN_IO, dir);
    closedir(d);
    if (result != 0) {
        free(*numbers);
        *numbers = NULL;
        *n = 0;
        return result;
    }
    if (*n > 1)
        qsort(*numbers, *n, sizeof **numbers, compare_numbers);
    return 0;
}

int firn_cache_exists(const char *dir, struct firn_error *err)
{
    uint32_t *number;
    size_t n;
    int result = firn_list_segments(dir, &number, &n, err);
    free(number);
    if (result == 0 && n == 0)
        result = firn_fail(err, FIRN_NOINPUT, "%s: is not a cache; firn extract makes one", dir);
    return result;
}

void firn_loaded_fini(struct firn_loaded *loaded)
{
    for (size_t i = 0; i < loaded->n_segment; i++)
        firn_segment_fini(loaded->segment + i);
    free(loaded->segment);
    free(loaded->dir);
    free(loaded->doubt);
    free(loaded->stale);
    firn_index_fini(&loaded->index);
    firn_atlas_close(loaded->atlas);
    memset(loaded, 0, sizeof *loaded);
}

/* 1: opened; 0: not there any more, or no regular file. */
static int open_segment(struct firn_loaded *l, struct firn_segment *s, struct firn_error *err)
{
    char name[32], *path = NULL;
    struct stat st;
    firn_segment_name(name, s->number);
    if (asprintf(&path, "%s/%s", l->dir, name) < 0)
        return firn_fail_nomem(err, "a path");
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int result = 1;
    l->vanished |= s->fd < 0 && errno == ENOENT;
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        result = errno == ENOENT || errno == ELOOP ? 0 : firn_fail_errno(err, FIRN_IO, path);
    else if (!S_ISREG(st.st_mode))
        result = 0;
    else
        s->size = (uint64_t)st.st_size;
    free(path);
    return result;
}

/* Footers of other segments found so far. */
struct abandoned {
    struct firn_footer *footer;
    size_t n;
};

/* A footer of another cache's segment may have the number; the file knows its own name. */
static const struct firn_footer *footer_of(const struct abandoned *a, const struct firn_segment *s)
{
    uint8_t header[FIRN_HEADER];
    struct firn_block b;
    for (size_t i = 0; i < a->n; i++)
        if (a->footer[i].number == s->number &&
            (firn_read_at(s->fd, header, sizeof header, 0) != 0 ||
             firn_header_decode(header, &b) != FIRN_HEADER_GOOD ||
             b.segment == a->footer[i].segment))
            return a->footer + i;
    return NULL;
}

/* Collects what segment `s` says of others. A damaged block says nothing. 0, FIRN_NOMEM. */
static int collect(struct abandoned *a, const struct firn_segment *s, struct firn_error *err)
{
    struct firn_scratch scratch = {0};
    struct firn_block b;
    int result = 0;
    for (size_t i = 0; i < s->n_extent && result == 0; i++) {
        if (s->extent[i].type != FIRN_BLOCK_FOOTER)
            continue;
        int read = firn_segment_read(s, s->extent + i, &scratch, &b, err);
        result = read == -FIRN_NOMEM ? read : 0;
        if (read != 0 || b.stored != b.raw)
            continue;
        struct firn_footer footer, *p;
        read = firn_footer_get(scratch.memory + FIRN_HEADER, b.stored, &footer);
        if (read == -2)
            result = firn_fail_nomem(err, "a footer");
        if (read != 0)
            continue;
        if (footer.segment == s->id || footer.number >= s->number) {
            firn_footer_fini(&footer);
            continue;
        }
        p = realloc(a->footer, (a->n + 1) * sizeof *p);
        if (!p) {
            firn_footer_fini(&footer);
            result = firn_fail_nomem(err, "a footer");
            break;
        }
        a->footer = p;
        p[a->n++] = footer;
    }
    free(scratch.memory);
    return result;
}

/* What no atlas says: by a footer elsewhere, or by itself. */
static int load_segment(struct firn_loaded *l, struct firn_segment *s, const struct abandoned *a,
                        struct firn_error *err)
{
    const struct firn_footer *footer = footer_of(a, s);
    if (footer && firn_segment_adopt(s, footer) == 0)
        return 0;
    s->n_extent = s->n_prefix = s->n_row = 0;
    int result = firn_segment_load(s, err);
    if (result >= 0)
        return result;
    char path[512];
    firn_loaded_path(l, (size_t)(s - l->segment), path, sizeof path);
    return firn_fail_in(err, result, "%s", path);
}

static int load_segments(struct firn_loaded *l, struct abandoned *a, struct firn_error *err)
{
    for (size_t i = l->n_segment; i-- > 0;) {
        struct firn_segment *s = l->segment + i;
        int result = open_segment(l, s, err);
        if (result == 0) {
            firn_loaded_drop(l, i, false);
            continue;
        }
        const struct firn_covered *c = l->atlas ? firn_atlas_covers(l->atlas, s->number) : NULL;
        if (result > 0 && c) {
            result = firn_atlas_adopt(l->atlas, c, s, err);
            l->misfit |= result > 0;
        } else if (result > 0) {
            result = load_segment(l, s, a, err);
        }
        if (l->misfit)
            return 0;
        if (result < 0 || (result = collect(a, s, err)) < 0)
            return result;
    }
    return 0;
}

/* Readers stop where the writer said that it had got. A closed segment is whole in any case. */
static void hide_unacknowledged(struct firn_loaded *l, const struct firn_published *published)
{
    size_t i = 0;
    while (i < l->n_segment && l->segment[i].id != published->segment)
        i++;
    if (i == l->n_segment)
        return;
    l->misfit |= published->offset < l->segment[i].from;
    if (!l->segment[i].closed && !l->segment[i].broken)
        firn_segment_limit(l->segment + i, published->offset);
    /* A closed one behind it was copied here: a writer publishes long before it closes. */
    for (size_t k = l->n_segment; k-- > i + 1;)
        if (!l->segment[k].closed && !l->segment[k].adopted)
            firn_loaded_drop(l, k, false);
}

/* The name of the cache that the segment has which LOCK names, else most segments have, and of
 * several such names that of the oldest segment; 0: not one readable segment. */
static uint64_t name_of_cache(const struct firn_loaded *l)
{
    uint64_t name = 0;
    size_t most = 0;
    for (size_t i = 0; i < l->n_segment; i++) {
        const struct firn_segment *s = l->segment + i;
        size_t n = 0;
        if (s->cache != 0 && s->id == l->published.segment)
            return s->cache;
        for (size_t k = i; k < l->n_segment && s->cache != 0; k++)
            n += l->segment[k].cache == s->cache;
        if (n > most) {
            most = n;
            name = s->cache;
        }
    }
    return name;
}

/* Whatever is not of this cache was put here by mistake. */
static int drop_strangers(struct firn_loaded *l)
{
    int result = 0;
    l->cache = name_of_cache(l);
    for (size_t i = 0; i < l->n_segment && !l->has_head; i++)
        if (l->segment[i].cache == l->cache && l->segment[i].has_head) {
            l->has_head = true;
            l->head = l->segment[i].head;
        }
    for (size_t i = l->n_segment; i-- > 0 && result == 0;) {
        const struct firn_segment *s = l->segment + i;
        if (s->cache == l->cache && l->cache != 0)
            continue;
        /* A writer was killed before its first page was whole, or the power went before that page
         * was on disk: then as much as it had written reads as zeros. */
        bool zeros = s->damaged == UINT64_MAX;
        bool begun = s->cache == 0 && (s->size <= 2 * FIRN_PAGE || zeros);
        l->skipped++;
        if (s->size > l->skipped_bytes && !(begun && zeros))
            l->skipped_bytes = s->size;
        result = firn_loaded_drop(l, i, begun);
    }
    return result;
}

/* All segments of the atlas are there, and all others are newer. */
static bool atlas_fits(const struct firn_loaded *l)
{
    const struct firn_atlas *a = l->atlas;
    size_t found = 0;
    while (found < l->n_segment && found < a->n_covered &&
           l->segment[found].number == a->covered[found].number)
        found++;
    return found == a->n_covered;
}

/* Puts what the atlas knows on the lists, once it is clear which segments count. */
static int use_atlas(struct firn_loaded *l)
{
    struct firn_atlas *a = l->atlas;
    if (!atlas_fits(l) || l->cache != a->cache || !l->has_head) {
        l->misfit = true;
        return 0;
    }
    for (size_t i = 0; i < a->n_covered; i++)
        a->covered[i].segment = i;
    int result = 0;
    for (size_t i = 0; i < a->n_root && result == 0; i++) {
        struct firn_root root = a->root[i];
        memset(a->root + i, 0, sizeof root);
        result = root.path ? firn_index_root(&l->index, (uint32_t)i, &root) : 0;
    }
    for (size_t i = 0; i < a->n_run && result == 0; i++)
        result = firn_index_run(&l->index, a->run + i, a->run_segment[i]);
    return result;
}

static int load_all(struct firn_loaded *l, enum firn_load_for what_for, const volatile int *stop,
                    struct firn_error *err)
{
    uint32_t *number;
    struct abandoned a = {0};
    /* What was acknowledged before the files are looked at is whole in what they show. */
    firn_published_read(l->dir, &l->published);
    int result = firn_list_segments(l->dir, &number, &l->n_segment, err);
    if (result != 0)
        return result;
    l->segment = calloc(l->n_segment + 1, sizeof *l->segment);
    if (!l->segment) {
        l->n_segment = 0;
        free(number);
        return firn_fail_nomem(err, "the list of segments");
    }
    for (size_t i = 0; i < l->n_segment; i++)
        firn_segment_init(l->segment + i, l->last_number = number[i]);
    free(number);
    if (l->atlas && !atlas_fits(l)) {
        l->misfit = true;
        return 0;
    }
    result = load_segments(l, &a, err);
    for (size_t i = 0; i < a.n; i++)
        firn_footer_fini(a.footer + i);
    free(a.footer);
    if (result != 0 || l->misfit)
        return result;
    if (what_for != FIRN_LOAD_WRITER && firn_published_is_live(&l->published))
        hide_unacknowledged(l, &l->published);
    if (drop_strangers(l) != 0 || firn_loaded_check(l) != 0)
        return firn_fail_nomem(err, "the list of segments");
    if (l->atlas && use_atlas(l) != 0)
        return firn_fail_nomem(err, "the index of the cache");
    if (l->misfit)
        return 0;
    struct firn_codec *codec = firn_codec_create();
    result = codec ? firn_load_records(l, codec, stop, err) : firn_fail_nomem(err, "zstd");
    firn_codec_destroy(codec);
    return result;
}

static int load_once(struct firn_loaded *loaded, const char *dir, enum firn_load_for what_for,
                     const volatile int *stop, struct firn_error *err)
{
    memset(loaded, 0, sizeof *loaded);
    firn_index_init(&loaded->index);
    loaded->dir = strdup(dir);
    loaded->atlas = what_for == FIRN_LOAD_READER ? firn_atlas_open(dir) : NULL;
    return loaded->dir ? load_all(loaded, what_for, stop, err) : firn_fail_nomem(err, "a path");
}

int firn_load(struct firn_loaded *loaded, const char *dir, enum firn_load_for what_for,
              const volatile int *stop, struct firn_error *err)
{
    int result, tries = 0;
    for (;; firn_loaded_fini(loaded)) {
        result = load_once(loaded, dir, what_for, stop, err);
        if (loaded->atlas && (result != 0 || loaded->misfit))
            what_for = FIRN_LOAD_WHOLE; /* whatever it was, the segments have the last word */
        else if (result != 0 || !loaded->vanished || tries++ == 10)
            break;
        /* else a compaction removed what it has written anew; then what is new is there */
    }
    if (result == 0 && what_for == FIRN_LOAD_RESCUE)
        result = firn_loaded_rescue(loaded, err);
    if (result != 0)
        firn_loaded_fini(loaded);
    return result;
}
