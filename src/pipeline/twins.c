/* SPDX-License-Identifier: MIT */
#include "pipeline/twins.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* Contents under way, or settled while twins have not asked yet. */
struct claim {
    uint8_t content[32];
    size_t twins; /* that have not asked */
    int fate;     /* FIRN_LIVE until settled */
    char reason[sizeof((struct firn_item *)0)->reason];
};

/* A few dozen claims of contents that differ in their first bytes: a list is as good as a table. */
struct firn_twins {
    pthread_mutex_t mutex;
    size_t n, room;
    struct claim claim[];
};

int firn_twins_create(struct firn_twins **out, size_t items, struct firn_error *err)
{
    struct firn_twins *t = malloc(sizeof *t + items * sizeof *t->claim);
    *out = t;
    if (!t)
        return firn_fail_nomem(err, "the photographs in work");
    t->n = 0;
    t->room = items;
    pthread_mutex_init(&t->mutex, NULL);
    return 0;
}

void firn_twins_destroy(struct firn_twins *t)
{
    if (t)
        pthread_mutex_destroy(&t->mutex);
    free(t);
}

static struct claim *find(struct firn_twins *t, const uint8_t content[32])
{
    for (size_t i = 0; i < t->n; i++)
        if (memcmp(t->claim[i].content, content, sizeof t->claim[i].content) == 0)
            return &t->claim[i];
    return NULL;
}

static void remove_claim(struct firn_twins *t, struct claim *claim)
{
    *claim = t->claim[--t->n];
}

bool firn_twins_claim(struct firn_twins *t, struct firn_item *item)
{
    pthread_mutex_lock(&t->mutex);
    struct claim *claim = find(t, item->content);
    if (claim) {
        claim->twins++;
    } else if (t->n < t->room) { /* always, but when the sink has failed and settles no more */
        t->claim[t->n] = (struct claim){.fate = FIRN_LIVE};
        memcpy(t->claim[t->n++].content, item->content, sizeof item->content);
    }
    pthread_mutex_unlock(&t->mutex);
    item->kin = claim ? FIRN_KIN_TWIN : FIRN_KIN_FIRST;
    return !claim;
}

void firn_twins_settle(struct firn_twins *t, const struct firn_item *first)
{
    pthread_mutex_lock(&t->mutex);
    struct claim *claim = find(t, first->content);
    claim->fate = first->fate;
    memcpy(claim->reason, first->reason, sizeof claim->reason);
    if (claim->twins == 0)
        remove_claim(t, claim);
    pthread_mutex_unlock(&t->mutex);
}

bool firn_twins_ask(struct firn_twins *t, struct firn_item *twin)
{
    pthread_mutex_lock(&t->mutex);
    struct claim *claim = find(t, twin->content);
    bool settled = claim->fate != FIRN_LIVE;
    if (settled) {
        twin->fate = claim->fate;
        memcpy(twin->reason, claim->reason, sizeof twin->reason);
        if (--claim->twins == 0)
            remove_claim(t, claim);
    }
    pthread_mutex_unlock(&t->mutex);
    return settled;
}
