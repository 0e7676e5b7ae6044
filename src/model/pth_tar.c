/* SPDX-License-Identifier: MIT */
/**
 * torch.save() until early 2017, which torchvision's oldest weights (resnet18-5c106cde.pth, ...)
 * are still in: a tar archive of
 *
 *     sys_info   a pickle: facts about the writing machine
 *     storages   count, then each: (id, location, type), int64 count of numbers, the numbers;
 *                last a list of views: (id, id of the storage, offset, count)
 *     tensors    count, then each: (id, id of the storage, type), int32 dimensions, 4 bytes,
 *                int64 shape, int64 strides, int64 offset
 *     pickle     the object; a tensor is a persistent id: its number, written as text
 *
 * Ids are addresses in the writing process. All that is not called a number here is a pickle.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/checkpoint.h"
#include "model/le.h"
#include "model/tar.h"

#define SMALL 1024 /* more than the pickle of three values takes */
#define MAX_COUNT 100000 /* of storages and of tensors; resnet152 has 777 */

/** A storage or a view of one. */
struct entry {
    struct firn_pickled_storage storage; /* first: find_storage() is given its address */
    int64_t id;
    size_t index; /* in weights->storage */
};

struct tensor {
    int64_t id;
    struct firn_pickled_tensor tensor;
};

struct archive {
    struct firn_weights *weights;
    struct firn_error *err;
    struct firn_tar tar;
    struct entry *entry; /* by id, once all are read */
    size_t n_entry;
    struct tensor *tensor; /* by id, once all are read */
    size_t n_tensor;
};

static int refuse(struct archive *a, const char *reason)
{
    return firn_fail(a->err, FIRN_DATA, "%s: tar form of torch.save(): %s",
                     a->weights->file.path, reason);
}

/** No tensor is known yet, or belongs there. */
static struct firn_pickled_tensor *find_none(void *context, const struct firn_value *id)
{
    (void)context;
    (void)id;
    return NULL;
}

static const struct firn_pickle_ids no_ids = {find_none, NULL};

/** Reads the pickle at *pos, of at most `limit` bytes and not beyond `end`; moves *pos behind. */
static int pickle_at(struct archive *a, uint64_t *pos, uint64_t end, size_t limit,
                     const struct firn_pickle_ids *ids, const struct firn_value **root)
{
    struct firn_weights *w = a->weights;
    size_t n = end - *pos < limit ? (size_t)(end - *pos) : limit;
    struct firn_pickle pickle;
    *root = NULL;
    uint8_t *bytes = malloc(n + 1);
    if (!bytes)
        return firn_fail_nomem(a->err, "a pickle");
    int rc = firn_weight_file_read(&w->file, *pos, bytes, n, a->err);
    if (rc == 0)
        rc = firn_pickle_read(&pickle, bytes, n, &w->pool, ids, w->file.path, a->err);
    free(bytes);
    if (rc)
        return rc;
    *root = pickle.root;
    *pos += pickle.size;
    return 0;
}

/** The count that begins a member; each thing counted takes at least `least` bytes of it. */
static int read_count(struct archive *a, uint64_t *pos, uint64_t end, size_t least, size_t *count)
{
    const struct firn_value *value;
    int rc = pickle_at(a, pos, end, SMALL, &no_ids, &value);
    if (rc)
        return rc;
    if (value->kind != FIRN_INTEGER || value->integer < 0 || value->integer > MAX_COUNT ||
        (uint64_t)value->integer > (end - *pos) / least)
        return refuse(a, "a count that cannot be");
    *count = (size_t)value->integer;
    a->weights->pool.limit += firn_pickle_memory(*count * 128);
    return 0;
}

/** The items of a tuple of `n` values. */
static const struct firn_value *const *items(const struct firn_value *value, size_t n)
{
    bool fits = value->kind == FIRN_TUPLE && value->list.n == n;
    return fits ? (const struct firn_value *const *)value->list.item : NULL;
}

static int read_storage(struct archive *a, uint64_t *pos, uint64_t end)
{
    struct firn_weights *w = a->weights;
    const struct firn_value *value;
    int rc = pickle_at(a, pos, end, SMALL, &no_ids, &value);
    if (rc)
        return rc;
    const struct firn_value *const *item = items(value, 3);
    enum firn_dtype dtype;
    if (!item || item[0]->kind != FIRN_INTEGER || !firn_pickle_dtype(item[2], &dtype))
        return refuse(a, "a storage that is malformed");
    uint8_t field[8];
    rc = firn_weight_file_read(&w->file, *pos, field, sizeof field, a->err);
    if (rc)
        return rc;
    uint64_t count = firn_le64(field), size = firn_dtype_size(dtype);
    if (end - *pos < sizeof field || count > (end - *pos - sizeof field) / size)
        return refuse(a, "a storage that goes on beyond its member");
    *pos += sizeof field;
    a->entry[a->n_entry++] = (struct entry){
        .storage = {.dtype = dtype, .count = (int64_t)count},
        .id = item[0]->integer, .index = w->n_storage};
    w->storage[w->n_storage++] = (struct firn_storage){.pos = *pos, .size = count * size};
    *pos += count * size;
    return 0;
}

