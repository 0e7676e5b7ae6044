/* SPDX-License-Identifier: MIT */
/**
 * Stand-ins for model, trunk, image, cache and threads, so that the pipeline can be tested with
 * faults at any point: a photograph's feature is its first bytes, a cache is a table in memory.
 */
#ifndef FIRN_TESTS_FAKES_H
#define FIRN_TESTS_FAKES_H

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/error.h"
#include "base/thread.h"
#include "batches.h"
#include "cache/writer.h"
#include "check.h"
#include "image/image.h"
#include "model/stats.h"
#include "trunk/trunk.h"

#define FAKE_CROP 4
#define FAKE_DIM 8
#define FAKE_RECORDS 4096
#define FAKE_BATCHES 8

/** What the fakes shall do wrong: the n-th call, counted down; 0 is never. */
static struct {
    int thread, decoder, worker, add, commit, root;
    int unsound;  /* a photograph whose first byte is this has a feature of this value: */
    float value;
    unsigned slow_us; /* of each trunk run, at most */
} fail_at;

static inline int fake_fails(int *countdown)
{
    return *countdown > 0 && --*countdown == 0;
}

/* ---- threads ---- */

int firn_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
    (void)name;
    return fake_fails(&fail_at.thread) ? -11 : -pthread_create(thread, NULL, run, arg);
}

void firn_thread_patient(void)
{
}

static int64_t fake_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t firn_now_ns(void)
{
    return fake_clock(CLOCK_MONOTONIC);
}

int64_t firn_thread_cpu_ns(void)
{
    return fake_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- model ---- */

struct firn_model {
    struct firn_model_info info;
};

int firn_model_begin(struct firn_model **out, const char *spec, struct firn_error *err)
{
    (void)err;
    *out = calloc(1, sizeof **out);
    (*out)->info = (struct firn_model_info){.spec = spec, .family = "fake", .resize = 8,
                                            .crop = FAKE_CROP, .dim = FAKE_DIM,
                                            .untrained = true};
    return 0;
}

void firn_model_settle(struct firn_model *model)
{
    (void)model;
}

void firn_model_close(struct firn_model *model)
{
    free(model);
}

const struct firn_model_info *firn_model_info(const struct firn_model *model)
{
    return &model->info;
}

void firn_model_fingerprint(const struct firn_model *model, struct firn_fingerprint *fp)
{
    (void)model;
    strcpy(fp->part[FIRN_PART_TRUNK], "family=fake");
    strcpy(fp->part[FIRN_PART_BATCHNORM], "mode=frozen");
}

/* No statistics but the model's own in these tests. */
int firn_stats_read(struct firn_stats **out, const char *path, struct firn_error *err)
{
    *out = NULL;
    return firn_fail(err, FIRN_DATA, "%s: a fake", path);
}

int firn_stats_match(const struct firn_stats *stats, const struct firn_model *model,
                     const char *where, struct firn_error *err)
{
    (void)stats, (void)model, (void)where, (void)err;
    return 0;
}

const char *firn_stats_get(const struct firn_stats *stats, const char *key)
{
    (void)stats, (void)key;
    return "";
}

void firn_model_adopt(struct firn_model *model, const struct firn_stats *stats)
{
    (void)model, (void)stats;
}

void firn_stats_free(struct firn_stats *stats)
{
    (void)stats;
}

/* ---- trunk ---- */

struct firn_trunk {
    int unused;
};
struct firn_trunk_worker {
    int max_batch;
    unsigned long long random;
    int batch[FAKE_BATCHES], batches; /* the first ones */
};

int firn_trunk_create(struct firn_trunk **out, const struct firn_model *model, int crop,
                      enum firn_cpu cpu, bool small, struct firn_error *err)
{
    (void)model, (void)crop, (void)cpu, (void)small, (void)err;
    *out = calloc(1, sizeof **out);
    return 0;
}

void firn_trunk_destroy(struct firn_trunk *trunk)
{
    free(trunk);
}

int firn_trunk_dim(const struct firn_trunk *trunk)
{
    (void)trunk;
    return FAKE_DIM;
}

size_t firn_trunk_bytes(const struct firn_trunk *trunk)
{
    (void)trunk;
    return 1000;
}

void firn_trunk_fingerprint(const struct firn_trunk *trunk, struct firn_fingerprint *fp)
{
    (void)trunk;
    strcpy(fp->part[FIRN_PART_NUMERIC], "algorithm=fake");
}

/* Made last; for tests that make one. */
static struct firn_trunk_worker *fake_last_worker;

int firn_trunk_worker_create(struct firn_trunk_worker **out, const struct firn_trunk *trunk,
                             int max_batch, struct firn_error *err)
{
    (void)trunk;
    *out = NULL;
    if (fake_fails(&fail_at.worker))
        return firn_fail_nomem(err, "a fake");
    *out = fake_last_worker = calloc(1, sizeof **out);
    (*out)->max_batch = max_batch;
    return 0;
}

void firn_trunk_worker_destroy(struct firn_trunk_worker *worker)
{
    free(worker);
}

size_t firn_trunk_worker_bytes(const struct firn_trunk_worker *worker)
{
    (void)worker;
    return 100;
}

void firn_trunk_run(struct firn_trunk_worker *worker, const uint8_t *const *crops, int n,
                    float *features)
{
    CHECK(n >= 1 && n <= worker->max_batch, "(%d of %d)", n, worker->max_batch);
    if (worker->batches < FAKE_BATCHES)
        worker->batch[worker->batches++] = n;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < FAKE_DIM; k++)
            features[i * FAKE_DIM + k] =
                fail_at.unsound && crops[i][0] == fail_at.unsound ? fail_at.value : crops[i][k];
    if (fail_at.slow_us) {
        unsigned us = (unsigned)check_random(&worker->random) % fail_at.slow_us;
        struct timespec t = {.tv_nsec = us * 1000};
        nanosleep(&t, NULL);
    }
}

