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
    return cache->loaded.index.entry + cache->order.photo[i].entry;
}

/* A row is on the lists; whether it is whole shows when it is read. */
static const struct firn_row *row_of(const struct firn_cache *cache, const struct firn_entry *e)
{
    size_t at = 0;
    return firn_index_rows(&cache->loaded.index, e->content, &at);
}

/* Which view it is follows from how the views were chosen: src/image/views.c has their order. */
static int find_center(const struct firn_head *head)
{
    const char *views = strstr(head->fp.part[FIRN_PART_PREPROCESS], " views=");
    if (!views)
        return 0;
    views += strlen(" views=");
    if (strncmp(views, "five ", 5) == 0 || strncmp(views, "ten ", 4) == 0)
        return head->views > 4 ? 4 : -1; /* as many as it says, or somebody made it up */
    return strncmp(views, "random:", 7) == 0 ? -1 : 0;
}

static void count(struct firn_cache *cache)
{
    const struct firn_loaded *l = &cache->loaded;
    struct firn_cache_stat *s = &cache->stat;
    for (size_t i = 0; i < l->index.n_entry; i++) {
        const struct firn_entry *e = firn_cache_entry(cache, i);
        const struct firn_row *row = e->state == FIRN_DONE ? row_of(cache, e) : NULL;
        if (row)
            cache->spot[s->records] = (struct firn_spot){(uint32_t)i, row->place, row->row};
        if (e->state == FIRN_CORRUPT)
            s->corrupt++;
        else if (e->state == FIRN_GONE)
            s->gone++;
        else if (row)
            s->records++;
        else
            s->skipped++;
    }
    for (size_t i = 0; i < l->n_segment; i++)
        s->bytes += l->segment[i].size;
    s->rows = l->index.n_row;
    s->views = (int)l->head.views;
    s->dim = (int)l->head.dim / s->views;
    s->center = find_center(&l->head);
    s->store = l->head.store;
    s->segments = l->n_segment;
    s->raw_bytes = (uint64_t)s->rows * l->head.dim * 4;
    s->classes = cache->order.n_classes;
    s->runs = l->index.n_run;
    for (size_t i = 0; i < l->n_doubt; i++)
        s->lost_segments += l->doubt[i].certain;
}

static int load(struct firn_cache *cache, const char *dir, struct firn_error *err)
{
    int result = firn_load(&cache->loaded, dir, FIRN_LOAD_READER, err);
    if (result != 0)
        return result;
    if (cache->loaded.last_number == 0 && cache->loaded.n_doubt > 0)
        return firn_fail(err, FIRN_DATA, "%s: all segments are missing; put them back, or begin a "
                         "new cache elsewhere", dir);
    if (cache->loaded.last_number == 0)
        return firn_fail(err, FIRN_NOINPUT, "%s: is not a cache; firn extract makes one", dir);
    if (!cache->loaded.has_head)
        return firn_fail(err, FIRN_DATA,
                         "%s: not one head of a segment is whole; firn verify says more", dir);
    if (firn_order_init(&cache->order, &cache->loaded.index) != 0)
        return firn_fail_nomem(err, "the order of the photographs");
    cache->spot = malloc((cache->loaded.index.n_entry + 1) * sizeof *cache->spot);
    if (!cache->spot)
        return firn_fail_nomem(err, "the list of features");
    count(cache);
    return 0;
}

int firn_cache_open(struct firn_cache **out, const char *dir, struct firn_error *err)
{
    struct firn_cache *cache = calloc(1, sizeof *cache);
    *out = NULL;
    if (!cache)
        return firn_fail_nomem(err, "a cache");
    int result = load(cache, dir, err);
    if (result != 0) {
        firn_cache_close(cache);
        return result;
    }
    *out = cache;
    return 0;
}

void firn_cache_close(struct firn_cache *cache)
{
    if (!cache)
        return;
    firn_cache_destroy_hands(cache);
    free(cache->spot);
    firn_order_fini(&cache->order);
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

const char *firn_cache_class(const struct firn_cache *cache, size_t label)
{
    return label < cache->order.n_classes ? cache->order.classes[label] : NULL;
}

int firn_cache_run(const struct firn_cache *cache, size_t i, struct firn_run *run)
{
    if (i >= cache->loaded.index.n_run)
        return -FIRN_USAGE;
    *run = cache->loaded.index.run[i];
    return 0;
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
    return i < cache->stat.records ? cache->spot[i].photo : SIZE_MAX;
}

void firn_cache_labels(const struct firn_cache *cache, int64_t *label)
{
    for (size_t row = 0; row < firn_cache_rows(cache); row++)
        label[row] = cache->order.photo[firn_cache_row(cache, row)].label;
}

size_t firn_cache_paths(const struct firn_cache *cache, char *text)
{
    size_t size = 0;
    for (size_t row = 0; row < firn_cache_rows(cache); row++) {
        const struct firn_entry *e = firn_cache_entry(cache, firn_cache_row(cache, row));
        const char *root = root_of(cache, e);
        size_t n = strlen(root);
        bool slash = n > 0 && root[n - 1] != '/';
        if (text) {
            memcpy(text + size, root, n);
            text[size + n] = '/';
            memcpy(text + size + n + slash, e->name, e->name_size + 1u);
        }
        size += n + slash + e->name_size + 1;
    }
    return size;
}

int firn_cache_find_content(const struct firn_cache *cache, const uint8_t content[32], size_t *i)
{
    for (size_t k = 0; k < cache->loaded.index.n_entry; k++)
        if (memcmp(firn_cache_entry(cache, k)->content, content, FIRN_KEY) == 0) {
            *i = k;
            return 0;
        }
    return -FIRN_NOINPUT;
}

size_t firn_cache_count(const struct firn_cache *cache)
{
    return cache->loaded.index.n_entry;
}

void firn_cache_photo(const struct firn_cache *cache, size_t i, struct firn_photo *photo)
{
    const struct firn_entry *e = firn_cache_entry(cache, i);
    *photo = (struct firn_photo){
        .root = root_of(cache, e),
        .name = e->name,
        .class_name = cache->order.photo[i].class_name,
        .label = cache->order.photo[i].label,
        .state = e->state,
        .reason = e->reason,
        .size = e->size,
        .mtime_ns = e->mtime_ns,
    };
    memcpy(photo->content, e->content, sizeof photo->content);
    if (e->state == FIRN_DONE && !row_of(cache, e)) {
        photo->state = FIRN_SKIPPED;
        photo->reason = "its feature is lost to damage; firn extract computes it again";
    }
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
    size_t found[2] = {0, 0}, n = 0;
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    for (size_t k = 0; *path && k < cache->loaded.index.n_entry; k++) {
        const struct firn_entry *e = firn_cache_entry(cache, k);
        enum match m = match(root_of(cache, e), e->name, path);
        if (m == NO_MATCH || m < best)
            continue;
        n = m > best ? 0 : n;
        best = m;
        if (n < 2)
            found[n] = k;
        n++;
    }
    *i = found[0];
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
