/* SPDX-License-Identifier: MIT */
#include "cache/order.h"

/* The code point at p (n > 0 bytes) and its length; bytes that are not UTF-8 as surrogates. */
static uint32_t decode(const unsigned char *p, size_t n, size_t *length)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    uint32_t c = p[0];
    *length = 1;
    if (size == 1)
        return c;
    if (p[0] < 0xC2 || p[0] > 0xF4 || size > n)
        return 0xDC00u + p[0];
    c &= 0x7Fu >> size;
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0xDC00u + p[0];
        c = c << 6 | (p[i] & 0x3F);
    }
    if (c < least[size] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0xDC00u + p[0];
    *length = size;
    return c;
}

static int compare_code_points(const unsigned char *a, size_t n, const unsigned char *b, size_t m)
{
    while (n > 0 && m > 0) {
        size_t i, k;
        uint32_t x = decode(a, n, &i), y = decode(b, m, &k);
        if (x != y)
            return x < y ? -1 : 1;
        a += i;
        n -= i;
        b += k;
        m -= k;
    }
    return (n > 0) - (m > 0);
}

int firn_compare_text(const char *a, size_t n, const char *b, size_t m)
{
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    size_t least = n < m ? n : m, i = 0;
    while (i < least && x[i] == y[i])
        i++;
    if (i == least)
        return (n > m) - (n < m);
    if (x[i] < 0x80 && y[i] < 0x80)
        return x[i] < y[i] ? -1 : 1;
    return compare_code_points(x, n, y, m);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the class names of all roots and drops the doubles. */
static int unite_classes(struct firn_order *order, const struct firn_index *index)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < index->n_root; i++)
        n += index->root[i].n_classes;
    order->classes = calloc(n + 1, sizeof *order->classes);
    if (!order->classes)
        return -1;
    n = 0;
    for (size_t i = 0; i < index->n_root; i++)
        for (size_t k = 0; k < index->root[i].n_classes; k++)
            order->classes[n++] = index->root[i].classes[k];
    if (n > 1)
        qsort(order->classes, n, sizeof *order->classes, compare_names);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(order->classes[kept - 1], order->classes[i]) != 0)
            order->classes[kept++] = order->classes[i];
    order->classes[kept] = NULL;
    order->n_classes = kept;
    return 0;
}

int firn_order_compare(const void *a, const void *b)
{
    const struct firn_order_key *x = a, *y = b;
    if (x->photo.label != y->photo.label)
        return x->photo.label < y->photo.label ? -1 : 1;
    if (x->root != y->root)
        return x->root < y->root ? -1 : 1;
    int c = firn_compare_text(x->name, x->dir, y->name, y->dir);
    return c ? c
             : firn_compare_text(x->name + x->dir, x->size - x->dir, y->name + y->dir,
                                 y->size - y->dir);
}

/* The class of an entry: its first directory, when the root calls that a class. */
static void label_entry(const struct firn_order *order, const struct firn_index *index,
                        const struct firn_entry *e, struct firn_ordered *photo)
{
    const struct firn_root *root = e->root < index->n_root ? index->root + e->root : NULL;
    const char *slash = strchr(e->name, '/');
    photo->label = -1;
    photo->class_name = NULL;
    if (!root || root->n_classes == 0 || !slash || slash - e->name > 255)
        return;
    char first[256], *name = first;
    memcpy(first, e->name, (size_t)(slash - e->name));
    first[slash - e->name] = 0;
    const char **mine = bsearch(&name, root->classes, root->n_classes, sizeof name, compare_names);
    const char **all = bsearch(&name, order->classes, order->n_classes, sizeof name, compare_names);
    if (!mine || !all)
        return;
    photo->label = (int)(all - order->classes);
    photo->class_name = *all;
}

static const char *root_path(const struct firn_index *index, size_t i)
{
    return i < index->n_root && index->root[i].path ? index->root[i].path : "";
}

struct ranked {
    const char *path;
    size_t root;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int c = firn_compare_text(x->path, strlen(x->path), y->path, strlen(y->path));
    return c ? c : (x->root > y->root) - (x->root < y->root);
}

/* How many roots sort before each. They are few, but a made-up cache may number a million. */
static int rank_roots(struct firn_order *order, const struct firn_index *index)
{
    struct ranked *sorted = malloc((index->n_root + 1) * sizeof *sorted);
    if (!sorted)
        return -1;
    for (size_t i = 0; i < index->n_root; i++)
        sorted[i] = (struct ranked){root_path(index, i), i};
    if (index->n_root > 1)
        qsort(sorted, index->n_root, sizeof *sorted, compare_ranked);
    for (size_t i = 0; i < index->n_root; i++)
        order->rank[sorted[i].root] = (uint32_t)i;
    free(sorted);
    return 0;
}

void firn_order_key(const struct firn_order *order, const struct firn_index *index,
                    const struct firn_entry *e, struct firn_order_key *key)
{
    const char *slash = strrchr(e->name, '/');
    key->photo.entry = UINT32_MAX;
    key->root = e->root < index->n_root ? order->rank[e->root] : UINT32_MAX;
    key->dir = slash ? (uint32_t)(slash - e->name) : 0;
    key->name = e->name;
    key->size = e->name_size;
    label_entry(order, index, e, &key->photo);
}

int firn_order_init(struct firn_order *order, const struct firn_index *index)
{
    memset(order, 0, sizeof *order);
    struct firn_order_key *key = calloc(index->n_entry + 1, sizeof *key);
    order->rank = calloc(index->n_root + 1, sizeof *order->rank);
    order->photo = calloc(index->n_entry + 1, sizeof *order->photo);
    int result = key && order->rank && order->photo ? unite_classes(order, index) : -1;
    if (result == 0)
        result = rank_roots(order, index);
    if (result == 0) {
        for (size_t i = 0; i < index->n_entry; i++) {
            firn_order_key(order, index, index->entry + i, key + i);
            key[i].photo.entry = (uint32_t)i;
        }
        if (index->n_entry > 1)
            qsort(key, index->n_entry, sizeof *key, firn_order_compare);
        for (size_t i = 0; i < index->n_entry; i++)
            order->photo[i] = key[i].photo;
    } else {
        firn_order_fini(order);
    }
    free(key);
    return result;
}

void firn_order_fini(struct firn_order *order)
{
    free(order->photo);
    free(order->classes);
    free(order->rank);
    memset(order, 0, sizeof *order);
}
