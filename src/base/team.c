/* SPDX-License-Identifier: MIT */
/**
 * The loop in work is published under the lock with a new number; members wait for a number that
 * they have not seen, take turns from a counter, and report under the lock when it has run out.
 */
#include "base/team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/thread.h"

struct firn_team {
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    unsigned loop; /* number of the loop in work */
    int busy;      /* members that have not left it yet, the caller apart */
    bool over;
    firn_team_fn *fn;
    void *user;
    size_t turns;
    atomic_size_t next; /* turn */
    int size;           /* with the caller */
    struct member {
        struct firn_team *team;
        int number;
        pthread_t thread;
    } member[];
};

static void take_turns(struct firn_team *t, int member)
{
    size_t turn;
    while ((turn = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed)) < t->turns)
        t->fn(t->user, member, turn);
}

static void *work(void *arg)
{
    const struct member *m = arg;
    struct firn_team *t = m->team;
    unsigned seen = 0;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        while (!t->over && t->loop == seen)
            pthread_cond_wait(&t->begin, &t->lock);
        if (t->over)
            break;
        seen = t->loop;
        pthread_mutex_unlock(&t->lock);
        take_turns(t, m->number);
        pthread_mutex_lock(&t->lock);
        if (--t->busy == 0)
            pthread_cond_signal(&t->end);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

int firn_team_create(struct firn_team **out, int members, struct firn_error *err)
{
    struct firn_team *t = calloc(1, sizeof *t + (size_t)members * sizeof t->member[0]);
    *out = t;
    if (!t)
        return firn_fail_nomem(err, "a team of threads");
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->begin, NULL);
    pthread_cond_init(&t->end, NULL);
    t->size = 1;
    while (t->size < members) {
        struct member *m = &t->member[t->size];
        *m = (struct member){.team = t, .number = t->size};
        if (firn_thread_start(&m->thread, "firn-team", work, m))
            break;
        t->size++;
    }
    return 0;
}

void firn_team_destroy(struct firn_team *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->over = true;
    pthread_cond_broadcast(&t->begin);
    pthread_mutex_unlock(&t->lock);
    for (int i = 1; i < t->size; i++)
        pthread_join(t->member[i].thread, NULL);
    pthread_cond_destroy(&t->end);
    pthread_cond_destroy(&t->begin);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

int firn_team_size(const struct firn_team *t)
{
    return t->size;
}

void firn_team_run(struct firn_team *t, size_t turns, firn_team_fn *fn, void *user)
{
    pthread_mutex_lock(&t->lock);
    t->fn = fn;
    t->user = user;
    t->turns = turns;
    atomic_store_explicit(&t->next, 0, memory_order_relaxed);
    t->busy = t->size - 1;
    t->loop++;
    pthread_cond_broadcast(&t->begin);
    pthread_mutex_unlock(&t->lock);
    take_turns(t, 0);
    pthread_mutex_lock(&t->lock);
    while (t->busy)
        pthread_cond_wait(&t->end, &t->lock);
    pthread_mutex_unlock(&t->lock);
}
