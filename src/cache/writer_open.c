/* SPDX-License-Identifier: MIT */
/** Opening a cache for writing: whose it is, and what the last writer left behind. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/error.h"
#include "cache/fingerprint.h"
#include "cache/writer_state.h"

enum { SEGMENT_BYTES = 256 << 20, INDEX_FROM = 8192, FOOTER_BLOCKS = 4096,
       TIDY_FROM = 256 << 10 };

/* Empty, or with nothing in it that is not of a cache. */
static bool may_become_cache(const char *dir, struct firn_error *err)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    bool ours = true, any = false;
    if (!d) {
        firn_fail_errno(err, FIRN_CANTCREATE, dir);
        return false;
    }
    while (!ours || !any) {
        e = readdir(d);
        if (!e)
            break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        any = any || strcmp(e->d_name, "LOCK") == 0 || firn_segment_number(e->d_name) != 0;
        ours = any;
    }
    closedir(d);
    if (!ours)
        firn_fail(err, FIRN_CANTCREATE,
                  "%s: is not a cache and not empty; name a new or an empty directory", dir);
    return ours;
}

static int make_dir(struct firn_writer *w, const char *dir, struct firn_error *err)
{
    if (w->disk->mkdir(w->disk->user, dir) != 0) {
        if (errno != EEXIST)
            return firn_fail_errno(err, FIRN_CANTCREATE, dir);
        struct firn_error why = {0};
        if (may_become_cache(dir, &why))
            return 0;
        return firn_fail(err, why.code, "%s", why.text);
    }
    char *parent = strdup(dir);
    if (!parent)
        return firn_fail_nomem(err, "a path");
    size_t n = strlen(parent);
    while (n > 1 && parent[n - 1] == '/')
        parent[--n] = 0;
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = 0;
    int result = w->disk->sync_dir(w->disk->user, slash ? parent : ".");
    if (result != 0)
        result = firn_fail_errno(err, FIRN_IO, slash ? parent : ".");
    free(parent);
    return result;
}

/* A directory whose segments hold not one whole block is new when its first writer was killed
 * before it had written its first page, and a ruin otherwise. */
static int begin_cache(struct firn_writer *w, const char *dir, const struct firn_head *head,
                       struct firn_error *err)
{
    if (w->loaded.skipped_bytes > 2 * FIRN_PAGE)
        return firn_fail(err, FIRN_DATA,
                         "%s: not one block can be read; move it away and begin a new cache", dir);
    w->loaded.head = *head;
    w->loaded.has_head = true;
    while (w->loaded.cache == 0)
        if (getrandom(&w->loaded.cache, sizeof w->loaded.cache, 0) < 0)
            return firn_fail(err, FIRN_IO, "getrandom: %s", strerror(errno));
    w->pending.head = true;
    return 0;
}

/* `want` NULL: whatever it is. */
static int check_head(const struct firn_writer *w, const char *dir, const struct firn_head *want,
                      struct firn_error *err)
{
    const struct firn_head *have = &w->loaded.head;
    char words[600], options[200];
    if (!w->loaded.has_head)
        return firn_fail(err, FIRN_DATA,
                         "%s: nothing is left that says what these features were made with; "
                         "move it away and begin a new cache", dir);
    if (!want)
        return 0;
    if (firn_fingerprint_brief(&have->fp, &want->fp, "in the cache", "now", words,
                               sizeof words) > 0)
        return firn_fail(err, FIRN_CONFIG, "%.200s: made otherwise (%s); use another cache%s%s",
                         dir, words,
                         firn_fingerprint_options(&have->fp, &want->fp, options, sizeof options)
                             ? ", or what this one was made with: " : "", options);
    if (have->dim != want->dim || have->views != want->views || have->store != want->store)
        return firn_fail(err, FIRN_CONFIG,
                         "%s: holds features of %u values as %s, not %u as %s; use another cache "
                         "or the options it was made with", dir, have->dim,
                         have->store == FIRN_STORE_F16 ? "f16" : "f32", want->dim,
                         want->store == FIRN_STORE_F16 ? "f16" : "f32");
    return 0;
}

static int add_salvage(struct firn_writer *w, size_t segment, const struct firn_extent *e)
{
    struct firn_pending *p = &w->pending;
    struct firn_salvage *more = realloc(p->salvage, (p->n_salvage + 1) * sizeof *more);
    if (!more)
        return -1;
    p->salvage = more;
    more[p->n_salvage++] = (struct firn_salvage){segment, *e};
    return 0;
}

