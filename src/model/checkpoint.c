/* SPDX-License-Identifier: MIT */
#include "model/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "model/tensors.h"

/** Names under which training programs keep the weights, the most telling first. */
static const char *const wrappers[] = {
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights",
};

static size_t count_tensors(const struct firn_value *dict)
{
    size_t count = 0;
    for (size_t i = 0; dict->kind == FIRN_DICT && i + 1 < dict->list.n; i += 2)
        count += dict->list.item[i]->kind == FIRN_TEXT &&
                 dict->list.item[i + 1]->kind == FIRN_VIEW;
    return count;
}

/** The dict of tensors in `value`, at most `depth` wrappers deep; NULL if there is none. */
static const struct firn_value *unwrap(const struct firn_value *value, int depth)
{
    if (count_tensors(value) > 0)
        return value;
    for (size_t i = 0; depth > 0 && i < sizeof wrappers / sizeof *wrappers; i++) {
        const struct firn_value *inner = firn_value_get(value, wrappers[i]);
        const struct firn_value *found = inner ? unwrap(inner, depth - 1) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

/** The refusal of a pickle without tensors: what it has instead. */
static int refuse_empty(const struct firn_weights *w, const struct firn_value *root,
                        struct firn_error *err)
{
    char keys[300] = "";
    size_t n = 0;
    for (size_t i = 0; root->kind == FIRN_DICT && i < root->list.n && n < sizeof keys; i += 2) {
        const struct firn_value *key = root->list.item[i];
        char name[60] = "?";
        if (key->kind == FIRN_TEXT)
            firn_printable(key->text.bytes, key->text.size, name, sizeof name);
        n += (size_t)snprintf(keys + n, sizeof keys - n, "%s%s", i ? ", " : "", name);
    }
    return firn_fail(err, FIRN_DATA, "%s: no tensors where a state_dict has them (found: %s); "
                     "save it with torch.save(model.state_dict(), FILE)", w->file.path,
                     *keys ? keys : "no dict");
}

static int add_tensor(struct firn_weights *w, const struct firn_value *key,
                      const struct firn_pickled_tensor *from, firn_storage_finder *find,
                      void *context, struct firn_error *err)
{
    struct firn_tensor *t = &w->tensor[w->n_tensor];
    char name[120];
    firn_printable(key->text.bytes, key->text.size, name, sizeof name);
    if (memchr(key->text.bytes, 0, key->text.size))
        return firn_fail(err, FIRN_DATA, "%s: tensor %s has zero bytes in its name", w->file.path,
                         name);
    if (!from)
        return firn_fail(err, FIRN_DATA, "%s: parameter %s has no tensor", w->file.path, name);
    t->name = key->text.bytes;
    t->dtype = from->storage->dtype;
    t->ndim = from->ndim;
    memcpy(t->shape, from->shape, sizeof t->shape);
    memcpy(t->stride, from->stride, sizeof t->stride);
    if (__builtin_add_overflow(from->offset, from->storage->offset, &t->offset))
        return firn_fail(err, FIRN_DATA, "%s: tensor %s begins outside its storage", w->file.path,
                         name);
    int rc = find(context, from->storage, &t->storage, err);
    if (rc)
        return rc;
    w->n_tensor++;
    return firn_tensor_check(w, t, err);
}

int firn_checkpoint_tensors(struct firn_weights *w, const struct firn_value *root,
                            firn_storage_finder *find, void *context, struct firn_error *err)
{
    const struct firn_value *dict = unwrap(root, 2);
    if (!dict)
        return refuse_empty(w, root, err);
    w->tensor = firn_pool_alloc(&w->pool, count_tensors(dict) * sizeof *w->tensor);
    if (!w->tensor)
        return firn_fail_nomem(err, "the list of tensors");
    for (size_t i = 0; i + 1 < dict->list.n; i += 2) {
        const struct firn_value *key = dict->list.item[i], *value = dict->list.item[i + 1];
        if (key->kind != FIRN_TEXT || value->kind != FIRN_VIEW)
            continue; /* a count, a string: nothing the trunk needs */
        int rc = add_tensor(w, key, value->tensor, find, context, err);
        if (rc)
            return rc;
    }
    return 0;
}

size_t firn_pickle_memory(size_t n)
{
    /* Real files take 11 to 16 times their pickle: a value has 32 bytes, a place in a list 8. */
    return 32 * n + ((size_t)1 << 20);
}
