/* SPDX-License-Identifier: MIT */
/*
 * The whole pipeline over fakes: interrupted, failing, out of threads and memory, at every point.
 * Whatever happens, it ends, nothing is stored that is not right, and the next run goes on.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fakes.h"
#include "firn/extract.h"
#include "pipeline/infer.h"
#include "pipeline/item.h"
#include "test_pipeline.h"

#define FILES 300
#define TWINS 20  /* pairs with equal contents */
#define CORRUPT 7 /* every so many */
#define LIMITED 11

static const char *root, *cache;

/* The first byte says what the fakes make of it: see there. */
static char kind_of(int i)
{
    return i % CORRUPT == 0 ? 'C' : i % LIMITED == 0 ? 'L' : 'x';
}

static void contents_of(int i, char bytes[64])
{
    memset(bytes, kind_of(i), 64);
    snprintf(bytes + 1, 63, "%d", kind_of(i) == 'x' && i < TWINS ? i / 2 : i);
}

/* Files whose contents stand in an earlier one, too. */
static int copies(void)
{
    char bytes[64], earlier[64];
    int n = 0;
    for (int i = 1; i < TWINS; i++) {
        contents_of(i - 1, earlier);
        contents_of(i, bytes);
        n += memcmp(bytes, earlier, sizeof bytes) == 0;
    }
    return n;
}

static void make_files(void)
{
    char name[64], bytes[64];
    make_dir("photos");
    for (int c = 0; c < 3; c++) {
        snprintf(name, sizeof name, "photos/class %d", c);
        make_dir(name);
    }
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "photos/class %d/%d.jpg", i % 3, i);
        contents_of(i, bytes);
        make_file(name, bytes, sizeof bytes);
    }
}

/* What the run's callbacks heard. */
static struct heard {
    int failures, notices, progress;
    char failure[512], notice[512];
} heard;

static void on_failure(void *user, const char *path, enum firn_state state, const char *reason)
{
    struct heard *h = user;
    h->failures++;
    snprintf(h->failure, sizeof h->failure, "%.300s: %d: %.200s", path, (int)state, reason);
}

static void on_notice(void *user, const char *text)
{
    struct heard *h = user;
    h->notices++;
    if (!strstr(text, "for trying only"))
        snprintf(h->notice, sizeof h->notice, "%s", text);
}

static void on_progress(void *user, const struct firn_progress *p)
{
    struct heard *h = user;
    h->progress++;
    CHECK(p->done + p->skipped + p->corrupt + p->known + p->known_corrupt <= p->found);
}

static volatile int stop;

static int extract(int threads, int batch, enum firn_io io, struct firn_progress *result,
                   struct firn_error *err)
{
    struct firn_extract_options o = {
        .model = "untrained:fake", .cache = cache, .paths = &root, .n_paths = 1,
        .threads = threads, .batch = batch, .io = io, .on_progress = on_progress,
        .on_failure = on_failure, .on_notice = on_notice, .user = &heard, .stop = &stop};
    memset(&heard, 0, sizeof heard);
    memset(result, 0, sizeof *result);
    memset(err, 0, sizeof *err);
    return firn_extract(&o, result, err);
}

static void forget(void)
{
    fake.acked = fake.added = 0;
    fake.runs = 0;
    memset(&fail_at, 0, sizeof fail_at);
    stop = 0;
}

/* Every acknowledged record is right. `all`: and every photograph has one, done ones only once. */
static void check_cache(bool all)
{
    static int n[FILES];
    memset(n, 0, sizeof n);
    for (size_t k = 0; k < fake.acked; k++) {
        const struct fake_record *r = &fake.record[k];
        char bytes[64];
        const char *slash = strrchr(r->name, '/');
        int i = atoi(slash ? slash + 1 : r->name);
        contents_of(i, bytes);
        n[i]++;
        CHECK_INT(r->state, kind_of(i) == 'C'   ? FIRN_CORRUPT
                            : kind_of(i) == 'L' ? FIRN_SKIPPED
                                                : FIRN_DONE);
        CHECK(r->state != FIRN_SKIPPED || !r->has_feature);
        for (int d = 0; d < FAKE_DIM && r->has_feature; d++)
            CHECK(r->feature[d] == (uint8_t)bytes[d], "(%s)", r->name);
    }
    for (int i = 0; i < FILES && all; i++)
        CHECK(kind_of(i) == 'L' ? n[i] >= 1 : n[i] == 1, "(%d: %d records)", i, n[i]);
}

