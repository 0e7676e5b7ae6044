/* SPDX-License-Identifier: MIT */
#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/le.h"

static int by_name(const void *a, const void *b)
{
    const struct firn_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int sort_tensors(struct firn_weights *w, struct firn_error *err)
{
    qsort(w->tensor, w->n_tensor, sizeof *w->tensor, by_name);
    for (size_t i = 1; i < w->n_tensor; i++) {
        const char *name = w->tensor[i].name;
        char text[120];
        if (strcmp(w->tensor[i - 1].name, name) == 0)
            return firn_fail(err, FIRN_DATA, "%s: tensor %s occurs twice", w->file.path,
                             firn_printable(name, strlen(name), text, sizeof text));
    }
    return 0;
}

/** Chooses by content, as torch.load() does; a name's ending decides nothing. */
static int read_any(struct firn_weights *w, struct firn_error *err)
{
    uint8_t head[512] = {0};
    size_t n = w->file.size < sizeof head ? (size_t)w->file.size : sizeof head;
    int rc = firn_weight_file_read(&w->file, 0, head, n, err);
    if (rc)
        return rc;
    if (n >= 4 && memcmp(head, "PK\3\4", 4) == 0)
        return firn_read_torch_zip(w, err);
    /* A header length, which may begin with a pickle's 0x80, has zeros where a pickle has none. */
    if (n >= 9 && head[8] == '{' && firn_le32(head + 4) == 0)
        return firn_read_safetensors(w, err);
    if (n >= 2 && head[0] == 0x80)
        return firn_read_torch_legacy(w, err);
    if (n == sizeof head && memcmp(head + 257, "ustar", 5) == 0)
        return firn_read_torch_tar(w, err);
    return firn_fail(err, FIRN_DATA, "%s: neither a .pth of torch.save() nor a .safetensors file",
                     w->file.path);
}

int firn_weights_open(struct firn_weights *w, const char *path, struct firn_error *err)
{
    memset(w, 0, sizeof *w);
    int rc = firn_weight_file_open(&w->file, path, err);
    if (rc)
        return rc;
    rc = read_any(w, err);
    if (rc == 0)
        rc = sort_tensors(w, err);
    if (rc)
        firn_weights_close(w);
    return rc;
}

void firn_weights_close(struct firn_weights *w)
{
    firn_weight_file_close(&w->file);
    firn_pool_free(&w->pool);
    w->n_tensor = w->n_storage = 0;
}

const struct firn_tensor *firn_weights_find(const struct firn_weights *w, const char *name)
{
    struct firn_tensor key = {.name = name};
    return bsearch(&key, w->tensor, w->n_tensor, sizeof key, by_name);
}

const char *firn_weights_meta(const struct firn_weights *w, const char *key)
{
    for (size_t i = 0; i < w->n_meta; i++)
        if (strcmp(w->meta[i].key, key) == 0)
            return w->meta[i].value;
    return "";
}
