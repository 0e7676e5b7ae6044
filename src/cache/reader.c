/* SPDX-License-Identifier: MIT */
#include "firn/cache.h"

#include "base/error.h"
#include "cache/reader.h"

const struct firn_loaded *firn_cache_loaded(const struct firn_cache *cache)
{
    return &cache->loaded;
}

const struct firn_entry *firn_cache_entry(const struct firn_cache *cache, size_t i)
{
    return firn_view_entry(&cache->view, i, NULL, NULL);
}

/* Which view it is follows from how the views were chosen: src/image/views.c has their order. */
static int find_center(const struct firn_head *head)
{
    char views[64];
    if (!firn_fingerprint_value(&head->fp, FIRN_PART_PREPROCESS, "views", views, sizeof views))
        return 0;
    if (strcmp(views, "five") == 0 || strcmp(views, "ten") == 0)
        return head->views > 4 ? 4 : -1; /* as many as it says, or somebody made it up */
    return strncmp(views, "random:", 7) == 0 ? -1 : 0;
}

static void count(struct firn_cache *cache)
{
    const struct firn_loaded *l = &cache->loaded;
    struct firn_cache_stat *s = &cache->stat;
    *s = cache->view.stat;
    for (size_t i = 0; i < l->n_segment; i++)
        s->bytes += l->segment[i].size;
    s->index_bytes = l->atlas ? l->atlas->size : 0;
    s->views = (int)l->head.views;
    s->dim = (int)l->head.dim / s->views;
    s->center = find_center(&l->head);
    s->store = l->head.store;
    s->segments = l->n_segment;
    s->raw_bytes = (uint64_t)s->rows * l->head.dim * 4;
    s->classes = cache->view.order.n_classes;
    s->runs = l->index.n_run;
    s->roots = l->index.n_root;
    for (size_t i = 0; i < l->n_doubt; i++)
        s->lost_segments += l->doubt[i].certain;
}

static int load(struct firn_cache *cache, const char *dir, enum firn_load_for what_for,
                struct firn_error *err)
{
    int result = firn_load(&cache->loaded, dir, what_for, NULL, err);
    if (result != 0)
        return result;
    if (cache->loaded.last_number == 0 && cache->loaded.n_doubt > 0)
        return firn_fail(err, FIRN_DATA, "%s: all segments are missing; put them back, or run the "
                         "'firn extract' command of this cache, which begins it anew", dir);
    if (cache->loaded.last_number == 0)
        return firn_fail(err, FIRN_NOINPUT, "%s: is not a cache; firn extract makes one", dir);
    if (!cache->loaded.has_head)
        return firn_fail(err, FIRN_DATA,
                         "%s: not one head of a segment is whole; firn verify says more", dir);
    result = firn_view_init(&cache->view, &cache->loaded);
    if (result > 0) { /* damage to INDEX costs no more than time */
        firn_view_fini(&cache->view);
        firn_loaded_fini(&cache->loaded);
        return load(cache, dir, FIRN_LOAD_WHOLE, err);
    }
    if (result < 0)
        return firn_fail_nomem(err, "the order of the photographs");
    count(cache);
    return 0;
}

static int open_for(struct firn_cache **out, const char *dir, enum firn_load_for what_for,
                    struct firn_error *err)
{
    struct firn_cache *cache = calloc(1, sizeof *cache);
    *out = NULL;
    if (!cache)
        return firn_fail_nomem(err, "a cache");
    int result = load(cache, dir, what_for, err);
    if (result != 0) {
        firn_cache_close(cache);
        return result;
    }
    *out = cache;
    return 0;
}

int firn_cache_open(struct firn_cache **out, const char *dir, struct firn_error *err)
{
    return open_for(out, dir, FIRN_LOAD_READER, err);
}

int firn_cache_open_whole(struct firn_cache **out, const char *dir, struct firn_error *err)
{
    return open_for(out, dir, FIRN_LOAD_WHOLE, err);
}

int firn_cache_open_rescue(struct firn_cache **out, const char *dir, struct firn_error *err)
{
    return open_for(out, dir, FIRN_LOAD_RESCUE, err);
}

void firn_cache_close(struct firn_cache *cache)
{
    if (!cache)
        return;
    firn_cache_destroy_hands(cache);
    firn_view_fini(&cache->view);
    firn_loaded_fini(&cache->loaded);
    free(cache);
}

