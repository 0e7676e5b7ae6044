/* SPDX-License-Identifier: MIT */
/**
 * Verification walks every segment from its first byte, as if there were no index, and holds what
 * it meets against what the footers promise and the ledger says.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "cache/load.h"

struct verify {
    struct firn_loaded loaded;
    bool full;
    firn_finding_fn *report;
    void *user;
    struct firn_verify_result *result;
    struct firn_codec *codec;
    struct firn_rows rows;
    /* the segment that is being walked */
    struct firn_segment *segment;
    char name[32];
    bool listed;         /* its lists come from footers, not from the same walk */
    bool last;           /* no later segment has blocks */
    size_t next_extent;  /* first that the walk has not come to */
    size_t next_place;   /* the same in the index's place[] */
    bool *unread;        /* [segments] a part of its ledger says nothing */
    size_t only_rows;    /* findings that cost features alone: find_lost() knows whether any */
};

static void find(struct verify *v, const char *file, uint64_t offset, uint64_t bytes,
                 size_t photographs, const char *what)
{
    struct firn_finding finding = {file, offset, bytes, what, photographs};
    v->result->findings++;
    if (v->report)
        v->report(v->user, &finding);
}

static size_t photographs_in(const struct firn_extent *e)
{
    return e->type == FIRN_BLOCK_ROWS || e->type == FIRN_BLOCK_LEDGER ? e->count : 0;
}

/* Listed blocks before `offset` that the walk has passed without meeting them. */
static void find_missing(struct verify *v, uint64_t offset)
{
    const struct firn_segment *s = v->segment;
    for (; v->next_extent < s->n_extent && s->extent[v->next_extent].offset < offset;
         v->next_extent++) {
        const struct firn_extent *e = s->extent + v->next_extent;
        if (!v->listed)
            continue;
        find(v, v->name, e->offset, firn_block_span(e->stored), photographs_in(e),
             "a block that the footer lists is not there");
        v->unread[v->segment - v->loaded.segment] |= e->type == FIRN_BLOCK_LEDGER;
    }
}

static int ignore_entry(void *user, const struct firn_entry *entry)
{
    (void)user;
    (void)entry;
    return 0;
}

/* Finite and not negative, all of them. *result is -2 when memory is out. */
static bool rows_are_features(const struct verify *v, const struct firn_block *b, int *result)
{
    float *value = malloc(b->width * sizeof *value);
    bool right = true;
    *result = value ? 0 : -2;
    for (uint32_t i = 0; value && i < b->count; i++) {
        firn_rows_values(&v->rows, b, i, value);
        right = right && firn_rows_fault(value, b->width, FIRN_STORE_F32) == b->width;
    }
    free(value);
    return right;
}

/* Says what is wrong inside a block whose checksum is right, or NULL; -2 in *result: no memory. */
static const char *inspect(struct verify *v, const struct firn_block *b, const uint8_t *payload,
                           int *result)
{
    uint8_t *raw;
    uint32_t id;
    struct firn_root root = {0};
    struct firn_run run;
    if (b->type == FIRN_BLOCK_ROWS) {
        *result = firn_block_get_rows(v->codec, b, payload, &v->rows);
        if (*result == 0 && !rows_are_features(v, b, result))
            return "a feature is negative or not finite";
        return *result == -1 ? "its features cannot be expanded" : NULL;
    }
    *result = firn_block_get(v->codec, b, payload, &raw);
    if (*result != 0)
        return *result == -1 ? "it cannot be expanded" : NULL;
    if (b->type == FIRN_BLOCK_LEDGER)
        *result = firn_ledger_get(raw, b->raw, b->count, NULL, ignore_entry, NULL);
    else if (b->type == FIRN_BLOCK_ROOT)
        *result = firn_root_get(raw, b->raw, &id, &root);
    else if (b->type == FIRN_BLOCK_RUN)
        *result = firn_run_get(raw, b->raw, &run);
    firn_root_fini(&root);
    free(raw);
    return *result == -1 ? "its records make no sense" : NULL;
}