static void test_plain(void)
{
    static const int threads[] = {1, 2, 3, 4}, batches[] = {1, 2, 5, 16, 32};
    struct firn_progress p;
    struct firn_error err;
    for (size_t t = 0; t < 4; t++) {
        for (size_t b = 0; b < 5; b++) {
            forget();
            enum firn_io io = (t + b) % 2 ? FIRN_IO_THREADS : FIRN_IO_PROBE;
            CHECK_INT(extract(threads[t], batches[b], io, &p, &err), -FIRN_PARTIAL);
            check_cache(true);
            CHECK_INT(p.found, FILES);
            CHECK_INT(p.corrupt, 43);
            CHECK_INT(p.skipped, 24);
            CHECK_INT(p.done, FILES - 43 - 24);
            CHECK_INT(p.reused, copies());
            CHECK(p.known == 0 && p.scan_done);
            CHECK_INT(p.bytes_read, FILES * 64);
            CHECK_INT(heard.failures, 43 + 24);
            CHECK_INT(heard.notices, 1);
            CHECK(heard.progress >= 2 && p.memory > 1000 && p.slowest && p.threads == threads[t]);
            CHECK_INT(fake.runs, 1);
        }
    }
    CHECK_STR(fake.numeric, "algorithm=fake store=f32");

    /* Again: only what was skipped is tried again. */
    size_t before = fake.acked;
    CHECK_INT(extract(2, 8, FIRN_IO_PROBE, &p, &err), -FIRN_PARTIAL);
    CHECK_INT(fake.acked - before, 24);
    CHECK_INT(p.known, FILES - 43 - 24);
    CHECK_INT(p.known_corrupt, 43);
    CHECK_INT(p.bytes_read, 24 * 64);
    CHECK_INT(heard.failures, 43 + 24);
}

struct stopper {
    unsigned us;
    pthread_t thread;
};