void firn_cache_stat(const struct firn_cache *cache, struct firn_cache_stat *stat)
{
    *stat = cache->stat;
}

const struct firn_fingerprint *firn_cache_fingerprint(const struct firn_cache *cache)
{
    return &cache->loaded.head.fp;
}

bool firn_cache_doubt(const struct firn_cache *cache, size_t i, char text[256])
{
    return firn_loaded_doubt(&cache->loaded, i, text);
}

int firn_cache_check(const struct firn_cache *cache, struct firn_error *err)
{
    if (cache->stat.lost_segments == 0)
        return 0;
    return firn_fail(err, FIRN_DATA, "%s: a part of the cache is lost; run its 'firn extract' "
                     "command again, and 'firn repair' if that is not enough", cache->loaded.dir);
}

const char *firn_cache_class(const struct firn_cache *cache, size_t label)
{
    const struct firn_order *order = &cache->view.order;
    return label < order->n_classes ? order->classes[label] : NULL;
}

int firn_cache_run(const struct firn_cache *cache, size_t i, struct firn_run *run)
{
    if (i >= cache->loaded.index.n_run)
        return -FIRN_USAGE;
    *run = cache->loaded.index.run[i];
    return 0;
}

#define BAD_INDEX "cannot be read: remove it, nothing is lost by that"

int firn_cache_fail_index(const struct firn_cache *cache, struct firn_error *err)
{
    if (firn_atlas_trouble(cache->loaded.atlas) == FIRN_OUT_OF_MEMORY)
        return firn_fail_nomem(err, "a part of the cache's file INDEX");
    return firn_fail(err, FIRN_DATA, "%s: its file INDEX " BAD_INDEX, cache->loaded.dir);
}

/* Stand for photographs whose part of INDEX cannot be had. */
static const struct firn_entry damaged = {
    .name = "?", .name_size = 1, .state = FIRN_SKIPPED, .root = UINT32_MAX,
    .reason = "the file INDEX of the cache " BAD_INDEX};
static const struct firn_entry unremembered = {
    .name = "?", .name_size = 1, .state = FIRN_SKIPPED, .root = UINT32_MAX,
    .reason = "out of memory for the file INDEX of the cache"};

static const struct firn_entry *stand_in(const struct firn_cache *cache)
{
    int trouble = firn_atlas_trouble(cache->loaded.atlas);
    return trouble == FIRN_OUT_OF_MEMORY ? &unremembered : &damaged;
}

static const char *root_of(const struct firn_cache *cache, const struct firn_entry *e)
{
    const struct firn_index *index = &cache->loaded.index;
    return e->root < index->n_root && index->root[e->root].path ? index->root[e->root].path : "";
}

size_t firn_cache_rows(const struct firn_cache *cache)
{
    return cache->stat.records * (size_t)cache->stat.views;
}

size_t firn_cache_row(const struct firn_cache *cache, size_t row)
{
    const size_t i = row / (size_t)cache->stat.views;
    return i < cache->stat.records ? firn_view_photo(&cache->view, i) : SIZE_MAX;
}

void firn_cache_labels(const struct firn_cache *cache, int64_t *label)
{
    for (size_t row = 0; row < firn_cache_rows(cache); row++)
        label[row] = firn_view_label(&cache->view, firn_cache_row(cache, row));
}

static size_t put_path(const struct firn_cache *cache, const struct firn_entry *e, char *text)
{
    const char *root = root_of(cache, e);
    size_t n = strlen(root);
    bool slash = n > 0 && root[n - 1] != '/';
    if (text) {
        memcpy(text, root, n);
        text[n] = '/';
        memcpy(text + n + slash, e->name, e->name_size + 1u);
    }
    return n + slash + e->name_size + 1;
}

size_t firn_cache_paths(const struct firn_cache *cache, char *text)
{
    struct firn_reel reel = {0};
    size_t size = 0;
    for (size_t row = 0; row < firn_cache_rows(cache); row++) {
        size_t i = firn_cache_row(cache, row);
        const struct firn_entry *e = firn_view_next(&cache->view, i, &reel);
        size += put_path(cache, e ? e : stand_in(cache), text ? text + size : NULL);
    }
    firn_reel_fini(&reel);
    return size;
}

