/* SPDX-License-Identifier: MIT */
#include "pipeline/classes.h"

#include <stdio.h>
#include <stdlib.h>

bool firn_classes_hold(struct firn_scan_root *root, struct firn_writer *writer,
                       char sub[NAME_MAX + 1])
{
    uint32_t id;
    if (root->n_classes == 0 || root->ignored == 0 ||
        !firn_writer_knows_root(writer, root->path, &id) || !firn_writer_is_flat(writer, id))
        return false;
    snprintf(sub, NAME_MAX + 1, "%s", root->classes[0]);
    for (size_t i = 0; i < root->n_classes; i++)
        free(root->classes[i]);
    root->n_classes = root->ignored = 0;
    return true;
}

bool firn_classes_shift(const struct firn_scan_root *root, struct firn_writer *writer,
                        char news[1024])
{
    size_t which, was;
    size_t n = firn_writer_renumbers(writer, root->path, (const char *const *)root->classes,
                                     root->n_classes, &which, &was);
    if (n)
        snprintf(news, 1024, "%.500s: classes are numbered by name, and %zu get%s another number "
                 "(%.100s: %zu, was %zu): labels exported before do not fit those exported from "
                 "now on", root->path, n, n == 1 ? "s" : "", root->classes[which], which, was);
    return n > 0;
}
