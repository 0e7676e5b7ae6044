/* SPDX-License-Identifier: MIT */
/**
 * torch.save() before 1.6: five pickles in a row (a magic number, the protocol, facts about the
 * writing machine, the object, the list of storage keys), then, for each key, an int64 count of
 * numbers and the numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/checkpoint.h"
#include "model/le.h"

/** 0x1950a86a20f9469cfc6c, little-endian. */
static const char magic[10] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/** A storage, as the list of keys and the object together describe it. */
struct entry {
    const char *key;
    size_t index;           /* in the file, and in weights->storage */
    enum firn_dtype dtype;  /* FIRN_DTYPES until a tensor tells */
    int64_t count;          /* of numbers */
};

struct legacy {
    struct firn_weights *weights;
    const uint8_t *bytes; /* the beginning of the file */
    size_t n, at;         /* its length; where the next pickle begins */
    struct entry *entry;  /* by key */
    size_t n_entry;
};

static int next_pickle(struct legacy *l, struct firn_pickle *pickle, struct firn_error *err)
{
    struct firn_weights *w = l->weights;
    int rc = firn_pickle_read(pickle, l->bytes + l->at, l->n - l->at, &w->pool, NULL,
                              w->file.path, err);
    if (rc == 0)
        l->at += pickle->size;
    return rc;
}

/** The first three pickles: that it is such a file, and little-endian. */
static int read_preamble(struct legacy *l, struct firn_error *err)
{
    const char *path = l->weights->file.path;
    struct firn_pickle number, version, machine;
    int rc = next_pickle(l, &number, err);
    if (rc)
        return rc;
    if (number.root->kind != FIRN_LONG || number.root->text.size != sizeof magic ||
        memcmp(number.root->text.bytes, magic, sizeof magic) != 0)
        return firn_fail(err, FIRN_DATA, "%s: a pickle, but not one of torch.save()", path);
    rc = next_pickle(l, &version, err);
    if (rc == 0)
        rc = next_pickle(l, &machine, err);
    if (rc)
        return rc;
    if (version.root->kind != FIRN_INTEGER || version.root->integer != 1001)
        return firn_fail(err, FIRN_DATA, "%s: an unknown version of torch.save()", path);
    const struct firn_value *little = firn_value_get(machine.root, "little_endian");
    if (!little || little->kind != FIRN_TRUTH || !little->integer)
        return firn_fail(err, FIRN_DATA, "%s: its numbers are not little-endian; save it again on "
                         "a little-endian machine", path);
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return strcmp(x->key, y->key);
}

/** The fifth pickle: the keys, in the order of the storages. */
static int read_keys(struct legacy *l, const struct firn_value *list, struct firn_error *err)
{
    struct firn_weights *w = l->weights;
    if (list->kind != FIRN_LIST)
        return firn_fail(err, FIRN_DATA, "%s: its storages are not listed", w->file.path);
    l->n_entry = w->n_storage = list->list.n;
    w->storage = firn_pool_alloc(&w->pool, w->n_storage * sizeof *w->storage);
    l->entry = firn_pool_alloc(&w->pool, l->n_entry * sizeof *l->entry);
    if (!w->storage || !l->entry)
        return firn_fail_nomem(err, "the list of storages");
    for (size_t i = 0; i < l->n_entry; i++) {
        const struct firn_value *key = list->list.item[i];
        if (key->kind != FIRN_TEXT || memchr(key->text.bytes, 0, key->text.size))
            return firn_fail(err, FIRN_DATA, "%s: a storage key that is no name", w->file.path);
        l->entry[i] = (struct entry){.key = key->text.bytes, .index = i, .dtype = FIRN_DTYPES};
    }
    qsort(l->entry, l->n_entry, sizeof *l->entry, by_key);
    for (size_t i = 1; i < l->n_entry; i++)
        if (strcmp(l->entry[i - 1].key, l->entry[i].key) == 0)
            return firn_fail(err, FIRN_DATA, "%s: a storage is listed twice", w->file.path);
    return 0;
}

static struct entry *find_entry(const struct legacy *l, const char *key)
{
    struct entry wanted = {.key = key};
    return bsearch(&wanted, l->entry, l->n_entry, sizeof wanted, by_key);
}