static int good(void *user, uint64_t offset, const struct firn_block *b, const uint8_t *payload)
{
    struct verify *v = user;
    struct firn_index *index = &v->loaded.index;
    uint32_t k = (uint32_t)(v->segment - v->loaded.segment);
    int result = 0;
    const char *wrong = v->full ? inspect(v, b, payload, &result) : NULL;
    v->result->blocks++;
    find_missing(v, offset);
    if (v->next_extent < v->segment->n_extent &&
        v->segment->extent[v->next_extent].offset == offset)
        v->next_extent++;
    while (v->next_place < index->n_place &&
           (index->place[v->next_place].segment < k ||
            (index->place[v->next_place].segment == k &&
             index->place[v->next_place].extent.offset < offset)))
        v->next_place++;
    v->unread[k] |= wrong && b->type == FIRN_BLOCK_LEDGER;
    if (wrong)
        find(v, v->name, offset, firn_block_span(b->stored), b->count, wrong);
    else if (v->next_place < index->n_place && index->place[v->next_place].segment == k &&
             index->place[v->next_place].extent.offset == offset)
        index->place[v->next_place].checked = 1;
    return result == -2 ? -1 : 0;
}

/* The unfinished write of a writer that was killed or is at work: nothing acknowledged is in it. */
static bool is_torn_tail(const struct verify *v, uint64_t offset, uint64_t bytes)
{
    const struct firn_segment *s = v->segment;
    if (s->closed || s->broken)
        return false;
    if (s->adopted)
        return offset >= s->end;
    if (v->loaded.published.segment == s->id)
        return offset >= v->loaded.published.offset;
    return v->last && offset + bytes == s->size;
}

static void bad(void *user, uint64_t offset, uint64_t bytes, const struct firn_block *b,
                const char *what)
{
    struct verify *v = user;
    const struct firn_segment *s = v->segment;
    size_t photographs = 0, blocks = 0, of_rows = 0;
    bool of_ledger = false;
    find_missing(v, offset);
    if (v->listed) {
        for (; v->next_extent < s->n_extent &&
               s->extent[v->next_extent].offset < offset + bytes; v->next_extent++, blocks++) {
            photographs += photographs_in(s->extent + v->next_extent);
            of_rows += s->extent[v->next_extent].type == FIRN_BLOCK_ROWS;
            of_ledger |= s->extent[v->next_extent].type == FIRN_BLOCK_LEDGER;
        }
    } else if (b && (b->type == FIRN_BLOCK_ROWS || b->type == FIRN_BLOCK_LEDGER)) {
        photographs = b->count;
    }
    if (is_torn_tail(v, offset, bytes))
        return;
    find(v, v->name, offset, bytes, photographs, what);
    v->unread[s - v->loaded.segment] |= of_ledger;
    v->result->ledger_damaged |= !v->listed && (!b || b->type == FIRN_BLOCK_LEDGER);
    v->only_rows += blocks > 0 && of_rows == blocks;
}

static bool is_doubted(const struct verify *v, uint32_t number)
{
    for (size_t i = 0; i < v->loaded.n_doubt; i++)
        if (v->loaded.doubt[i].number == number)
            return true;
    return false;
}

/* Segments that are not as they were when they were acknowledged. */
static void find_doubts(struct verify *v)
{
    for (size_t i = 0; i < v->loaded.n_doubt; i++) {
        const struct firn_doubt *d = v->loaded.doubt + i;
        firn_segment_name(v->name, d->number);
        find(v, v->name, d->offset, d->bytes, 0, d->what);
        for (size_t k = 0; k < v->loaded.n_segment && d->block; k++)
            v->unread[k] |= v->loaded.segment[k].number == d->number;
        v->result->ledger_damaged |= !d->block;
    }
}

static void find_no_footer(struct verify *v, const struct firn_segment *s)
{
    if (s->closed || s->adopted || s->broken || is_doubted(v, s->number))
        return;
    find(v, v->name, s->size, 0, 0, "no footer, though a later segment exists: its end may be "
         "missing");
    v->result->ledger_damaged = true;
}

