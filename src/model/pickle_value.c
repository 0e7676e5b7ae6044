/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model/pickle.h"

struct firn_value *firn_value_new(struct firn_pool *pool, enum firn_kind kind)
{
    struct firn_value *value = firn_pool_alloc(pool, sizeof *value);
    if (value)
        value->kind = kind;
    return value;
}

int firn_value_append(struct firn_value *list, const struct firn_value *item,
                      struct firn_pool *pool)
{
    if (list->list.n == list->list.room) {
        size_t room = list->list.room ? 2 * list->list.room : 4;
        const struct firn_value **bigger = firn_pool_alloc(pool, room * sizeof *bigger);
        if (!bigger)
            return -1;
        if (list->list.n)
            memcpy(bigger, list->list.item, list->list.n * sizeof *bigger);
        list->list.item = bigger;
        list->list.room = room;
    }
    list->list.item[list->list.n++] = item;
    return 0;
}

bool firn_value_is(const struct firn_value *value, const char *text)
{
    return value->kind == FIRN_TEXT && value->text.size == strlen(text) &&
           memcmp(value->text.bytes, text, value->text.size) == 0;
}

const struct firn_value *firn_value_get(const struct firn_value *dict, const char *key)
{
    for (size_t i = 0; dict->kind == FIRN_DICT && i + 1 < dict->list.n; i += 2)
        if (firn_value_is(dict->list.item[i], key))
            return dict->list.item[i + 1];
    return NULL;
}
