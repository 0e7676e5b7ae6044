/* SPDX-License-Identifier: MIT */
/**
 * Never in place: what is whole in a damaged segment goes into a new one, other segments are not
 * touched, and the damaged file is kept under a name that no reader looks at.
 */
#include "firn/upkeep.h"

#include <stdio.h>

#include "base/error.h"
#include "cache/copy.h"
#include "cache/upkeep.h"

struct repair {
    const struct firn_upkeep_options *options;
    struct firn_upkeep *result;
    const struct firn_cache *cache;
    struct firn_writer *writer;
    uint32_t *damaged; /* numbers of segments */
    size_t n_damaged;
    bool no_memory;
};

static bool is_damaged(const struct repair *r, uint32_t number)
{
    for (size_t i = 0; i < r->n_damaged; i++)
        if (r->damaged[i] == number)
            return true;
    return false;
}

static void on_finding(void *user, const struct firn_finding *f)
{
    struct repair *r = user;
    uint32_t number = firn_segment_number(f->file);
    if (r->options->on_finding && *f->file)
        r->options->on_finding(r->options->user, f);
    if (number == 0 || is_damaged(r, number))
        return;
    uint32_t *p = realloc(r->damaged, (r->n_damaged + 1) * sizeof *p);
    r->no_memory |= !p;
    if (!p)
        return;
    r->damaged = p;
    p[r->n_damaged++] = number;
}

static void tell_lost(const struct repair *r, const struct firn_entry *e)
{
    const struct firn_index *index = &firn_cache_loaded(r->cache)->index;
    const char *root = e->root < index->n_root && index->root[e->root].path
                           ? index->root[e->root].path
                           : "";
    char *path;
    r->result->lost++;
    if (!r->options->on_photograph ||
        asprintf(&path, "%s%s%s", root, *root && strcmp(root, "/") ? "/" : "", e->name) < 0)
        return;
    r->options->on_photograph(r->options->user, path, "its feature is lost");
    free(path);
}

static uint32_t segment_of(const struct repair *r, const struct firn_row *row)
{
    const struct firn_loaded *l = firn_cache_loaded(r->cache);
    return l->segment[l->index.place[row->place].segment].number;
}

/* A segment that is whole has a row for it. */
static bool is_elsewhere(const struct repair *r, const struct firn_entry *e)
{
    const struct firn_row *row;
    size_t at = 0;
    while ((row = firn_index_rows(&firn_cache_loaded(r->cache)->index, e->content, &at)) != NULL)
        if (!is_damaged(r, segment_of(r, row)))
            return true;
    return false;
}

/* What is whole in damaged segments besides the features of photographs. */
static int keep_rows(struct repair *r, struct firn_error *err)
{
    const struct firn_loaded *l = firn_cache_loaded(r->cache);
    bool *leaving = calloc(l->n_segment + 1, sizeof *leaving);
    if (!leaving)
        return firn_fail_nomem(err, "the list of segments");
    for (size_t i = 0; i < l->n_segment; i++)
        leaving[i] = is_damaged(r, l->segment[i].number);
    int status = firn_copy_rows(r->cache, r->writer, leaving,
                                r->result->ledger_damaged ? &r->result->unnamed : NULL, err);
    free(leaving);
    return status;
}

/* The dry run: reads what would have to be copied. */
static int find_lost(struct repair *r, struct firn_error *err)
{
    float *feature = malloc(firn_cache_loaded(r->cache)->head.dim * sizeof *feature);
    int status = feature ? 0 : firn_fail_nomem(err, "a feature");
    for (size_t i = 0; i < firn_cache_count(r->cache) && status == 0; i++) {
        const struct firn_entry *e = firn_cache_entry(r->cache, i);
        if (e->state != FIRN_DONE || is_elsewhere(r, e))
            continue;
        status = firn_cache_features(r->cache, &i, 1, feature, err);
        if (status == -FIRN_DATA || status == -FIRN_NOINPUT) {
            tell_lost(r, e);
            status = 0;
        }
    }
    free(feature);
    return status == 0 ? keep_rows(r, err) : status;
}

