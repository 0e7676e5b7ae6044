/* SPDX-License-Identifier: MIT */
#include "cache/roll.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void firn_roll_fini(struct firn_roll *roll)
{
    free(roll->key);
    free(roll->block);
    memset(roll, 0, sizeof *roll);
}

void firn_roll_clear(struct firn_roll *roll)
{
    roll->n = roll->n_block = roll->next = 0;
    roll->sorted = false;
}

int firn_roll_add(struct firn_roll *roll, const uint8_t *keys, uint32_t count)
{
    if (count > roll->room - roll->n) {
        size_t room = roll->room * 2 + count;
        void *p = realloc(roll->key, room * sizeof *roll->key);
        if (!p)
            return -1;
        roll->key = p;
        roll->room = room;
    }
    if (roll->n_block == roll->block_room) {
        size_t room = roll->block_room ? roll->block_room * 2 : 16;
        void *p = realloc(roll->block, room * sizeof *roll->block);
        if (!p)
            return -1;
        roll->block = p;
        roll->block_room = room;
    }
    memcpy(roll->key + roll->n, keys, count * sizeof *roll->key);
    roll->block[roll->n_block++] = (struct firn_roll_block){
        firn_checksum(keys, count * sizeof *roll->key), count, roll->n};
    roll->n += count;
    roll->sorted = false;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct firn_roll_block *x = a, *y = b;
    if (x->sum != y->sum)
        return x->sum < y->sum ? -1 : 1;
    return (x->count > y->count) - (x->count < y->count);
}

const uint8_t *firn_roll_find(struct firn_roll *roll, uint64_t sum, uint32_t count)
{
    const struct firn_roll_block *found, wanted = {.sum = sum, .count = count};
    if (roll->n_block == 0)
        return NULL;
    if (!roll->sorted)
        qsort(roll->block, roll->n_block, sizeof *roll->block, compare);
    roll->sorted = true;
    found = bsearch(&wanted, roll->block, roll->n_block, sizeof *roll->block, compare);
    return found ? roll->key[found->first] : NULL;
}
