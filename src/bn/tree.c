/* SPDX-License-Identifier: MIT */
#include "bn/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "trunk/moments.h"

void firn_tree_init(struct firn_tree *t, enum firn_tree_kind kind, size_t width, uint64_t first)
{
    *t = (struct firn_tree){.kind = kind, .width = width, .next = first};
}

void firn_tree_free(struct firn_tree *t)
{
    for (int i = 0; i < FIRN_TREE_NODES; i++)
        free(t->node[i].x);
    *t = (struct firn_tree){0};
}

void firn_tree_clear(struct firn_tree *t, uint64_t first)
{
    t->n = 0;
    t->next = first;
}

double firn_tree_nothing(enum firn_tree_kind kind)
{
    return kind == FIRN_TREE_DECAY ? 1 : 0;
}

/* a = a then b. */
static void merge(const struct firn_tree *t, struct firn_tree_node *a,
                  const struct firn_tree_node *b)
{
    if (b->weight == firn_tree_nothing(t->kind))
        return;
    if (t->kind == FIRN_TREE_POOL)
        firn_moments_merge(a->weight, a->x, a->y, b->weight, b->x, b->y, t->width);
    double keep = t->kind == FIRN_TREE_DECAY ? b->weight : 1;
    for (size_t i = 0; t->kind != FIRN_TREE_POOL && i < t->width; i++) {
        a->x[i] = keep * a->x[i] + b->x[i];
        a->y[i] = keep * a->y[i] + b->y[i];
    }
    if (t->kind == FIRN_TREE_DECAY)
        a->weight *= b->weight;
    else
        a->weight += b->weight;
}

static void merge_siblings(struct firn_tree *t)
{
    while (t->n > 1) {
        struct firn_tree_node *a = &t->node[t->n - 2], *b = &t->node[t->n - 1];
        if (a->level != b->level || a->index % 2 || b->index != a->index + 1)
            return;
        merge(t, a, b);
        a->level++;
        a->index /= 2;
        t->n--;
    }
}

/* Room for one more node; NULL when memory is out. */
static struct firn_tree_node *add(struct firn_tree *t, struct firn_error *err)
{
    struct firn_tree_node *node = &t->node[t->n];
    if (t->n == FIRN_TREE_NODES) {
        firn_fail(err, FIRN_DATA, "too many parts");
        return NULL;
    }
    if (!node->x) {
        node->x = calloc(t->width ? t->width : 1, 2 * sizeof(double));
        if (!node->x) {
            firn_fail_nomem(err, "BatchNorm statistics");
            return NULL;
        }
        node->y = node->x + t->width;
    }
    t->n++;
    return node;
}

static void fill(const struct firn_tree *t, struct firn_tree_node *node, double weight,
                 const double *x, const double *y)
{
    size_t bytes = t->width * sizeof(double);
    node->weight = weight;
    if (!x) {
        memset(node->x, 0, 2 * bytes);
        return;
    }
    memcpy(node->x, x, bytes);
    memcpy(node->y, y, bytes);
}

int firn_tree_push(struct firn_tree *t, double weight, const double *x, const double *y,
                   struct firn_error *err)
{
    struct firn_tree_node *node = add(t, err);
    if (!node)
        return err ? -(int)err->code : -FIRN_NOMEM;
    node->level = 0;
    node->index = t->next++;
    fill(t, node, weight, x, y);
    merge_siblings(t);
    return 0;
}

int firn_tree_append(struct firn_tree *t, const struct firn_tree_node *from,
                     struct firn_error *err)
{
    if (from->level > 62 || from->index > UINT64_MAX >> 1 >> from->level ||
        from->index << from->level != t->next)
        return firn_fail(err, FIRN_DATA, "its parts do not follow each other");
    struct firn_tree_node *node = add(t, err);
    if (!node)
        return err ? -(int)err->code : -FIRN_NOMEM;
    node->level = from->level;
    node->index = from->index;
    fill(t, node, from->weight, from->x, from->y);
    t->next += (uint64_t)1 << from->level;
    merge_siblings(t);
    return 0;
}

int firn_tree_total(const struct firn_tree *t, double *weight, double *x, double *y,
                    struct firn_error *err)
{
    struct firn_tree_node all = {.weight = firn_tree_nothing(t->kind)}, left;
    size_t bytes = t->width * sizeof(double);
    double *memory = calloc(t->width ? t->width : 1, 2 * sizeof(double));
    if (!memory)
        return firn_fail_nomem(err, "BatchNorm statistics");
    all.x = x;
    all.y = y;
    memset(x, 0, bytes);
    memset(y, 0, bytes);
    for (int i = t->n; i-- > 0;) {
        left = (struct firn_tree_node){.weight = t->node[i].weight, .x = memory,
                                       .y = memory + t->width};
        memcpy(left.x, t->node[i].x, bytes);
        memcpy(left.y, t->node[i].y, bytes);
        merge(t, &left, &all);
        all.weight = left.weight;
        memcpy(x, left.x, bytes);
        memcpy(y, left.y, bytes);
    }
    *weight = all.weight;
    free(memory);
    return 0;
}
