/* SPDX-License-Identifier: MIT */
/**
 * Each message has a lane of the vectors. A lane whose message is at its end takes the next one;
 * the last block of a message, which is compressed differently, goes the usual way.
 */
#include <stdbool.h>

#include "base/blake2b.h"
#include "base/hash.h"

#define BLOCK FIRN_BLAKE2B_BLOCK
#define LANES FIRN_BLAKE2B_LANES

struct lanes {
    uint64_t h[8][LANES], count[LANES];
    const uint8_t *bytes[LANES];            /* what comes next */
    size_t left[LANES];                     /* blocks before the last one */
    const struct firn_hash_job *job[LANES]; /* NULL: idle */
};

static void begin(struct lanes *l, int k, const struct firn_hash_job *job)
{
    struct firn_hasher h;
    firn_hash_init(&h);
    for (int i = 0; i < 8; i++)
        l->h[i][k] = h.h[i];
    l->count[k] = 0;
    l->bytes[k] = job->bytes;
    l->left[k] = job->n ? (job->n - 1) / BLOCK : 0;
    l->job[k] = job;
}

/* All that is left of a lane's message, alone. */
static void finish(struct lanes *l, int k)
{
    struct firn_hasher h = {.count = l->count[k]};
    for (int i = 0; i < 8; i++)
        h.h[i] = l->h[i][k];
    firn_hash_update(&h, l->bytes[k], l->job[k]->n - l->count[k]);
    firn_hash_final(&h, l->job[k]->digest);
    l->job[k] = NULL;
}

/* Whether lane k has a block to compress, of its message or of the next one that has. */
static bool occupy(struct lanes *l, int k, const struct firn_hash_job **next,
                   const struct firn_hash_job *end)
{
    while (!l->job[k] || l->left[k] == 0) {
        if (l->job[k])
            finish(l, k);
        if (*next == end)
            return false;
        begin(l, k, (*next)++);
    }
    return true;
}

/* As far as all busy lanes can go. Idle ones go along, over the bytes of another. */
static void advance(struct lanes *l, firn_blake2b_lanes *compress)
{
    int shortest = -1;
    for (int k = 0; k < LANES; k++)
        if (l->job[k] && (shortest < 0 || l->left[k] < l->left[shortest]))
            shortest = k;
    const size_t blocks = l->left[shortest];
    for (int k = 0; k < LANES; k++)
        if (!l->job[k])
            l->bytes[k] = l->bytes[shortest];
    compress(l->h, l->bytes, l->count, blocks);
    for (int k = 0; k < LANES; k++)
        l->left[k] -= l->job[k] ? blocks : 0;
}

static void hash_in_lanes(firn_blake2b_lanes *compress, const struct firn_hash_job *job, size_t n)
{
    const struct firn_hash_job *end = job + n;
    struct lanes l = {0};
    for (;;) {
        int busy = 0;
        for (int k = 0; k < LANES; k++)
            busy += occupy(&l, k, &job, end);
        if (busy < 2)
            break;
        advance(&l, compress);
    }
    for (int k = 0; k < LANES; k++)
        if (l.job[k])
            finish(&l, k);
}

static firn_blake2b_lanes *choose(enum firn_cpu cpu)
{
#if defined(__x86_64__)
    if (cpu == FIRN_CPU_AVX2)
        return firn_blake2b_lanes_avx2;
#endif
    (void)cpu;
    return NULL;
}

void firn_hash_many(enum firn_cpu cpu, const struct firn_hash_job *job, size_t n)
{
    firn_blake2b_lanes *compress = choose(cpu);
    if (compress)
        hash_in_lanes(compress, job, n);
    for (size_t i = 0; i < n && !compress; i++)
        firn_hash(job[i].bytes, job[i].n, job[i].digest);
}