static int entry_by_id(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int tensor_by_id(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static struct entry *find_entry(const struct archive *a, size_t n, int64_t id)
{
    struct entry key = {.id = id};
    return bsearch(&key, a->entry, n, sizeof key, entry_by_id);
}

/** Adds a view of one of the first `roots` entries, which are sorted. */
static int add_view(struct archive *a, size_t roots, const struct firn_value *value)
{
    const struct firn_value *const *item = items(value, 4);
    for (int i = 0; item && i < 4; i++)
        item = item[i]->kind == FIRN_INTEGER ? item : NULL;
    const struct entry *root = item ? find_entry(a, roots, item[1]->integer) : NULL;
    if (!root)
        return refuse(a, "a storage view that is malformed");
    int64_t offset = item[2]->integer, count = item[3]->integer;
    if (offset < 0 || count < 0 || offset > root->storage.count ||
        count > root->storage.count - offset)
        return refuse(a, "a storage view outside its storage");
    struct entry *view = &a->entry[a->n_entry++];
    *view = *root;
    view->id = item[0]->integer;
    view->storage.offset = offset;
    return 0;
}

/** The list of views at the end of the storages. */
static int read_views(struct archive *a, uint64_t *pos, uint64_t end)
{
    const struct firn_value *list;
    size_t roots = a->n_entry;
    a->weights->pool.limit += firn_pickle_memory(
        end - *pos < FIRN_MAX_PICKLE ? (size_t)(end - *pos) : FIRN_MAX_PICKLE);
    int rc = pickle_at(a, pos, end, FIRN_MAX_PICKLE, &no_ids, &list);
    if (rc)
        return rc;
    if (list->kind != FIRN_LIST)
        return refuse(a, "storage views that are not a list");
    struct entry *all = firn_pool_alloc(&a->weights->pool,
                                        (roots + list->list.n) * sizeof *all);
    if (!all)
        return firn_fail_nomem(a->err, "the list of storages");
    if (roots)
        memcpy(all, a->entry, roots * sizeof *all);
    a->entry = all;
    qsort(a->entry, roots, sizeof *all, entry_by_id);
    for (size_t i = 0; rc == 0 && i < list->list.n; i++)
        rc = add_view(a, roots, list->list.item[i]);
    qsort(a->entry, a->n_entry, sizeof *all, entry_by_id);
    for (size_t i = 1; rc == 0 && i < a->n_entry; i++)
        if (a->entry[i - 1].id == a->entry[i].id)
            rc = refuse(a, "two storages of one id");
    return rc;
}

static int read_storages(struct archive *a, const struct firn_tar_member *m)
{
    struct firn_weights *w = a->weights;
    uint64_t pos = m->pos, end = m->pos + m->size;
    size_t count;
    int rc = read_count(a, &pos, end, 16, &count);
    if (rc)
        return rc;
    w->pool.limit += count * (sizeof *w->storage + sizeof *a->entry);
    w->storage = firn_pool_alloc(&w->pool, count * sizeof *w->storage);
    a->entry = firn_pool_alloc(&w->pool, count * sizeof *a->entry);
    if (!w->storage || !a->entry)
        return firn_fail_nomem(a->err, "the list of storages");
    while (rc == 0 && w->n_storage < count)
        rc = read_storage(a, &pos, end);
    if (rc == 0)
        rc = read_views(a, &pos, end);
    if (rc == 0 && pos != end)
        rc = refuse(a, "bytes behind the last storage");
    return rc;
}

/** The numbers behind a tensor's pickle. */
static int read_shape(struct archive *a, struct firn_pickled_tensor *t, uint64_t *pos,
                      uint64_t end)
{
    uint8_t fields[8 + 8 * (2 * FIRN_MAX_NDIM + 1)];
    const struct firn_weight_file *file = &a->weights->file;
    int rc = firn_weight_file_read(file, *pos, fields, 8, a->err);
    if (rc)
        return rc;
    uint32_t ndim = firn_le32(fields);
    if (ndim > FIRN_MAX_NDIM)
        return refuse(a, "a tensor of too many dimensions");
    size_t size = 8 * (2 * (size_t)ndim + 1);
    if (end - *pos < 8 + size)
        return refuse(a, "a tensor that goes on beyond its member");
    rc = firn_weight_file_read(file, *pos + 8, fields, size, a->err);
    if (rc)
        return rc;
    t->ndim = (int)ndim;
    for (uint32_t i = 0; i < ndim; i++) {
        t->shape[i] = (int64_t)firn_le64(fields + 8 * i);
        t->stride[i] = (int64_t)firn_le64(fields + 8 * (ndim + i));
    }
    t->offset = (int64_t)firn_le64(fields + 16 * ndim);
    *pos += 8 + size;
    return 0;
}

static int read_tensor(struct archive *a, uint64_t *pos, uint64_t end)
{
    const struct firn_value *value;
    int rc = pickle_at(a, pos, end, SMALL, &no_ids, &value);
    if (rc)
        return rc;
    const struct firn_value *const *item = items(value, 3);
    if (!item || item[0]->kind != FIRN_INTEGER)
        return refuse(a, "a tensor that is malformed");
    struct tensor *t = &a->tensor[a->n_tensor++];
    t->id = item[0]->integer;
    rc = read_shape(a, &t->tensor, pos, end);
    if (rc)
        return rc;
    if (item[1]->kind == FIRN_NONE) /* an empty tensor has no storage; nor has it a use */
        return 0;
    const struct entry *e = item[1]->kind == FIRN_INTEGER
                                ? find_entry(a, a->n_entry, item[1]->integer) : NULL;
    if (!e)
        return refuse(a, "a tensor without its storage");
    t->tensor.storage = &e->storage;
    return 0;
}

static int read_tensors(struct archive *a, const struct firn_tar_member *m)
{
    struct firn_weights *w = a->weights;
    uint64_t pos = m->pos, end = m->pos + m->size;
    size_t count;
    int rc = read_count(a, &pos, end, 24, &count);
    if (rc)
        return rc;
    w->pool.limit += count * sizeof *a->tensor;
    a->tensor = firn_pool_alloc(&w->pool, count * sizeof *a->tensor);
    if (!a->tensor)
        return firn_fail_nomem(a->err, "the list of tensors");
    while (rc == 0 && a->n_tensor < count)
        rc = read_tensor(a, &pos, end);
    if (rc == 0 && pos != end)
        rc = refuse(a, "bytes behind the last tensor");
    qsort(a->tensor, a->n_tensor, sizeof *a->tensor, tensor_by_id);
    for (size_t i = 1; rc == 0 && i < a->n_tensor; i++)
        if (a->tensor[i - 1].id == a->tensor[i].id)
            rc = refuse(a, "two tensors of one id");
    return rc;
}

/** Persistent ids are numbers written as text. */
static struct firn_pickled_tensor *find_tensor(void *context, const struct firn_value *id)
{
    const struct archive *a = context;
    if (id->kind != FIRN_TEXT || id->text.size == 0 || id->text.size > 20)
        return NULL;
    char *end;
    struct tensor key = {.id = strtoll(id->text.bytes, &end, 10)};
    if (end != id->text.bytes + id->text.size)
        return NULL;
    struct tensor *found = bsearch(&key, a->tensor, a->n_tensor, sizeof key, tensor_by_id);
    return found && found->tensor.storage ? &found->tensor : NULL;
}

static int find_storage(void *context, const struct firn_pickled_storage *s, size_t *index,
                        struct firn_error *err)
{
    (void)context;
    (void)err;
    *index = ((const struct entry *)s)->index;
    return 0;
}

static int read_object(struct archive *a, const struct firn_tar_member *m)
{
    const struct firn_pickle_ids ids = {find_tensor, a};
    const struct firn_value *root;
    uint64_t pos = m->pos, end = m->pos + m->size;
    if (m->size > FIRN_MAX_PICKLE)
        return refuse(a, "a pickle that is larger than a weight file's");
    a->weights->pool.limit += firn_pickle_memory((size_t)m->size);
    int rc = pickle_at(a, &pos, end, FIRN_MAX_PICKLE, &ids, &root);
    if (rc)
        return rc;
    if (pos != end)
        return refuse(a, "bytes behind the pickle");
    return firn_checkpoint_tensors(a->weights, root, find_storage, a, a->err);
}

/** sys_info: this machine and the writing one have the same byte order. */
static int check_system(struct archive *a, const struct firn_tar_member *m)
{
    const struct firn_value *info;
    uint64_t pos = m->pos;
    int rc = pickle_at(a, &pos, m->pos + m->size, SMALL, &no_ids, &info);
    if (rc)
        return rc;
    const struct firn_value *little = firn_value_get(info, "little_endian");
    if (!little || little->kind != FIRN_TRUTH || !little->integer)
        return refuse(a, "its numbers are not little-endian");
    return 0;
}

int firn_read_torch_tar(struct firn_weights *w, struct firn_error *err)
{
    struct archive a = {.weights = w, .err = err};
    w->format = "torch-tar";
    w->pool.limit = firn_pickle_memory(4 * SMALL);
    int rc = firn_tar_read(&a.tar, &w->file, err);
    if (rc)
        return rc;
    const struct firn_tar_member *system = firn_tar_find(&a.tar, "sys_info");
    const struct firn_tar_member *storages = firn_tar_find(&a.tar, "storages");
    const struct firn_tar_member *tensors = firn_tar_find(&a.tar, "tensors");
    const struct firn_tar_member *object = firn_tar_find(&a.tar, "pickle");
    if (!system || !storages || !tensors || !object || a.tar.n != 4)
        return firn_fail(err, FIRN_DATA, "%s: a tar archive, but not one that torch.save() made",
                         w->file.path);
    rc = check_system(&a, system);
    if (rc == 0)
        rc = read_storages(&a, storages);
    if (rc == 0)
        rc = read_tensors(&a, tensors);
    return rc ? rc : read_object(&a, object);
}
