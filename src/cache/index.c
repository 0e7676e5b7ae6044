/* SPDX-License-Identifier: MIT */
#include "cache/index.h"

#include <sys/random.h>

struct firn_chunk {
    struct firn_chunk *next;
    size_t size, room;
    char text[];
};

enum { CHUNK = 1 << 16, MAX_ROOTS = 1 << 20 };

void firn_index_init(struct firn_index *index)
{
    memset(index, 0, sizeof *index);
    /* Without entropy the tables only lose their defence against made-up files. */
    if (getrandom(&index->secret, sizeof index->secret, GRND_NONBLOCK) < 0)
        index->secret = (uintptr_t)index;
}

void firn_index_fini(struct firn_index *index)
{
    for (struct firn_chunk *c = index->chunk, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    for (size_t i = 0; i < index->n_root; i++)
        firn_root_fini(index->root + i);
    free(index->entry);
    free(index->by_name);
    free(index->row);
    free(index->by_prefix);
    free(index->place);
    free(index->root);
    free(index->run);
    free(index->run_segment);
    free(index->reason);
    free(index->by_reason);
    memset(index, 0, sizeof *index);
}

/* Makes room for one more; doubles, so that adding costs the same on average. */
static bool grow(void **array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return true;
    size_t more = *room ? *room * 2 : 64;
    void *p = realloc(*array, more * size);
    if (!p)
        return false;
    *array = p;
    *room = more;
    return true;
}

static char *keep(struct firn_index *index, const char *text, size_t n)
{
    struct firn_chunk *c = index->chunk;
    if (n == 0)
        return (char *)"";
    if (!c || c->room - c->size < n + 1) {
        size_t room = n + 1 > CHUNK ? n + 1 : CHUNK;
        c = malloc(sizeof *c + room);
        if (!c)
            return NULL;
        *c = (struct firn_chunk){.next = index->chunk, .room = room};
        index->chunk = c;
    }
    char *p = c->text + c->size;
    memcpy(p, text, n);
    p[n] = 0;
    c->size += n + 1;
    return p;
}

/* Multiplies to 128 bits and folds: each bit of the product depends on all bits of both. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_name(uint64_t secret, uint32_t root, const char *name, size_t n)
{
    uint64_t h = secret ^ root, word;
    for (; n >= 8; name += 8, n -= 8) {
        memcpy(&word, name, 8);
        h = fold(h ^ word, 0x9E3779B97F4A7C15u ^ secret);
    }
    word = n;
    memcpy((char *)&word + 1, name, n);
    return fold(h ^ word, 0xD1B54A32D192ED03u ^ secret);
}

static uint64_t hash_prefix(uint64_t secret, uint64_t prefix)
{
    return fold(prefix ^ secret, 0x9E3779B97F4A7C15u);
}

uint64_t firn_key_prefix(const uint8_t *key)
{
    return firn_get(key, 8);
}

static uint64_t hash_entry(const struct firn_index *index, size_t i)
{
    const struct firn_entry *e = index->entry + i;
    return hash_name(index->secret, e->root, e->name, e->name_size);
}

static uint64_t hash_row(const struct firn_index *index, size_t i)
{
    return hash_prefix(index->secret, index->row[i].prefix);
}

static uint64_t hash_reason(const struct firn_index *index, size_t i)
{
    return hash_name(index->secret, 0, index->reason[i], strlen(index->reason[i]));
}

/* Keeps a table at most half full; n: objects so far, each hashed by `hash`. */
static bool reslot(const struct firn_index *index, uint32_t **table, size_t *slots, size_t n,
                   uint64_t (*hash)(const struct firn_index *, size_t))
{
    if (n * 2 < *slots)
        return true;
    size_t more = *slots ? *slots * 2 : 128;
    uint32_t *fresh = n < UINT32_MAX - 1 ? calloc(more, sizeof *fresh) : NULL;
    if (!fresh)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t at = hash(index, i) & (more - 1);
        while (fresh[at])
            at = (at + 1) & (more - 1);
        fresh[at] = (uint32_t)i + 1;
    }
    free(*table);
    *table = fresh;
    *slots = more;
    return true;
}

/* The slot of (root, name), or the empty one where it belongs. */
static size_t name_slot(const struct firn_index *index, uint32_t root, const char *name, size_t n)
{
    size_t at = hash_name(index->secret, root, name, n) & (index->name_slots - 1);
    for (; index->by_name[at]; at = (at + 1) & (index->name_slots - 1)) {
        const struct firn_entry *e = index->entry + index->by_name[at] - 1;
        if (e->root == root && e->name_size == n && memcmp(e->name, name, n) == 0)
            break;
    }
    return at;
}