static void *stop_later(void *arg)
{
    usleep(((struct stopper *)arg)->us);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* Each resumed run tries these again: a table has no newest entry that stands for all. */
static void forget_skipped(void)
{
    size_t n = 0;
    for (size_t i = 0; i < fake.acked; i++)
        if (fake.record[i].state != FIRN_SKIPPED)
            fake.record[n++] = fake.record[i];
    fake.acked = n;
}

static void test_interrupted(int rounds)
{
    struct firn_progress p;
    struct firn_error err;
    unsigned long long seed = 42;
    int interrupted = 0;
    for (int i = 0; i < rounds; i++) {
        forget();
        fail_at.slow_us = 3000;
        int status = -FIRN_INTERRUPTED;
        for (unsigned turn = 0; turn < 1000 && status == -FIRN_INTERRUPTED; turn++) {
            struct stopper s = {.us = (unsigned)check_random(&seed) % 60000 + turn * 1000};
            size_t acked = fake.acked;
            stop = 0;
            pthread_create(&s.thread, NULL, stop_later, &s);
            status = extract(1 + (int)(check_random(&seed) % 4),
                             1 + (int)(check_random(&seed) % 16),
                             check_random(&seed) % 2 ? FIRN_IO_PROBE : FIRN_IO_THREADS, &p, &err);
            pthread_join(s.thread, NULL);
            CHECK(fake.acked >= acked);
            check_cache(false);
            if (status == -FIRN_INTERRUPTED) {
                interrupted++;
                forget_skipped();
            }
        }
        CHECK_INT(status, -FIRN_PARTIAL);
        check_cache(true);
    }
    CHECK(interrupted > 0, "(no run was interrupted: nothing was tested)");
}

static void test_cache_fails(void)
{
    struct firn_progress p;
    struct firn_error err;
    for (int n = 1; n <= FILES; n += n < 20 ? 1 : 37) {
        forget();
        fail_at.add = n;
        CHECK_INT(extract(2, 4, FIRN_IO_PROBE, &p, &err), -FIRN_IO);
        CHECK_STR(err.text, "fake add");
        check_cache(false);
        CHECK_INT(extract(2, 4, FIRN_IO_PROBE, &p, &err), -FIRN_PARTIAL);
        check_cache(true);
    }
    for (int n = 1; n <= 2; n++) {
        forget();
        fail_at.commit = n;
        CHECK_INT(extract(2, 4, FIRN_IO_THREADS, &p, &err), -FIRN_IO);
        CHECK_STR(err.text, "fake commit");
        CHECK(n == 1 ? fake.acked == 0 : fake.acked > 0 && fake.acked < FILES);
        CHECK(p.done + p.skipped + p.corrupt <= FILES);
        check_cache(false);
    }
    forget();
    fail_at.root = 1;
    CHECK_INT(extract(2, 4, FIRN_IO_THREADS, &p, &err), -FIRN_IO);
}

/* A feature that cannot be one names its photograph and is never stored. */
static void test_unsound(float value)
{
    struct firn_progress p;
    struct firn_error err;
    char bytes[64];
    forget();
    contents_of(1, bytes);
    memset(bytes, 'N', sizeof bytes);
    make_file("photos/class 1/1.jpg", bytes, sizeof bytes);
    fail_at.unsound = 'N';
    fail_at.value = value;
    CHECK_INT(extract(3, 4, FIRN_IO_PROBE, &p, &err), -FIRN_INTERNAL);
    CHECK(strstr(err.text, "/photos/class 1/1.jpg: "), "(%s)", err.text);
    for (size_t i = 0; i < fake.acked; i++)
        CHECK(strcmp(fake.record[i].name, "class 1/1.jpg") != 0);
    contents_of(1, bytes);
    make_file("photos/class 1/1.jpg", bytes, sizeof bytes);
    check_cache(false);
}

/* Threads and memory that cannot be had: each in turn, until none is asked for. */
static void test_out_of(int *countdown, int most)
{
    struct firn_progress p;
    struct firn_error err;
    int n = 0, status = -FIRN_NOMEM;
    for (n = 1; n < 100 && status == -FIRN_NOMEM; n++) {
        forget();
        *countdown = n;
        status = extract(3, 4, FIRN_IO_THREADS, &p, &err);
    }
    CHECK_INT(status, -FIRN_PARTIAL);
    CHECK_INT(n - 1, most + 1);
    check_cache(true);
}

static void test_refused(void)
{
    struct firn_progress p;
    struct firn_error err;
    const char *old_root = root, *old_cache = cache;
    forget();
    cache = in_tree("photos/features/");
    CHECK_INT(extract(1, 1, FIRN_IO_PROBE, &p, &err), -FIRN_USAGE);
    CHECK(strstr(err.text, "/photos/features/: lies inside "), "(%s)", err.text);
    cache = in_tree("photos2"); /* not inside: only its name begins alike */
    root = in_tree("nothing");
    CHECK_INT(extract(1, 1, FIRN_IO_PROBE, &p, &err), -FIRN_NOINPUT);
    root = old_root;
    CHECK_INT(extract(1, 1, FIRN_IO_PROBE, &p, &err), -FIRN_PARTIAL);
    CHECK_INT(extract(-1, 1, FIRN_IO_PROBE, &p, &err), -FIRN_USAGE);
    CHECK_INT(extract(1, 100000, FIRN_IO_PROBE, &p, &err), -FIRN_USAGE);
    cache = old_cache;
}

/* Fifty of the same at the same time: one is computed, and what becomes of it becomes of all. */
static void test_copies(void)
{
    struct firn_progress p;
    struct firn_error err;
    const char *old_root = root;
    char name[64], all[PATH_MAX];
    make_dir("copies");
    for (int i = 0; i < 150; i++) {
        char bytes[64] = {"xCL"[i % 3]};
        snprintf(name, sizeof name, "copies/%d.jpg", i);
        make_file(name, bytes, sizeof bytes);
    }
    root = strcpy(all, in_tree("copies"));
    for (int threads = 1; threads <= 4; threads++) {
        forget();
        CHECK_INT(extract(threads, 4, FIRN_IO_PROBE, &p, &err), -FIRN_PARTIAL);
        CHECK_INT(p.done, 50);
        CHECK_INT(p.reused, 49);
        CHECK_INT(p.corrupt, 50);
        CHECK_INT(p.skipped, 50);
        CHECK_INT(heard.failures, 100);
        size_t computed = 0;
        for (size_t i = 0; i < fake.acked; i++)
            computed += fake.record[i].has_feature;
        CHECK_INT(computed, 1);
    }
    forget();
    fail_at.add = 20;
    CHECK_INT(extract(2, 4, FIRN_IO_PROBE, &p, &err), -FIRN_IO);
    root = old_root;
}

/* A directory that is gone, a file list, and all else that has no class. */
static void test_list(void)
{
    struct firn_progress p;
    struct firn_error err;
    char list[8192] = "";
    forget();
    for (int i = 0; i < 30; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s/class %d/%d.jpg\n", root,
                 i % 3, i);
    make_file("list", list, strlen(list));
    struct firn_extract_options o = {.model = "m", .cache = cache, .files_from = in_tree("list")};
    CHECK_INT(firn_extract(&o, &p, &err), -FIRN_PARTIAL);
    CHECK_INT(p.found, 30);
    CHECK_INT(fake.acked, 30);
    check_cache(false);
}

static void refuse_uring(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    struct firn_progress p;
    struct firn_error err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return; /* no seccomp here: nothing to see */
    CHECK_INT(extract(2, 8, FIRN_IO_URING, &p, &err), -FIRN_PARTIAL);
    CHECK_INT(p.io, FIRN_IO_THREADS);
    CHECK_INT(heard.notices, 2);
    CHECK(strstr(heard.notice, "Operation not permitted"), "(%s)", heard.notice);
    check_cache(true);
}

/* As a container does it; in a child, because a filter stays for ever. */
static void test_uring_refused(void)
{
    int status;
    forget();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        refuse_uring();
        fflush(NULL);
        _exit(check_failed != 0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* Photographs that wait when no more will come: a worker leaves the others their part. */
static void test_last_batches(void)
{
    static const int expected[] = {8, 6, 3, 2, 1};
    enum { ITEMS = 20 };
    struct firn_board board = {0};
    struct firn_slab slab;
    struct firn_ring *in = firn_ring_create(ITEMS, 1), *out = firn_ring_create(ITEMS, 1);
    const struct firn_infer_config config = {.in = in, .out = out, .board = &board, .batch = 8,
                                             .views = 1, .workers = 2, .crop_bytes = 48};
    void *worker;
    CHECK_INT(firn_slab_create(&slab, ITEMS, 1, FAKE_CROP, FAKE_DIM, NULL), 0);
    firn_slab_fill(&slab, in);
    firn_ring_close(in);
    CHECK_INT(firn_infer_stage.start(&worker, &config, NULL), 0);
    CHECK_INT(firn_infer_stage.run(worker, NULL), 0);
    CHECK_INT(firn_ring_count(out), ITEMS);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        CHECK_INT(fake_last_worker->batch[i], expected[i]);
    firn_infer_stage.stop(worker);
    firn_ring_destroy(in);
    firn_ring_destroy(out);
    firn_slab_destroy(&slab);
}

int main(int argc, char **argv)
{
    tree_create();
    make_files();
    root = in_tree("photos");
    cache = in_tree("cache");
    char kept[2][PATH_MAX];
    root = strcpy(kept[0], root);
    cache = strcpy(kept[1], cache);
    test_uring_refused(); /* first: ThreadSanitizer wants forks before threads */
    test_plain();
    test_interrupted(argc > 1 ? atoi(argv[1]) : 3);
    test_cache_fails();
    test_unsound(NAN);
    test_unsound(INFINITY);
    test_unsound(-1);
    test_out_of(&fail_at.thread, 1 + 4 + 3 + 3 + 1);
    test_out_of(&fail_at.decoder, 3);
    test_out_of(&fail_at.worker, 3);
    test_refused();
    test_list();
    test_copies();
    test_last_batches();
    tree_remove();
    CHECK_DONE();
}
