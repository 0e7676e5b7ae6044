/* SPDX-License-Identifier: MIT */
#include "firn/upkeep.h"

#include <sys/statvfs.h>

#include "base/error.h"
#include "cache/copy.h"
#include "cache/upkeep.h"

/* A cache is written anew for the gaps in it when they are more than this a segment, and a 64th of
 * it; that is what is left when it has been. */
enum { GAPS_WORTH = 3 * FIRN_PAGE };

static bool is_not_gone(void *user, size_t i, struct firn_entry *entry)
{
    struct firn_upkeep *result = user;
    (void)i;
    result->gone += entry->state == FIRN_GONE;
    return entry->state != FIRN_GONE;
}

/* Rows that a photograph needs which is not gone. */
static size_t needed_rows(const struct firn_loaded *l, struct firn_error *err)
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
        if (index->entry[i].state == FIRN_DONE && row)
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

static int rewrite(struct firn_writer *w, const struct firn_cache *cache,
                   struct firn_upkeep *result, struct firn_error *err)
{
    struct firn_copy copy = {.from = cache, .to = w, .choose = is_not_gone, .user = result};
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

static int compact(struct firn_writer *w, const char *dir, struct firn_upkeep *result,
                   struct firn_error *err)
{
    struct firn_cache *cache;
    struct firn_cache_stat stat;
    int status = firn_cache_open(&cache, dir, err);
    if (status != 0)
        return status;
    firn_cache_stat(cache, &stat);
    firn_upkeep_count(cache, result, true);
    size_t needed = needed_rows(firn_cache_loaded(cache), err);
    bool nothing = stat.gone == 0 && needed == stat.rows &&
                   stat.segments <= 1 + stat.bytes / w->segment_bytes &&
                   gaps(firn_cache_loaded(cache)) <=
                       GAPS_WORTH * stat.segments + stat.bytes / 64;
    if (needed == SIZE_MAX)
        status = -FIRN_NOMEM;
    else if (stat.lost_segments)
        status = firn_fail(err, FIRN_DATA, "%s: a segment is missing; run firn repair first", dir);
    else if (!nothing && (status = check_room(dir, stat.bytes + (16 << 20), err)) == 0)
        status = rewrite(w, cache, result, err);
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

int firn_compact_with(const char *dir, const struct firn_writer_settings *settings,
                      struct firn_upkeep *result, struct firn_error *err)
{
    struct firn_writer *w;
    memset(result, 0, sizeof *result);
    int status = check_whole(dir, err);
    if (status == 0)
        status = firn_writer_open_upkeep(&w, dir, settings, err);
    if (status != 0)
        return status;
    status = compact(w, dir, result, err);
    int closed = firn_writer_close(w, status ? NULL : err);
    status = status ? status : closed;
    return status ? status : firn_upkeep_count_after(dir, result, err);
}

int firn_compact(const char *dir, const struct firn_upkeep_options *options,
                 struct firn_upkeep *result, struct firn_error *err)
{
    struct firn_writer_settings settings = {.allow_network = options->allow_network_fs};
    return firn_compact_with(dir, &settings, result, err);
}