/** What the object's tensors say of a storage; all have to say the same. */
static int learn_storage(struct legacy *l, const struct firn_pickled_storage *s,
                         struct firn_error *err)
{
    char name[80];
    firn_printable(s->key, strlen(s->key), name, sizeof name);
    struct entry *e = find_entry(l, s->key);
    if (!e)
        return firn_fail(err, FIRN_DATA, "%s: storage %s is not in the file",
                         l->weights->file.path, name);
    if (e->dtype == FIRN_DTYPES) {
        e->dtype = s->dtype;
        e->count = s->count;
    }
    if (e->dtype != s->dtype || e->count != s->count)
        return firn_fail(err, FIRN_DATA, "%s: storage %s has two types or two sizes",
                         l->weights->file.path, name);
    return 0;
}

/** Reads the count before the numbers of `e`, which begin at *pos; moves *pos behind them. */
static int place_storage(struct firn_weights *w, const struct entry *e, uint64_t *pos,
                         struct firn_error *err)
{
    uint8_t field[8];
    char name[80];
    firn_printable(e->key, strlen(e->key), name, sizeof name);
    if (e->dtype == FIRN_DTYPES)
        return firn_fail(err, FIRN_DATA, "%s: storage %s belongs to no tensor", w->file.path,
                         name);
    int rc = firn_weight_file_read(&w->file, *pos, field, sizeof field, err);
    if (rc)
        return rc;
    *pos += sizeof field;
    uint64_t count = firn_le64(field), size = firn_dtype_size(e->dtype);
    if (count != (uint64_t)e->count)
        return firn_fail(err, FIRN_DATA, "%s: storage %s has %llu numbers, but its tensors say "
                         "%lld", w->file.path, name, (unsigned long long)count,
                         (long long)e->count);
    if (count > (w->file.size - *pos) / size)
        return firn_fail(err, FIRN_DATA, "%s: truncated: storage %s goes on beyond the end of the "
                         "file", w->file.path, name);
    w->storage[e->index] = (struct firn_storage){.pos = *pos, .size = count * size};
    *pos += count * size;
    return 0;
}

static int by_index(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/** Finds the storages behind the pickles. */
static int place_storages(struct legacy *l, struct firn_error *err)
{
    struct firn_weights *w = l->weights;
    uint64_t pos = l->at;
    int rc = 0;
    qsort(l->entry, l->n_entry, sizeof *l->entry, by_index);
    for (size_t i = 0; rc == 0 && i < l->n_entry; i++)
        rc = place_storage(w, &l->entry[i], &pos, err);
    qsort(l->entry, l->n_entry, sizeof *l->entry, by_key);
    if (rc == 0 && pos != w->file.size)
        rc = firn_fail(err, FIRN_DATA, "%s: %llu bytes behind the last storage", w->file.path,
                       (unsigned long long)(w->file.size - pos));
    return rc;
}

static int find_storage(void *context, const struct firn_pickled_storage *s, size_t *index,
                        struct firn_error *err)
{
    (void)err; /* learn_storage() has seen them all */
    *index = find_entry(context, s->key)->index;
    return 0;
}

static int read_stream(struct legacy *l, struct firn_error *err)
{
    struct firn_pickle object, keys;
    int rc = read_preamble(l, err);
    if (rc == 0)
        rc = next_pickle(l, &object, err);
    if (rc == 0)
        rc = next_pickle(l, &keys, err);
    if (rc == 0)
        rc = read_keys(l, keys.root, err);
    if (rc)
        return rc;
    const struct firn_pickled_storage *s = object.storage;
    for (; rc == 0 && s; s = s->next)
        rc = learn_storage(l, s, err);
    if (rc == 0)
        rc = place_storages(l, err);
    return rc ? rc : firn_checkpoint_tensors(l->weights, object.root, find_storage, l, err);
}

int firn_read_torch_legacy(struct firn_weights *w, struct firn_error *err)
{
    w->format = "torch-legacy";
    size_t n = w->file.size < FIRN_MAX_PICKLE ? (size_t)w->file.size : FIRN_MAX_PICKLE;
    w->pool.limit = firn_pickle_memory(n);
    uint8_t *bytes = malloc(n);
    if (!bytes)
        return firn_fail_nomem(err, "the pickles");
    struct legacy l = {.weights = w, .bytes = bytes, .n = n};
    int rc = firn_weight_file_read(&w->file, 0, bytes, n, err);
    if (rc == 0)
        rc = read_stream(&l, err);
    free(bytes);
    return rc;
}