/* A photograph that comes and goes for years fails in the same few ways. */
static const char *keep_reason(struct firn_index *index, const char *text, size_t n)
{
    if (n == 0)
        return "";
    if (!grow((void **)&index->reason, index->n_reason, &index->reason_room,
              sizeof *index->reason) ||
        !reslot(index, &index->by_reason, &index->reason_slots, index->n_reason, hash_reason))
        return NULL;
    size_t at = hash_name(index->secret, 0, text, n) & (index->reason_slots - 1);
    for (; index->by_reason[at]; at = (at + 1) & (index->reason_slots - 1)) {
        const char *known = index->reason[index->by_reason[at] - 1];
        if (strncmp(known, text, n) == 0 && known[n] == 0)
            return known;
    }
    const char *kept = keep(index, text, n);
    if (kept) {
        index->reason[index->n_reason] = kept;
        index->by_reason[at] = (uint32_t)++index->n_reason;
    }
    return kept;
}

int firn_index_entry(struct firn_index *index, const struct firn_entry *entry)
{
    if (!grow((void **)&index->entry, index->n_entry, &index->entry_room, sizeof *entry) ||
        !reslot(index, &index->by_name, &index->name_slots, index->n_entry, hash_entry))
        return -1;
    size_t at = name_slot(index, entry->root, entry->name, entry->name_size);
    struct firn_entry *e;
    const char *name, *reason = keep_reason(index, entry->reason, entry->reason_size);
    if (index->by_name[at]) {
        e = index->entry + index->by_name[at] - 1;
        name = e->name;
    } else {
        e = index->entry + index->n_entry;
        name = keep(index, entry->name, entry->name_size);
    }
    if (!name || !reason)
        return -1;
    if (!index->by_name[at])
        index->by_name[at] = (uint32_t)++index->n_entry;
    *e = *entry;
    e->name = name;
    e->reason = reason;
    return 0;
}

struct firn_entry *firn_index_find(const struct firn_index *index, uint32_t root,
                                   const char *name)
{
    if (index->name_slots == 0)
        return NULL;
    uint32_t found = index->by_name[name_slot(index, root, name, strlen(name))];
    return found ? index->entry + found - 1 : NULL;
}

int firn_index_place(struct firn_index *index, uint32_t segment, const struct firn_extent *extent)
{
    if (index->n_place >= INT32_MAX ||
        !grow((void **)&index->place, index->n_place, &index->place_room, sizeof *index->place))
        return -1;
    index->place[index->n_place++] = (struct firn_place){.segment = segment, .extent = *extent};
    return 0;
}

int firn_index_row(struct firn_index *index, uint64_t prefix, uint32_t place, uint32_t row)
{
    if (!grow((void **)&index->row, index->n_row, &index->row_room, sizeof *index->row) ||
        !reslot(index, &index->by_prefix, &index->prefix_slots, index->n_row, hash_row))
        return -1;
    size_t at = hash_prefix(index->secret, prefix) & (index->prefix_slots - 1);
    int twins = 0;
    for (; index->by_prefix[at]; at = (at + 1) & (index->prefix_slots - 1))
        twins += index->row[index->by_prefix[at] - 1].prefix == prefix;
    /* Rows are stored twice only after a crash: a file that repeats one without end is made up,
     * and would make this loop long. */
    if (twins >= FIRN_MAX_TWINS)
        return 0;
    index->row[index->n_row] = (struct firn_row){prefix, place, row};
    index->by_prefix[at] = (uint32_t)++index->n_row;
    return 0;
}

const struct firn_row *firn_index_rows(const struct firn_index *index, const uint8_t *content,
                                       size_t *at)
{
    uint64_t prefix = firn_key_prefix(content);
    if (index->prefix_slots == 0)
        return NULL;
    size_t first = hash_prefix(index->secret, prefix) & (index->prefix_slots - 1);
    for (;; ++*at) {
        uint32_t found = index->by_prefix[(first + *at) & (index->prefix_slots - 1)];
        if (!found)
            return NULL;
        if (index->row[found - 1].prefix == prefix) {
            ++*at;
            return index->row + found - 1;
        }
    }
}

void firn_index_mark(const struct firn_index *index, const uint8_t *content, bool *list)
{
    const struct firn_row *row;
    size_t at = 0;
    while ((row = firn_index_rows(index, content, &at)) != NULL)
        list[row - index->row] = true;
}

int firn_index_root(struct firn_index *index, uint32_t id, struct firn_root *root)
{
    if (id >= index->n_root) {
        size_t n = (size_t)id + 1;
        struct firn_root *p = id < MAX_ROOTS ? realloc(index->root, n * sizeof *p) : NULL;
        if (!p) {
            firn_root_fini(root);
            return -1;
        }
        memset(p + index->n_root, 0, (n - index->n_root) * sizeof *p);
        index->root = p;
        index->n_root = n;
    }
    firn_root_fini(index->root + id);
    index->root[id] = *root;
    memset(root, 0, sizeof *root);
    return 0;
}

int firn_index_run(struct firn_index *index, const struct firn_run *run, uint32_t segment)
{
    struct firn_run *p = realloc(index->run, (index->n_run + 1) * sizeof *p);
    index->run = p ? p : index->run;
    uint32_t *q = realloc(index->run_segment, (index->n_run + 1) * sizeof *q);
    index->run_segment = q ? q : index->run_segment;
    if (!p || !q)
        return -1;
    q[index->n_run] = segment;
    p[index->n_run++] = *run;
    return 0;
}