static bool is_concerned(void *user, size_t i, struct firn_entry *e)
{
    struct repair *r = user;
    (void)i;
    return e->segment == FIRN_OF_NO_SEGMENT ||
           is_damaged(r, firn_cache_loaded(r->cache)->segment[e->segment].number) ||
           (e->state == FIRN_DONE && !firn_writer_has(r->writer, e->content));
}

static void on_lost(void *user, struct firn_entry *e)
{
    struct repair *r = user;
    static const char reason[] = "its feature was lost to damage";
    tell_lost(r, e);
    if (!r->options->requeue)
        return;
    e->state = FIRN_SKIPPED;
    e->reason = reason;
    e->reason_size = sizeof reason - 1;
}

/*
 * Marks what is damaged as old; files with nothing of this cache in them just get out of the way.
 */
static int mark_old(struct repair *r, struct firn_error *err)
{
    struct firn_loaded *l = &r->writer->loaded;
    for (size_t i = 0; i < r->n_damaged; i++) {
        size_t k = 0;
        while (k < l->n_segment && l->segment[k].number != r->damaged[i])
            k++;
        if (k < l->n_segment)
            l->segment[k].old = true;
        else if (firn_loaded_add_stale(l, r->damaged[i]) != 0)
            return firn_fail_nomem(err, "the list of segments");
    }
    return 0;
}

static int carry_out(struct repair *r, struct firn_error *err)
{
    struct firn_copy copy = {.from = r->cache, .to = r->writer, .choose = is_concerned,
                             .lost = on_lost, .user = r};
    r->writer->quarantine = true;
    int status = mark_old(r, err);
    if (status == 0)
        status = firn_writer_copy_facts(r->writer, err);
    if (status == 0)
        status = firn_copy(&copy, err);
    if (status == 0)
        status = keep_rows(r, err);
    r->result->photographs = copy.photographs;
    return status == 0 ? firn_writer_let_go(r->writer, err) : status;
}

/* Verification comes before the writer, which lets go of what is missing when it opens. *bad: there
 * is damage, or (without damaged segments) features are lost to a former one. */
static int find_damage(struct repair *r, const char *dir, bool *bad, struct firn_error *err)
{
    struct firn_verify_result verified;
    int status = firn_verify(dir, 1, on_finding, r, &verified, err);
    if (status != 0 && status != -FIRN_DATA)
        return status;
    *bad = status != 0;
    r->result->damaged = r->n_damaged;
    r->result->ledger_damaged = verified.ledger_damaged;
    return r->no_memory ? firn_fail_nomem(err, "the list of damage") : 0;
}

static int repair(struct repair *r, const char *dir, struct firn_error *err)
{
    struct firn_cache *cache;
    int status = firn_cache_open_rescue(&cache, dir, err);
    if (status != 0)
        return status;
    r->cache = cache;
    firn_upkeep_count(cache, r->result, true);
    status = r->writer ? carry_out(r, err) : find_lost(r, err);
    firn_cache_close(cache);
    return status;
}

int firn_repair_with(const char *dir, const struct firn_writer_settings *settings,
                     const struct firn_upkeep_options *options, struct firn_upkeep *result,
                     struct firn_error *err)
{
    struct repair r = {.options = options, .result = result};
    memset(result, 0, sizeof *result);
    bool bad = false;
    int status = find_damage(&r, dir, &bad, err);
    if (status == 0 && options->yes && (r.n_damaged > 0 || (bad && options->requeue)))
        status = firn_writer_open_upkeep(&r.writer, dir, settings, err);
    if (status == 0)
        status = repair(&r, dir, err);
    if (r.writer) {
        int closed = firn_writer_close(r.writer, status ? NULL : err);
        status = status ? status : closed;
    }
    free(r.damaged);
    return status ? status : firn_upkeep_count_after(dir, result, err);
}

int firn_repair(const char *dir, const struct firn_upkeep_options *options,
                struct firn_upkeep *result, struct firn_error *err)
{
    struct firn_writer_settings settings = {.allow_network = options->allow_network_fs};
    return firn_repair_with(dir, &settings, options, result, err);
}
