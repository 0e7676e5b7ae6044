/* SPDX-License-Identifier: MIT */
/** Classes, labels, and the order of torchvision's ImageFolder. */
#ifndef FIRN_SRC_CACHE_ORDER_H
#define FIRN_SRC_CACHE_ORDER_H

#include "cache/index.h"

/** A photograph in its place. */
struct firn_ordered {
    uint32_t entry;         /* index into the index's entry[] */
    int label;              /* -1: no class */
    const char *class_name; /* NULL: no class */
};

struct firn_order {
    struct firn_ordered *photo; /* as many as the index has entries */
    const char **classes;       /* sorted union over all roots; strings live in the index */
    size_t n_classes;
    uint32_t *rank;             /* of each root among their paths */
};

/** What the order is by. The name is the entry's. */
struct firn_order_key {
    struct firn_ordered photo;
    uint32_t root;    /* rank of its path */
    uint32_t dir;     /* bytes of the name before the last slash */
    const char *name;
    uint32_t size;
};

/** The key of an entry that may be of the index or not; its roots are. */
void firn_order_key(const struct firn_order *order, const struct firn_index *index,
                    const struct firn_entry *entry, struct firn_order_key *key);
/** As for qsort(); 0 only for the same name under the same root. */
int firn_order_compare(const void *a, const void *b);

/** 0, or -1 when memory is out. The index must outlive it and stay as it is. */
int firn_order_init(struct firn_order *order, const struct firn_index *index);
void firn_order_fini(struct firn_order *order);

/**
 * As Python compares file names: by code point, where a byte that is not UTF-8 counts as
 * U+DC00 + byte (surrogateescape). For UTF-8 this is the order of bytes.
 */
int firn_compare_text(const char *a, size_t n, const char *b, size_t m);

#endif
