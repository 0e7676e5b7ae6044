/* SPDX-License-Identifier: MIT */
#include "firn/upkeep.h"

#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "cache/copy.h"
#include "cache/upkeep.h"

/* A cache is written anew for the gaps in it when they are more than this a segment, and a 64th of
 * it; that is what is left when it has been. */
enum { GAPS_WORTH = 3 * FIRN_PAGE };

/* At the end of a run a cache of no more than this is, when its gaps are more than those that are
 * left about, by this part of it. */
enum { TIDY_MOST = 16 << 20, TIDY_LEFT = 5 * FIRN_PAGE / 2, TIDY_PART = 128 };

/* What is left out. */
struct choice {
    struct firn_upkeep *result;
    const bool *forget; /* [roots] */
    size_t n_root;
};

static bool is_forgotten(const struct firn_entry *e, const bool *forget, size_t n_root)
{
    return e->root < n_root && forget[e->root];
}

static bool is_kept(void *user, size_t i, struct firn_entry *entry)
{
    struct choice *choice = user;
    (void)i;
    bool forgotten = is_forgotten(entry, choice->forget, choice->n_root);
    choice->result->gone += entry->state == FIRN_GONE;
    choice->result->forgotten += entry->state != FIRN_GONE && forgotten;
    return entry->state != FIRN_GONE && !forgotten;
}

/* As roots are called: without a slash at the end. */
static bool is_called(const struct firn_root *root, const char *name)
{
    size_t n = strlen(name);
    while (n > 1 && name[n - 1] == '/')
        n--;
    return root->path && strlen(root->path) == n && memcmp(root->path, name, n) == 0;
}

/* What a name leads to; of one that leads nowhere any more, what it says. NULL: memory is out. */
static char *lead(const char *name)
{
    char *real = realpath(name, NULL), *here = NULL, *path = NULL;
    if (real || *name == '/')
        return real ? real : strdup(name);
    here = getcwd(NULL, 0);
    if (here && asprintf(&path, "%s/%s", here, name) < 0)
        path = NULL;
    free(here);
    return path;
}

/* The directories that were extracted, as many as fit. */
static const char *name_roots(const struct firn_index *index, char *text, size_t size)
{
    size_t n = 0;
    snprintf(text, size, "none");
    for (size_t i = 0; i < index->n_root && n < size; i++)
        if (index->root[i].path && *index->root[i].path)
            n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", index->root[i].path);
    if (n >= size)
        memcpy(text + size - 4, "...", 4);
    return text;
}

/* Finds the roots to forget, by the name that was given or by what it leads to. */
static int choose(const struct firn_index *index, const struct firn_upkeep_options *o, bool *forget,
                  struct firn_error *err)
{
    char known[500];
    for (size_t i = 0; i < o->n_forget; i++) {
        char *real = lead(o->forget[i]);
        bool found = false;
        for (size_t k = 0; k < index->n_root; k++)
            if (real && (is_called(index->root + k, o->forget[i]) ||
                         is_called(index->root + k, real)))
                forget[k] = found = true;
        free(real);
        if (!real)
            return firn_fail_nomem(err, "the name of a root");
        if (!found)
            return firn_fail(err, FIRN_NOINPUT, "%.200s: is not a directory that was extracted; "
                             "of these the cache knows %s", o->forget[i],
                             name_roots(index, known, sizeof known));
    }
    return 0;
}

/* The writer knows nothing of them any more: neither declares them again nor misses a feature. */
static void forget_roots(struct firn_index *index, const bool *forget)
{
    for (size_t i = 0; i < index->n_entry; i++)
        if (is_forgotten(index->entry + i, forget, index->n_root))
            index->entry[i].state = FIRN_GONE;
    for (size_t i = 0; i < index->n_root; i++)
        if (forget[i])
            firn_root_fini(index->root + i);
}

