/* SPDX-License-Identifier: MIT */
#include "model/model_hash.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "hashed as they lie in memory");

static void hash_param(struct firn_hasher *hasher, const struct firn_param *p)
{
    char line[128];
    int n = snprintf(line, sizeof line, "%s", p->name);
    for (int i = 0; i < p->ndim; i++)
        n += snprintf(line + n, sizeof line - (size_t)n, " %d", p->shape[i]);
    line[n++] = '\n';
    firn_hash_update(hasher, line, (size_t)n);
    firn_hash_update(hasher, p->data, p->count * sizeof(float));
}

static void finish(struct firn_hasher *hasher, char text[65])
{
    uint8_t digest[FIRN_HASH_SIZE];
    firn_hash_final(hasher, digest);
    firn_hex(digest, sizeof digest, text);
}

void firn_network_hash(const struct firn_network *w, char trunk[65], char batchnorm[65])
{
    struct firn_hasher of_trunk, of_batchnorm;
    firn_hash_init(&of_trunk);
    firn_hash_init(&of_batchnorm);
    for (int i = 0; i < w->n_param; i++) {
        enum firn_role role = w->param[i].role;
        bool statistics = role == FIRN_MEAN || role == FIRN_VAR;
        if (statistics || trunk)
            hash_param(statistics ? &of_batchnorm : &of_trunk, &w->param[i]);
    }
    if (trunk)
        finish(&of_trunk, trunk);
    finish(&of_batchnorm, batchnorm);
}