/* What the footers, the roster and LOCK say, without a look at the blocks. */
static void glance_at_segment(struct verify *v, size_t k)
{
    const struct firn_segment *s = v->loaded.segment + k;
    v->result->segments++;
    v->result->bytes += s->size;
    v->result->blocks += s->n_extent;
    firn_segment_name(v->name, s->number);
    if (s->broken)
        find(v, v->name, s->size - FIRN_TRAILER, FIRN_TRAILER, 0,
             "its footers are not whole; its blocks are found without them");
    else if (k + 1 < v->loaded.n_segment)
        find_no_footer(v, s);
}

static int verify_segment(struct verify *v, size_t k, struct firn_error *err)
{
    struct firn_segment *s = v->loaded.segment + k;
    struct firn_walk walk = {.user = v, .padding = true, .good = good, .bad = bad};
    v->segment = s;
    v->listed = s->closed || s->adopted;
    v->last = k + 1 == v->loaded.n_segment;
    v->next_extent = 0;
    firn_segment_name(v->name, s->number);
    v->result->segments++;
    v->result->bytes += s->size;
    if (!v->last)
        find_no_footer(v, s);
    if (s->broken)
        find(v, v->name, s->size - FIRN_TRAILER, FIRN_TRAILER, 0,
             "its footers are not whole; its blocks are found without them");
    int result = firn_segment_walk(s, s->size, &walk, err);
    if (result == -1)
        return firn_fail_nomem(err, "a block of the cache");
    find_missing(v, UINT64_MAX);
    return result == 0 ? 0 : firn_fail_in(err, result, "%s/%s", v->loaded.dir, v->name);
}

/* Files that look like segments and hold nothing of this cache. */
static int find_strangers(struct verify *v, struct firn_error *err)
{
    uint32_t *number;
    size_t n, k = 0;
    int result = firn_list_segments(v->loaded.dir, &number, &n, err);
    if (result != 0)
        return result;
    for (size_t i = 0; i < n; i++) {
        char name[32];
        while (k < v->loaded.n_segment && v->loaded.segment[k].number < number[i])
            k++;
        if (k < v->loaded.n_segment && v->loaded.segment[k].number == number[i])
            continue;
        if (firn_loaded_is_stale(&v->loaded, number[i]) || is_doubted(v, number[i]))
            continue;
        firn_segment_name(name, number[i]);
        /* A first page that a killed writer never finished is no loss. */
        if (v->loaded.skipped_bytes > 2 * FIRN_PAGE) {
            find(v, name, 0, 0, 0, "no block of this cache can be read from it");
            v->result->ledger_damaged = true;
        }
    }
    free(number);
    return 0;
}

/* It costs no more than time, like features that are elsewhere too. */
static void find_index(struct verify *v)
{
    const char *what = "is damaged; remove it, nothing is lost by that";
    char *path = NULL;
    struct firn_atlas *atlas = firn_atlas_open(v->loaded.dir);
    bool there = asprintf(&path, "%s/" FIRN_ATLAS_NAME, v->loaded.dir) >= 0 &&
                 access(path, F_OK) == 0;
    if (there && (!atlas || firn_atlas_check(atlas) != 0)) {
        find(v, FIRN_ATLAS_NAME, 0, atlas ? atlas->size : 0, 0, what);
        v->only_rows++;
    }
    firn_atlas_close(atlas);
    free(path);
}

/* A feature in a segment of whose ledger a part cannot be read belongs to no photograph: unless it
 * was superseded, its photograph was lost with that, and has not been met since. */
static int find_unnamed(struct verify *v, struct firn_error *err)
{
    const struct firn_index *index = &v->loaded.index;
    if (!memchr(v->unread, true, v->loaded.n_segment + 1))
        return 0;
    bool *named = calloc(index->n_row + 1, sizeof *named);
    if (!named)
        return firn_fail_nomem(err, "a list of features");
    for (size_t i = 0; i < index->n_entry; i++)
        firn_index_mark(index, index->entry[i].content, named);
    for (size_t i = 0; i < index->n_row; i++) {
        const struct firn_place *place = index->place + index->row[i].place;
        v->result->ledger_damaged |= !named[i] && v->unread[place->segment];
    }
    free(named);
    return 0;
}