/* Rows that a photograph needs which is neither gone nor of a root to forget (NULL: none). */
static size_t needed_rows(const struct firn_loaded *l, const bool *forget, struct firn_error *err)
{
    const struct firn_index *index = &l->index;
    bool *needed = calloc(index->n_row + 1, sizeof *needed);
    size_t n = 0;
    if (!needed) {
        firn_fail_nomem(err, "a list of features");
        return SIZE_MAX;
    }
    for (size_t i = 0; i < index->n_entry; i++) {
        size_t at = 0;
        const struct firn_row *row = firn_index_rows(index, index->entry[i].content, &at);
        if (index->entry[i].state == FIRN_DONE && row &&
            !(forget && is_forgotten(index->entry + i, forget, index->n_root)))
            needed[row - index->row] = true;
    }
    for (size_t i = 0; i < index->n_row; i++)
        n += needed[i];
    free(needed);
    return n;
}

/* Bytes between blocks: each commit begins a page, and many small ones leave much. */
static uint64_t gaps(const struct firn_loaded *l)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < l->n_segment; i++) {
        bytes += l->segment[i].size;
        for (size_t k = 0; k < l->segment[i].n_extent; k++) {
            uint64_t span = firn_block_span(l->segment[i].extent[k].stored);
            bytes -= span < bytes ? span : bytes;
        }
    }
    return bytes;
}

/* About what so many of the rows take, with what belongs to them. */
static uint64_t bytes_of(const struct firn_cache_stat *stat, size_t rows)
{
    return stat->rows ? (uint64_t)((double)stat->bytes * (double)rows / (double)stat->rows)
                      : stat->bytes;
}

static int check_room(const char *dir, uint64_t bytes, struct firn_error *err)
{
    struct statvfs st;
    if (statvfs(dir, &st) != 0 || (uint64_t)st.f_bavail * st.f_frsize >= bytes)
        return 0;
    return firn_fail(err, FIRN_IO, "%s: needs about %llu MB more for the new copy, and there are "
                     "%llu MB free; make room", dir, (unsigned long long)(bytes >> 20),
                     (unsigned long long)((uint64_t)st.f_bavail * st.f_frsize >> 20));
}

void firn_upkeep_count(const struct firn_cache *cache, struct firn_upkeep *result, bool before)
{
    struct firn_cache_stat stat;
    firn_cache_stat(cache, &stat);
    *(before ? &result->rows_before : &result->rows) = stat.rows;
    *(before ? &result->segments_before : &result->segments) = stat.segments;
    *(before ? &result->bytes_before : &result->bytes) = stat.bytes;
}

int firn_upkeep_count_after(const char *dir, struct firn_upkeep *result, struct firn_error *err)
{
    struct firn_cache *cache;
    int status = firn_cache_open(&cache, dir, err);
    if (status == 0)
        firn_upkeep_count(cache, result, false);
    firn_cache_close(cache);
    return status;
}

static int rewrite(struct firn_writer *w, const struct firn_cache *cache, const bool *forget,
                   struct firn_upkeep *result, struct firn_error *err)
{
    struct choice choice = {result, forget, w->loaded.index.n_root};
    struct firn_copy copy = {.from = cache, .to = w, .choose = is_kept, .user = &choice};
    forget_roots(&w->loaded.index, forget);
    for (size_t i = 0; i < w->loaded.n_segment; i++)
        w->loaded.segment[i].old = true;
    int status = firn_writer_copy_facts(w, err);
    if (status == 0)
        status = firn_copy(&copy, err);
    if (status == -FIRN_DATA)
        return firn_fail_in(err, status, "nothing was removed; run firn repair first");
    result->photographs = copy.photographs;
    return status == 0 ? firn_writer_let_go(w, err) : status;
}

static int compact(struct firn_writer *w, const char *dir, const struct firn_upkeep_options *o,
                   bool worth, struct firn_upkeep *result, struct firn_error *err)
{
    struct firn_cache *cache;
    struct firn_cache_stat stat;
    int status = firn_cache_open_whole(&cache, dir, err);
    if (status != 0)
        return status;
    firn_cache_stat(cache, &stat);
    firn_upkeep_count(cache, result, true);
    size_t needed = 0;
    bool *forget = calloc(w->loaded.index.n_root + 1, sizeof *forget);
    if (!forget)
        status = firn_fail_nomem(err, "a list of roots");
    else if ((status = choose(&w->loaded.index, o, forget, err)) != 0)
        firn_fail_in(err, status, "%s", dir);
    else if (stat.lost_segments)
        status = firn_fail(err, FIRN_DATA, "%s: a segment is missing; run firn repair first", dir);
    else if ((needed = needed_rows(firn_cache_loaded(cache), forget, err)) == SIZE_MAX)
        status = -FIRN_NOMEM;
    bool nothing = !worth && stat.gone == 0 && o->n_forget == 0 && needed == stat.rows &&
                   stat.segments <= 1 + stat.bytes / w->segment_bytes &&
                   gaps(firn_cache_loaded(cache)) <=
                       GAPS_WORTH * stat.segments + stat.bytes / 64;
    if (status == 0 && !nothing &&
        (status = check_room(dir, bytes_of(&stat, needed) + (16 << 20), err)) == 0)
        status = rewrite(w, cache, forget, result, err);
    free(forget);
    firn_cache_close(cache);
    return status;
}

