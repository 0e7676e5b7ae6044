/* SPDX-License-Identifier: MIT */
#include "model/model_hash.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/ring.h"
#include "base/thread.h"

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

/* Of a trunk and of its statistics. */
struct sums {
    struct firn_hasher trunk, batchnorm;
};

static void begin(struct sums *s)
{
    firn_hash_init(&s->trunk);
    firn_hash_init(&s->batchnorm);
}

static void add(struct sums *s, const struct firn_param *p)
{
    bool statistics = p->role == FIRN_MEAN || p->role == FIRN_VAR;
    hash_param(statistics ? &s->batchnorm : &s->trunk, p);
}

void firn_network_hash(const struct firn_network *w, char trunk[65], char batchnorm[65])
{
    struct sums sums;
    begin(&sums);
    for (int i = 0; i < w->n_param; i++) {
        enum firn_role role = w->param[i].role;
        if (trunk || role == FIRN_MEAN || role == FIRN_VAR)
            add(&sums, &w->param[i]);
    }
    if (trunk)
        finish(&sums.trunk, trunk);
    finish(&sums.batchnorm, batchnorm);
}

struct firn_network_hasher {
    struct sums sums;
    struct firn_ring *ring; /* parameters that are read */
    pthread_t thread;
    bool alone; /* has no thread */
};

static void *hash_all(void *arg)
{
    struct firn_network_hasher *h = arg;
    const struct firn_param *p;
    while ((p = firn_ring_pop(h->ring)))
        add(&h->sums, p);
    return NULL;
}

int firn_network_hasher_create(struct firn_network_hasher **out, struct firn_error *err)
{
    struct firn_network_hasher *h = calloc(1, sizeof *h);
    *out = h;
    if (h)
        h->ring = firn_ring_create(FIRN_MAX_PARAMS, 1);
    if (!h || !h->ring) {
        free(h);
        *out = NULL;
        return firn_fail_nomem(err, "the hash of a model");
    }
    begin(&h->sums);
    h->alone = firn_thread_start(&h->thread, "firn-hash", hash_all, h) != 0;
    return 0;
}

void firn_network_hasher_add(struct firn_network_hasher *h, struct firn_param *p)
{
    firn_ring_push(h->ring, p);
}

void firn_network_hasher_finish(struct firn_network_hasher *h, char trunk[65], char batchnorm[65])
{
    firn_ring_close(h->ring);
    if (h->alone)
        hash_all(h);
    else
        pthread_join(h->thread, NULL);
    finish(&h->sums.trunk, trunk);
    finish(&h->sums.batchnorm, batchnorm);
    firn_ring_destroy(h->ring);
    free(h);
}