/*
 * What an abandoned segment holds behind the last acknowledged byte is in the page cache, but
 * perhaps not on disk, and a sync that already failed would not try again: it is written anew.
 */
static int salvage(struct firn_writer *w, size_t segment, uint64_t acknowledged)
{
    struct firn_segment *s = w->loaded.segment + segment;
    for (size_t i = 0; i < s->n_extent; i++) {
        const struct firn_extent *e = s->extent + i;
        if (e->offset >= acknowledged && e->type != FIRN_BLOCK_HEAD &&
            add_salvage(w, segment, e) != 0)
            return -1;
    }
    firn_segment_limit(s, acknowledged);
    return 0;
}

/*
 * A segment whose writer was killed before it had said anything about photographs: its head, its
 * roster and the footers of others go into the next one, and it goes away.
 */
static bool is_hollow(const struct firn_loaded *l, const struct firn_segment *s)
{
    if (s->closed || s->broken || s->adopted || l->n_doubt > 0 || s->size > s->end + FIRN_PAGE)
        return false;
    for (size_t i = 0; i < s->n_extent; i++)
        if (s->extent[i].type != FIRN_BLOCK_HEAD && s->extent[i].type != FIRN_BLOCK_NEEDS &&
            s->extent[i].type != FIRN_BLOCK_ROSTER && s->extent[i].type != FIRN_BLOCK_FOOTER)
            return false;
    return true;
}

static int leave_hollow(struct firn_writer *w)
{
    struct firn_loaded *l = &w->loaded;
    struct firn_segment *s = l->n_segment ? l->segment + l->n_segment - 1 : NULL;
    if (!s || !is_hollow(l, s))
        return 0;
    for (size_t i = 0; i < l->n_segment; i++)
        l->segment[i].adopted = false;
    s->leaving = true;
    w->pending.head = true;
    return firn_loaded_add_stale(l, s->number);
}

/* Segments without a footer: their writers were killed. */
static int find_orphans(struct firn_writer *w, const struct firn_published *published)
{
    struct firn_loaded *l = &w->loaded;
    bool live = firn_published_is_live(published);
    if (leave_hollow(w) != 0)
        return -1;
    for (size_t i = 0; i < l->n_segment; i++) {
        struct firn_segment *s = l->segment + i;
        if (s->closed || s->broken || s->adopted || s->leaving)
            continue;
        size_t *p = realloc(w->pending.orphan, (w->pending.n_orphan + 1) * sizeof *p);
        if (!p)
            return -1;
        w->pending.orphan = p;
        p[w->pending.n_orphan++] = i;
        if (live && s->id == published->segment && salvage(w, i, published->offset) != 0)
            return -1;
    }
    size_t last = l->n_segment;
    if (l->n_doubt > 0) /* a new roster lets go of what is lost, since it is computed again */
        w->pending.head = true;
    else if (last > 0 && w->pending.n_orphan == 0 && l->segment[last - 1].closed &&
        l->segment[last - 1].number == l->last_number &&
        l->segment[last - 1].end < w->segment_bytes)
        w->reopen = last - 1;
    return 0;
}

/* On a network file system a lock may hold nobody off, and two writers would ruin each other. */
static int check_file_system(const struct firn_writer *w, const char *dir, struct firn_error *err)
{
    const char *kind =
        w->allow_network || !w->disk->network ? NULL : w->disk->network(w->disk->user, dir);
    if (kind)
        return firn_fail(err, FIRN_CANTCREATE, "%s: lies on a network file system (%s), where "
                         "locks may not keep a second writer out; use a local disk, or "
                         "--allow-network-fs when there is no other writer", dir, kind);
    return 0;
}

/* The last writer was killed while it made INDEX: this one makes it, whatever else it does. */
static void clear_aside(struct firn_writer *w, const char *dir)
{
    char *path;
    if (asprintf(&path, "%s/" FIRN_ATLAS_ASIDE, dir) < 0)
        return;
    w->wrote = access(path, F_OK) == 0 && w->disk->unlink(w->disk->user, path) == 0;
    free(path);
}