int firn_cache_find_content(const struct firn_cache *cache, const uint8_t content[32], size_t *i)
{
    size_t found = firn_view_find(&cache->view, content);
    if (found == SIZE_MAX)
        return -FIRN_NOINPUT;
    *i = found;
    return 0;
}

size_t firn_cache_count(const struct firn_cache *cache)
{
    return cache->view.n;
}

void firn_cache_photo(const struct firn_cache *cache, size_t i, struct firn_photo *photo)
{
    int label;
    bool has_row;
    const struct firn_entry *e = firn_view_entry(&cache->view, i, &label, &has_row);
    if (!e)
        e = stand_in(cache);
    *photo = (struct firn_photo){
        .root = root_of(cache, e),
        .name = e->name,
        .class_name = label >= 0 ? firn_cache_class(cache, (size_t)label) : NULL,
        .label = label,
        .state = e->state,
        .reason = e->reason,
        .size = e->size,
        .mtime_ns = e->mtime_ns,
    };
    memcpy(photo->content, e->content, sizeof photo->content);
    if (e->state == FIRN_DONE && !has_row) {
        photo->state = FIRN_SKIPPED;
        photo->reason = "its feature is lost to damage; firn extract computes it again";
    }
}

enum firn_state firn_cache_state(const struct firn_cache *cache, size_t i)
{
    struct firn_photo photo;
    if (firn_view_row(&cache->view, i) != SIZE_MAX)
        return FIRN_DONE; /* which the index alone says */
    firn_cache_photo(cache, i, &photo);
    return photo.state;
}

void firn_cache_forget(struct firn_cache *cache)
{
    if (cache->loaded.atlas)
        firn_atlas_forget(cache->loaded.atlas);
}

/* ---- finding ---- */

enum match { NO_MATCH, TAIL, EXACT };

static enum match match(const char *root, const char *name, const char *path)
{
    size_t r = strlen(root), n = strlen(name), p = strlen(path);
    if (strcmp(name, path) == 0)
        return EXACT;
    while (r > 1 && root[r - 1] == '/')
        r--;
    if (p > r + 1 && r > 0 && memcmp(path, root, r) == 0) {
        const char *rest = path + r - (r == 1); /* below "/", the slash is the root */
        if (*rest == '/' && strcmp(rest + 1, name) == 0)
            return EXACT;
    }
    if (p < n && name[n - p - 1] == '/' && strcmp(name + n - p, path) == 0)
        return TAIL;
    return NO_MATCH;
}

int firn_cache_find(const struct firn_cache *cache, const char *path, size_t *i,
                    struct firn_error *err)
{
    enum match best = NO_MATCH;
    size_t found[2] = {SIZE_MAX, SIZE_MAX}, n = 0, at = 0, k;
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    while (*path && (k = firn_view_namesake(&cache->view, path, &at)) != SIZE_MAX) {
        const struct firn_entry *e = firn_cache_entry(cache, k);
        enum match m = e ? match(root_of(cache, e), e->name, path) : NO_MATCH;
        if (m == NO_MATCH || m < best)
            continue;
        if (m > best) {
            n = 0;
            found[0] = found[1] = SIZE_MAX;
        }
        best = m;
        n++;
        /* The first two, for whoever has to choose. */
        found[1] = k < found[0] ? found[0] : k < found[1] ? k : found[1];
        found[0] = k < found[0] ? k : found[0];
    }
    *i = n > 0 ? found[0] : 0;
    if (n < 2 && firn_atlas_trouble(cache->loaded.atlas))
        return firn_cache_fail_index(cache, err);
    if (n == 1)
        return 0;
    if (n == 0)
        return firn_fail(err, FIRN_NOINPUT, "%s: is not in the cache %s; firn ls lists what is",
                         path, cache->loaded.dir);
    const struct firn_entry *a = firn_cache_entry(cache, found[0]);
    const struct firn_entry *b = firn_cache_entry(cache, found[1]);
    return firn_fail(err, FIRN_USAGE, "%.200s: means %zu photographs (%.250s/%.200s, "
                     "%.250s/%.200s); give more of the path", path, n, root_of(cache, a), a->name,
                     root_of(cache, b), b->name);
}