/* What compacting leaves out of a damaged cache is lost, and so is every sign of the damage. */
static int check_whole(const char *dir, struct firn_error *err)
{
    int status = firn_verify(dir, 1, NULL, NULL, NULL, err);
    return status != -FIRN_DATA ? status
                                : firn_fail(err, FIRN_DATA, "%s: is damaged, and nothing was "
                                            "changed: firn verify says where; run firn extract as "
                                            "before, then firn repair", dir);
}

/* `worth`: it is known to be worth it. */
static int open_and_compact(const char *dir, const struct firn_writer_settings *settings,
                            const struct firn_upkeep_options *options, bool worth,
                            struct firn_upkeep *result, struct firn_error *err)
{
    struct firn_writer *w;
    memset(result, 0, sizeof *result);
    int status = check_whole(dir, err);
    if (status == 0)
        status = firn_writer_open_upkeep(&w, dir, settings, err);
    if (status != 0)
        return status;
    status = compact(w, dir, options, worth, result, err);
    int closed = firn_writer_close(w, status ? NULL : err);
    status = status ? status : closed;
    return status ? status : firn_upkeep_count_after(dir, result, err);
}

int firn_compact_with(const char *dir, const struct firn_writer_settings *settings,
                      struct firn_upkeep *result, struct firn_error *err)
{
    return open_and_compact(dir, settings, &(struct firn_upkeep_options){0}, false, result, err);
}

int firn_compact(const char *dir, const struct firn_upkeep_options *options,
                 struct firn_upkeep *result, struct firn_error *err)
{
    struct firn_writer_settings settings = {.allow_network = options->allow_network_fs};
    return open_and_compact(dir, &settings, options, false, result, err);
}

/* ---- the end of a run ---- */

/* Whether compacting would win something, and drop nothing. */
static bool is_loose(const char *dir)
{
    struct firn_cache *cache;
    struct firn_cache_stat stat;
    if (firn_cache_open_whole(&cache, dir, NULL) != 0)
        return false;
    const struct firn_loaded *l = firn_cache_loaded(cache);
    firn_cache_stat(cache, &stat);
    bool loose = stat.gone == 0 && stat.lost_segments == 0 &&
                 gaps(l) > TIDY_LEFT + stat.bytes / TIDY_PART &&
                 needed_rows(l, NULL, NULL) == stat.rows;
    firn_cache_close(cache);
    return loose;
}

/* Of a size that is written anew in no time; on a network file system the lock may hold nobody. */
static bool may_be_loose(const struct firn_writer *w)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < w->loaded.n_segment; i++)
        bytes += w->loaded.segment[i].end;
    return w->commits > 1 && !w->allow_network && bytes <= TIDY_MOST && bytes >= w->tidy_from;
}

int firn_writer_finish(struct firn_writer *w, struct firn_error *err)
{
    if (!w || !may_be_loose(w))
        return firn_writer_close(w, err);
    struct firn_writer_settings settings = {
        .disk = w->disk, .lock = firn_writer_hold(w), .segment_bytes = w->segment_bytes,
        .index_from = w->index_from, .footer_blocks = w->footer_blocks};
    struct firn_upkeep done;
    char *dir = strdup(w->loaded.dir);
    int result = firn_writer_close(w, err);
    /* Nobody has been at it since: the lock was kept. */
    if (result == 0 && dir && settings.lock && is_loose(dir))
        open_and_compact(dir, &settings, &(struct firn_upkeep_options){0}, true, &done, NULL);
    if (settings.lock)
        close(settings.lock);
    free(dir);
    return result;
}