/* INDEX has all that damaged ledgers said. */
static bool is_in_index(const struct verify *v)
{
    struct firn_loaded known;
    if (firn_load(&known, v->loaded.dir, FIRN_LOAD_READER, NULL, NULL) != 0)
        return false;
    bool all = known.atlas && known.cache == v->loaded.cache && known.n_doubt == 0 &&
               firn_atlas_check(known.atlas) == 0;
    firn_loaded_fini(&known);
    return all;
}

static bool row_is_whole(const struct verify *v, const struct firn_entry *e)
{
    const struct firn_index *index = &v->loaded.index;
    const struct firn_row *row;
    size_t at = 0;
    while ((row = firn_index_rows(index, e->content, &at)) != NULL)
        if (!v->full || index->place[row->place].checked == 1)
            return true;
    return false;
}

/* How many photographs of the ledger have lost their feature. */
static size_t find_lost(struct verify *v)
{
    const struct firn_index *index = &v->loaded.index;
    char what[700];
    size_t lost = 0, used = 0;
    for (size_t i = 0; i < index->n_entry; i++) {
        const struct firn_entry *e = index->entry + i;
        v->result->photographs += e->state == FIRN_DONE;
        if (e->state != FIRN_DONE || row_is_whole(v, e))
            continue;
        if (lost++ < 3)
            used += (size_t)snprintf(what + used, sizeof what - used, "%s%.150s",
                                     lost > 1 ? ", " : "", e->name);
    }
    if (lost == 0)
        return 0;
    snprintf(what + used, sizeof what - used, "%s: done, but the feature is lost%s",
             lost > 3 ? ", ..." : "",
             v->result->hopeless ? "" : "; run firn extract as before to compute it again");
    find(v, "", 0, 0, lost, what);
    return lost;
}

static int verify(struct verify *v, const char *dir, struct firn_error *err)
{
    int result = firn_load(&v->loaded, dir, FIRN_LOAD_WRITER, NULL, err);
    if (result != 0)
        return result;
    if (v->loaded.last_number == 0 && v->loaded.n_doubt == 0)
        return firn_fail(err, FIRN_NOINPUT, "%s: is not a cache", dir);
    v->codec = firn_codec_create();
    if (!v->codec)
        return firn_fail_nomem(err, "zstd");
    v->unread = calloc(v->loaded.n_segment + 1, sizeof *v->unread);
    if (!v->unread)
        return firn_fail_nomem(err, "the list of segments");
    find_doubts(v);
    for (size_t k = 0; k < v->loaded.n_segment && result == 0; k++)
        if (v->full)
            result = verify_segment(v, k, err);
        else
            glance_at_segment(v, k);
    if (result == 0)
        result = find_strangers(v, err);
    if (result == 0 && v->full)
        find_index(v);
    if (result != 0)
        return result;
    if ((result = find_unnamed(v, err)) != 0)
        return result;
    if (v->result->ledger_damaged && is_in_index(v))
        v->result->ledger_damaged = false;
    /* As the writer sees it: of files that were hardly begun it makes a new cache. */
    v->result->hopeless = !v->loaded.has_head && (v->loaded.cache != 0 ||
                                                  v->loaded.skipped_bytes > 2 * FIRN_PAGE);
    if (!v->loaded.has_head)
        find(v, "", 0, 0, 0, "no segment says what the features were made with");
    size_t places = v->result->findings;
    /* A damaged feature that was computed again elsewhere is missed by nobody. */
    if (find_lost(v) == 0 && places == v->only_rows)
        return 0;
    return firn_fail(err, FIRN_DATA, "%s: %zu places are damaged", dir, v->result->findings);
}

int firn_verify(const char *dir, int full, firn_finding_fn *report, void *user,
                struct firn_verify_result *result, struct firn_error *err)
{
    struct firn_verify_result own;
    struct verify v = {
        .full = full != 0, .report = report, .user = user, .result = result ? result : &own};
    memset(v.result, 0, sizeof *v.result);
    int status = verify(&v, dir, err);
    firn_rows_fini(&v.rows);
    firn_codec_destroy(v.codec);
    free(v.unread);
    if (v.loaded.dir)
        firn_loaded_fini(&v.loaded);
    return status;
}
