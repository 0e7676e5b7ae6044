/* SPDX-License-Identifier: MIT */
/**
 * torch.save() since 1.6: a zip archive with one folder, NAME/data.pkl for the structure and
 * NAME/data/KEY for each storage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/checkpoint.h"
#include "model/crc32.h"
#include "model/zip.h"

#define PICKLE "/data.pkl"

struct archive {
    struct firn_weights *weights;
    struct firn_zip zip;
    size_t top; /* length of the folder's name */
};

/** The member TOP + `name`; NULL if there is none. */
static const struct firn_zip_member *find(const struct archive *a, const char *name)
{
    char path[700];
    if (a->top + strlen(name) >= sizeof path)
        return NULL;
    memcpy(path, a->zip.member[0].name, a->top);
    strcpy(path + a->top, name);
    return firn_zip_find(&a->zip, path);
}

/** All members lie in one folder, or the archive is not torch's. */
static int check_folder(struct archive *a, struct firn_error *err)
{
    const char *path = a->weights->file.path;
    if (a->zip.n == 0)
        return firn_fail(err, FIRN_DATA, "%s: an empty zip archive", path);
    const char *first = a->zip.member[0].name;
    a->top = strcspn(first, "/");
    for (size_t i = 0; i < a->zip.n; i++) {
        const char *name = a->zip.member[i].name;
        if (strncmp(name, first, a->top) != 0 || name[a->top] != '/')
            return firn_fail(err, FIRN_DATA, "%s: a zip archive, but not one that torch.save() "
                             "made: its members are not in one folder", path);
    }
    if (find(a, "/constants.pkl"))
        return firn_fail(err, FIRN_DATA, "%s: a TorchScript program (torch.jit.save()), which firn "
                         "does not run; save its state_dict with torch.save()", path);
    if (!find(a, PICKLE))
        return firn_fail(err, FIRN_DATA, "%s: a zip archive, but not one that torch.save() made: "
                         "it has no data.pkl", path);
    return 0;
}

/** Recent files say how their numbers are written; without a word it is little-endian. */
static int check_byte_order(struct archive *a, struct firn_error *err)
{
    const struct firn_weight_file *file = &a->weights->file;
    const struct firn_zip_member *m = find(a, "/byteorder");
    char order[8] = "";
    if (!m)
        return 0;
    int rc = m->size < sizeof order
                 ? firn_weight_file_read(file, m->pos, order, (size_t)m->size, err) : 0;
    if (rc == 0 && strcmp(order, "little") != 0)
        rc = firn_fail(err, FIRN_DATA, "%s: its numbers are not little-endian; save it again on a "
                       "little-endian machine", file->path);
    return rc;
}

static int find_storage(void *context, const struct firn_pickled_storage *s, size_t *index,
                        struct firn_error *err)
{
    struct archive *a = context;
    char name[200], key[80];
    firn_printable(s->key, strlen(s->key), key, sizeof key);
    snprintf(name, sizeof name, "/data/%s", s->key);
    const struct firn_zip_member *m = strlen(s->key) < 100 ? find(a, name) : NULL;
    if (!m)
        return firn_fail(err, FIRN_DATA, "%s: storage %s is not in the archive",
                         a->weights->file.path, key);
    size_t size = firn_dtype_size(s->dtype);
    if (m->size % size || (uint64_t)s->count != m->size / size)
        return firn_fail(err, FIRN_DATA, "%s: storage %s has %llu bytes, not %lld numbers of %s",
                         a->weights->file.path, key, (unsigned long long)m->size,
                         (long long)s->count, firn_dtype_name(s->dtype));
    *index = (size_t)(m - a->zip.member);
    return 0;
}

/** Storage i is zip member i, whether a tensor uses it or not. */
static int list_storages(struct archive *a, struct firn_error *err)
{
    struct firn_weights *w = a->weights;
    w->storage = firn_pool_alloc(&w->pool, a->zip.n * sizeof *w->storage);
    if (!w->storage)
        return firn_fail_nomem(err, "the list of storages");
    w->n_storage = a->zip.n;
    for (size_t i = 0; i < a->zip.n; i++) {
        const struct firn_zip_member *m = &a->zip.member[i];
        /* torch can be told to compute no CRC, and writes 0 for it then. */
        w->storage[i] = (struct firn_storage){
            .pos = m->pos, .size = m->size, .crc = m->crc, .has_crc = m->crc != 0};
    }
    return 0;
}

static int read_pickle(struct archive *a, uint8_t *bytes, size_t n, struct firn_error *err)
{
    struct firn_weights *w = a->weights;
    const struct firn_zip_member *m = find(a, PICKLE);
    int rc = firn_weight_file_read(&w->file, m->pos, bytes, n, err);
    if (rc)
        return rc;
    if (m->crc && firn_crc32(0, bytes, n) != m->crc)
        return firn_fail(err, FIRN_DATA, "%s: damaged: the checksum of data.pkl is wrong; download "
                         "or copy the file again", w->file.path);
    struct firn_pickle pickle;
    rc = firn_pickle_read(&pickle, bytes, n, &w->pool, NULL, w->file.path, err);
    if (rc)
        return rc;
    if (pickle.size != n)
        return firn_fail(err, FIRN_DATA, "%s: data.pkl has %zu bytes behind its pickle",
                         w->file.path, n - pickle.size);
    return firn_checkpoint_tensors(w, pickle.root, find_storage, a, err);
}

int firn_read_torch_zip(struct firn_weights *w, struct firn_error *err)
{
    struct archive a = {.weights = w};
    w->format = "torch-zip";
    int rc = firn_zip_read(&a.zip, &w->file, &w->pool, err);
    if (rc == 0)
        rc = check_folder(&a, err);
    if (rc == 0)
        rc = check_byte_order(&a, err);
    if (rc)
        return rc;
    uint64_t size = find(&a, PICKLE)->size;
    if (size > FIRN_MAX_PICKLE)
        return firn_fail(err, FIRN_DATA, "%s: data.pkl has %llu bytes; a weight file's has far "
                         "less than %zu", w->file.path, (unsigned long long)size, FIRN_MAX_PICKLE);
    w->pool.limit += firn_pickle_memory((size_t)size) + a.zip.n * sizeof *w->storage;
    rc = list_storages(&a, err);
    uint8_t *bytes = malloc((size_t)size + 1);
    if (rc == 0 && !bytes)
        rc = firn_fail_nomem(err, "data.pkl");
    if (rc == 0)
        rc = read_pickle(&a, bytes, (size_t)size, err);
    free(bytes);
    return rc;
}