/* ---- image ---- */

struct firn_decoder {
    int unused;
};

int firn_decoder_create(struct firn_decoder **out, const struct firn_image_spec *spec,
                        struct firn_error *err)
{
    CHECK_INT(spec->crop, FAKE_CROP);
    *out = NULL;
    if (fake_fails(&fail_at.decoder))
        return firn_fail_nomem(err, "a fake");
    *out = calloc(1, sizeof **out);
    return 0;
}

void firn_decoder_destroy(struct firn_decoder *decoder)
{
    free(decoder);
}

void firn_decoder_tune(struct firn_decoder *decoder, enum firn_cpu level, bool partial)
{
    (void)decoder, (void)level, (void)partial;
}

/** 'C...' is corrupt, 'L...' beyond a limit; of all else the first bytes are the crop. */
int firn_decode(struct firn_decoder *decoder, const uint8_t *bytes, size_t size, uint8_t *rgb,
                struct firn_image_info *info, struct firn_error *err)
{
    (void)decoder, (void)info;
    if (size == 0 || bytes[0] == 'C')
        return firn_fail(err, FIRN_DATA, "corrupt in a way");
    if (bytes[0] == 'L')
        return firn_fail(err, FIRN_CONFIG, "beyond a limit");
    for (size_t i = 0; i < FAKE_CROP * FAKE_CROP * 3; i++)
        rgb[i] = bytes[i % size];
    return 0;
}

int firn_image_fingerprint(const struct firn_image_spec *spec, struct firn_fingerprint *fp,
                           struct firn_error *err)
{
    (void)spec, (void)err;
    strcpy(fp->part[FIRN_PART_PREPROCESS], "resize=8 crop=4");
    return 0;
}

/* ---- batches ---- */

bool firn_batches_wanted(const struct firn_extract_options *options)
{
    (void)options;
    return false;
}

int firn_batches_extract(const struct firn_extract_options *options, struct firn_progress *result,
                         struct firn_error *err)
{
    (void)options, (void)result;
    return firn_fail(err, FIRN_INTERNAL, "a fake");
}

/* ---- cache ---- */

struct fake_record {
    char name[256];
    enum firn_state state;
    uint64_t size;
    int64_t mtime_ns;
    uint8_t content[32];
    bool has_feature;
    float feature[FAKE_DIM];
};