static int open_cache(struct firn_writer *w, const char *dir, const struct firn_head *head,
                      struct firn_error *err)
{
    struct firn_published published;
    int result = head ? make_dir(w, dir, err) : firn_cache_exists(dir, err);
    if (result == 0)
        result = check_file_system(w, dir, err);
    if (result == 0)
        result = firn_lock(dir, w->held, &w->lock, &published, err);
    if (result == 0)
        result = firn_load(&w->loaded, dir, FIRN_LOAD_WRITER, w->stop, err);
    if (result != 0)
        return result;
    if (published.number > w->loaded.last_number)
        w->loaded.last_number = published.number;
    if (w->loaded.cache == 0 && head)
        result = begin_cache(w, dir, head, err);
    else if ((result = check_head(w, dir, head, err)) == 0 && find_orphans(w, &published) != 0)
        result = firn_fail_nomem(err, "a segment");
    if (result == 0)
        clear_aside(w, dir);
    /* That there is a cache, and of what, is written at once; all else with the first commit, so
     * that a run which is killed before it leaves nothing behind. */
    return result == 0 && w->loaded.n_segment == 0 ? firn_writer_flush(w, err) : result;
}

void firn_writer_destroy(struct firn_writer *w)
{
    struct firn_pending *p = &w->pending;
    free(p->entry);
    free(p->key);
    free(p->value);
    free(p->row);
    free(p->root);
    free(p->run);
    free(p->orphan);
    free(p->salvage);
    free(w->out.data);
    firn_roll_fini(&w->roll);
    free(w->scratch.memory);
    firn_codec_destroy(w->codec);
    firn_loaded_fini(&w->loaded);
    if (w->lock >= 0)
        close(w->lock);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

/* `head` NULL: an existing cache, whatever it is. */
static int open_writer(struct firn_writer **out, const char *dir, const struct firn_head *head,
                       const struct firn_writer_settings *settings, struct firn_error *err)
{
    *out = NULL;
    struct firn_writer *w = calloc(1, sizeof *w);
    if (!w)
        return firn_fail_nomem(err, "the writer of a cache");
    pthread_mutex_init(&w->mutex, NULL);
    w->disk = settings->disk ? settings->disk : &firn_disk_system;
    w->segment_bytes = settings->segment_bytes ? settings->segment_bytes : SEGMENT_BYTES;
    w->index_from = settings->index_from ? settings->index_from : INDEX_FROM;
    w->footer_blocks = settings->footer_blocks ? settings->footer_blocks : FOOTER_BLOCKS;
    w->tidy_from = settings->tidy_from ? settings->tidy_from : TIDY_FROM;
    w->allow_network = settings->allow_network;
    w->held = settings->lock;
    w->stop = settings->stop;
    w->lock = -1;
    w->growing = w->reopen = FIRN_NO_SEGMENT;
    w->in_scratch = FIRN_NO_PLACE;
    w->codec = firn_codec_create();
    int result = w->codec ? open_cache(w, dir, head, err) : firn_fail_nomem(err, "zstd");
    if (result != 0) {
        firn_writer_destroy(w);
        return result;
    }
    *out = w;
    return 0;
}

int firn_writer_open_with(struct firn_writer **out, const char *dir,
                          const struct firn_fingerprint *fp, int dim, enum firn_store store,
                          const struct firn_writer_settings *settings, struct firn_error *err)
{
    const int views = settings->views ? settings->views : 1;
    struct firn_head head = {.dim = (uint32_t)dim, .views = (uint32_t)views, .store = store,
                             .fp = *fp};
    *out = NULL;
    for (int i = 0; i < FIRN_PARTS; i++)
        if (!firn_is_plain(fp->part[i], strlen(fp->part[i])))
            return firn_fail(err, FIRN_USAGE, "the %s part of a fingerprint is not plain text",
                             firn_part_names[i]);
    if (dim < 1 || dim > FIRN_MAX_DIM || dim % views)
        return firn_fail(err, FIRN_USAGE, "%d features of %d values each cannot be stored of a "
                         "photograph: take fewer views", views, dim / views);
    return open_writer(out, dir, &head, settings, err);
}

int firn_writer_open_upkeep(struct firn_writer **out, const char *dir,
                            const struct firn_writer_settings *settings, struct firn_error *err)
{
    int result = open_writer(out, dir, NULL, settings, err);
    if (result != 0)
        return result;
    struct firn_writer *w = *out;
    w->reopen = FIRN_NO_SEGMENT;
    result = firn_writer_flush(w, err);
    if (result == 0 && w->growing != FIRN_NO_SEGMENT)
        result = firn_writer_close_segment(w, err);
    if (result != 0) {
        firn_writer_destroy(w);
        *out = NULL;
    }
    return result;
}

int firn_writer_open(struct firn_writer **out, const char *dir, const struct firn_fingerprint *fp,
                     int dim, enum firn_store store, struct firn_error *err)
{
    const struct firn_writer_settings defaults = {0};
    return firn_writer_open_with(out, dir, fp, dim, store, &defaults, err);
}