/** The cache of all runs of a test: what is in [0, acked) survives a run that failed. */
static struct {
    pthread_mutex_t lock;
    struct fake_record record[FAKE_RECORDS];
    size_t acked, added;
    int open, runs;
    char numeric[512];
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

int firn_writer_open_with(struct firn_writer **out, const char *dir,
                          const struct firn_fingerprint *fp, int dim, enum firn_store store,
                          const struct firn_writer_settings *settings, struct firn_error *err)
{
    (void)dir, (void)store, (void)settings, (void)err;
    CHECK_INT(dim, FAKE_DIM);
    CHECK_INT(fake.open++, 0);
    fake.added = fake.acked;
    strcpy(fake.numeric, fp->part[FIRN_PART_NUMERIC]);
    *out = (struct firn_writer *)&fake;
    return 0;
}

int firn_writer_root(struct firn_writer *w, const char *root, const char *const *classes,
                     size_t n_classes, uint32_t *id, struct firn_error *err)
{
    (void)w, (void)root, (void)classes, (void)n_classes;
    *id = 7;
    return fake_fails(&fail_at.root) ? firn_fail(err, FIRN_IO, "fake root") : 0;
}

bool firn_writer_knows_root(struct firn_writer *w, const char *root, uint32_t *id)
{
    (void)w, (void)root;
    *id = 7;
    return false;
}

enum firn_known firn_writer_known(struct firn_writer *w, uint32_t root, const char *name,
                                  uint64_t size, int64_t mtime_ns, int64_t ctime_ns)
{
    (void)w, (void)ctime_ns;
    enum firn_known known = FIRN_UNKNOWN;
    CHECK_INT(root, 7);
    pthread_mutex_lock(&fake.lock);
    for (size_t i = 0; i < fake.added; i++) {
        const struct fake_record *r = &fake.record[i];
        if (strcmp(r->name, name) == 0 && r->size == size && r->mtime_ns == mtime_ns)
            known = r->state == FIRN_DONE      ? FIRN_KNOWN_DONE
                    : r->state == FIRN_CORRUPT ? FIRN_KNOWN_CORRUPT
                                               : FIRN_UNKNOWN;
    }
    pthread_mutex_unlock(&fake.lock);
    return known;
}

const char *firn_writer_reason(struct firn_writer *w, uint32_t root, const char *name)
{
    (void)w, (void)root, (void)name;
    return "fake reason";
}

void firn_writer_meet(struct firn_writer *w, uint32_t root, const char *name)
{
    (void)w, (void)root, (void)name;
}

int firn_writer_sweep(struct firn_writer *w, uint32_t root, const char *below, size_t *gone,
                      struct firn_error *err)
{
    (void)w, (void)root, (void)below, (void)err;
    *gone = 0;
    return 0;
}

const char *firn_writer_root_path(struct firn_writer *w, uint32_t i)
{
    (void)w, (void)i;
    return NULL;
}

size_t firn_writer_root_count(struct firn_writer *w, uint32_t root)
{
    (void)w, (void)root;
    return 0;
}

bool firn_writer_is_flat(struct firn_writer *w, uint32_t root)
{
    (void)w, (void)root;
    return false;
}

size_t firn_writer_renumbers(struct firn_writer *w, const char *root, const char *const *classes,
                             size_t n_classes, size_t *which, size_t *was)
{
    (void)w, (void)root, (void)classes, (void)n_classes, (void)which, (void)was;
    return 0;
}

bool firn_writer_doubt(const struct firn_writer *w, size_t i, char text[256])
{
    (void)w, (void)i, (void)text;
    return false;
}

bool firn_writer_has(struct firn_writer *w, const uint8_t content[32])
{
    (void)w;
    bool has = false;
    pthread_mutex_lock(&fake.lock);
    for (size_t i = 0; i < fake.added; i++)
        has |= fake.record[i].has_feature && memcmp(fake.record[i].content, content, 32) == 0;
    pthread_mutex_unlock(&fake.lock);
    return has;
}

int firn_writer_add(struct firn_writer *w, const struct firn_record *record,
                    struct firn_error *err)
{
    (void)w;
    if (fake_fails(&fail_at.add))
        return firn_fail(err, FIRN_IO, "fake add");
    CHECK(record->state == FIRN_DONE || record->feature == NULL);
    CHECK(record->state == FIRN_DONE || record->reason[0]);
    if (fake.added == FAKE_RECORDS)
        return firn_fail(err, FIRN_INTERNAL, "the fake cache is full");
    pthread_mutex_lock(&fake.lock);
    struct fake_record *r = &fake.record[fake.added++];
    memset(r, 0, sizeof *r);
    snprintf(r->name, sizeof r->name, "%s", record->name);
    r->state = record->state;
    r->size = record->size;
    r->mtime_ns = record->mtime_ns;
    memcpy(r->content, record->content, 32);
    r->has_feature = record->feature != NULL;
    if (record->feature)
        memcpy(r->feature, record->feature, sizeof r->feature);
    pthread_mutex_unlock(&fake.lock);
    return 0;
}

int firn_writer_commit(struct firn_writer *w, struct firn_error *err)
{
    (void)w;
    if (fake_fails(&fail_at.commit))
        return firn_fail(err, FIRN_IO, "fake commit");
    pthread_mutex_lock(&fake.lock);
    fake.acked = fake.added;
    pthread_mutex_unlock(&fake.lock);
    return 0;
}

size_t firn_writer_news(const struct firn_writer *w)
{
    (void)w;
    return fake.added;
}

int firn_writer_run(struct firn_writer *w, const struct firn_run *run, struct firn_error *err)
{
    (void)w, (void)err;
    CHECK(run->threads > 0 && run->batch > 0 && run->slowest[0]);
    fake.runs++;
    return 0;
}

/** Unlike the real one it commits nothing, so that the sink has to. */
int firn_writer_close(struct firn_writer *w, struct firn_error *err)
{
    (void)err;
    if (w)
        CHECK_INT(--fake.open, 0);
    return 0;
}

int firn_writer_finish(struct firn_writer *w, struct firn_error *err)
{
    return firn_writer_close(w, err);
}

#endif
