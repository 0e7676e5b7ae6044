/* SPDX-License-Identifier: MIT */
/* Both ways of reading files, with the faults a disk or a kernel can show. No cache, no threads. */
#include <ctype.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "base/thread.h"
#include "pipeline/read.h"
#include "test_pipeline.h"

#define LIMIT ((size_t)3 << 20)
#define BUDGET ((size_t)1 << 20)
#define FILES 40

static bool have_uring;

/* What became of each photograph: its fate, reason, and the hash of its bytes. */
struct outcome {
    int fate;
    char reason[256];
    uint64_t size;
    int64_t mtime_ns;
    uint64_t hash;
};

struct reading {
    struct outcome of[BENCH_ITEMS];
    size_t n;
    uint64_t bytes_read;
    int status; /* of the stage */
    struct firn_error err;
};

/* Sizes that matter: nothing, pages and their neighbours, more than the budget, the limit. */
static size_t size_of(int i)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 300000, 1048576, 1048577, 2000000,
                                   LIMIT, LIMIT + 1};
    return i < 11 ? sizes[i] : (size_t)(i * 7919) % 200000;
}

static void make_files(void)
{
    unsigned char *bytes = malloc(LIMIT + 1);
    unsigned long long seed = 1;
    for (size_t k = 0; k < LIMIT + 1; k++)
        bytes[k] = (unsigned char)check_random(&seed);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        make_file(name, bytes + (size_of(i) > 200000 ? 0 : i), size_of(i));
    }
    free(bytes);
}

static void note(struct reading *reading, size_t i, struct firn_item *item)
{
    struct outcome *o = &reading->of[i];
    o->fate = item->fate;
    strcpy(o->reason, item->reason);
    o->size = item->size;
    o->mtime_ns = item->mtime_ns;
    CHECK((item->file != NULL) == (item->fate == FIRN_LIVE));
    if (!item->file)
        return;
    CHECK_INT(item->file->size, item->size);
    o->hash = firn_checksum(item->file->bytes, item->size);
}

/* Stands for decode: takes every item out and gives its bytes back. */
struct drain {
    struct bench *bench;
    struct reading *reading;
};

static void *drain(void *arg)
{
    struct drain *d = arg;
    struct firn_item *item;
    while ((item = firn_ring_pop(d->bench->out))) {
        note(d->reading, (size_t)(item - d->bench->slab.item), item);
        firn_blob_return(item->file);
        d->reading->n++;
    }
    return NULL;
}

static bool follows; /* as the daemon does */

static void read_files(struct reading *reading, bool uring, firn_read_fault_fn *fault,
                       void *user)
{
    struct bench b;
    struct firn_error err;
    struct firn_read_config config = {
        .follows = follows, .fault = fault, .fault_user = user};
    pthread_t thread;
    memset(reading, 0, sizeof *reading);
    bench_create(&b, 1, 1);
    CHECK_INT(firn_arena_create(&config.arena, 20, BUDGET, LIMIT, &err), 0);
    config.in = b.in;
    config.out = b.out;
    config.board = &b.board;
    for (int i = 0; i < FILES; i++)
        firn_ring_push(b.in, make_item(&b, (size_t)i, in_tree("%d", i)));
    firn_ring_push(b.in, make_item(&b, FILES, in_tree("not there")));
    firn_ring_push(b.in, make_item(&b, FILES + 1, tree));
    firn_ring_push(b.in, make_item(&b, FILES + 2, in_tree("fifo")));
    struct firn_item *failed = make_item(&b, FILES + 3, in_tree("1"));
    firn_item_fail(failed, FIRN_SKIPPED, "before");
    firn_ring_push(b.in, failed);
    firn_ring_close(b.in);
    struct drain d = {&b, reading};
    CHECK_INT(pthread_create(&thread, NULL, drain, &d), 0);
    reading->status = run_stage(uring ? &firn_read_uring_stage : &firn_read_threads_stage, &config,
                                b.out, &reading->err);
    pthread_join(thread, NULL);
    CHECK(reading->status || reading->n == FILES + 4, "(%zu)", reading->n);
    reading->bytes_read = b.board.bytes_read;
    firn_arena_destroy(config.arena);
    bench_destroy(&b);
}

static void check_expected(const struct reading *r)
{
    uint64_t total = 0;
    for (int i = 0; i < FILES; i++) {
        bool big = size_of(i) > LIMIT;
        CHECK(r->of[i].fate == (big ? FIRN_SKIPPED : FIRN_LIVE), "(file %d: %s)", i,
              r->of[i].reason);
        CHECK_INT(r->of[i].size, size_of(i));
        total += big ? 0 : size_of(i);
    }
    CHECK_STR(r->of[10].reason, "3145729 bytes are more than the limit of 3145728");
    CHECK_STR(r->of[FILES].reason, "No such file or directory");
    CHECK_STR(r->of[FILES + 1].reason, "not a regular file");
    CHECK_STR(r->of[FILES + 2].reason, "not a regular file");
    CHECK_STR(r->of[FILES + 3].reason, "before");
    CHECK_INT(r->bytes_read, total);
}

static void test_same(void)
{
    static struct reading threads, uring;
    read_files(&threads, false, NULL, NULL);
    check_expected(&threads);
    if (!have_uring)
        return;
    read_files(&uring, true, NULL, NULL);
    CHECK(memcmp(&threads, &uring, sizeof threads) == 0);
}

/* One kind of fault: at every operation of the files whose number divides by three. */
struct fault {
    enum firn_read_op op;
    int result;  /* -errno, or a positive number: not more bytes than that */
    int times;   /* for each file, then the call goes well */
    int left[FILES];
};

static int inject(void *user, enum firn_read_op op, const char *path, int result)
{
    struct fault *f = user;
    const char *name = strrchr(path, '/') + 1;
    int i = atoi(name);
    if (op != f->op || !isdigit((unsigned char)*name) || i % 3 || result < 0 || f->left[i]-- <= 0)
        return result;
    if (f->result > 0)
        return result < f->result ? result : f->result;
    if (op == FIRN_READ_OPEN)
        close(result);
    return f->result;
}

static void check_fault(enum firn_read_op op, int result, int times, bool uring, bool fatal)
{
    static struct reading clean, faulty;
    struct fault fault = {.op = op, .result = result, .times = times};
    for (int i = 0; i < FILES; i++)
        fault.left[i] = times;
    read_files(&clean, uring, NULL, NULL);
    read_files(&faulty, uring, inject, &fault);
    for (int i = 0; i < FILES + 4; i++) {
        bool hit = fatal && i % 3 == 0 && i > 0 && i < FILES;
        if (i == 0 && op == FIRN_READ_OPEN)
            hit = fatal;
        if (!hit)
            CHECK(memcmp(&clean.of[i], &faulty.of[i], sizeof clean.of[i]) == 0,
                  "(op %d result %d: file %d: %s)", op, result, i, faulty.of[i].reason);
        else if (result < 0)
            CHECK_STR(faulty.of[i].reason, strerror(-result));
        else
            CHECK_INT(faulty.of[i].fate, FIRN_SKIPPED);
    }
}

/* What would befall every photograph alike is no photograph's fault: the run ends. */
static void check_ours(enum firn_read_op op, int result, bool uring)
{
    static struct reading faulty;
    struct fault fault = {.op = op, .result = result, .times = 1};
    for (int i = 0; i < FILES; i++)
        fault.left[i] = 1;
    read_files(&faulty, uring, inject, &fault);
    CHECK_INT(faulty.status, -FIRN_NOMEM);
    CHECK(strstr(faulty.err.text, strerror(-result)), "(%s)", faulty.err.text);
    CHECK((strstr(faulty.err.text, "ulimit -n") != NULL) == (result == -EMFILE));
    int dropped = 0;
    for (int i = 0; i < FILES; i++) {
        dropped += faulty.of[i].fate == FIRN_DROPPED;
        CHECK(i == 10 || faulty.of[i].fate != FIRN_SKIPPED, "(%d: %s)", i, faulty.of[i].reason);
    }
    CHECK(dropped >= 1);
}

static void test_faults(bool uring)
{
    static const int always[] = {-EIO, -EACCES, -EINTR, -EAGAIN, -ECANCELED};
    static const int passing[] = {-EINTR, -EAGAIN, -ECANCELED};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        check_fault(FIRN_READ_OPEN, always[i], 1000000, uring, true);
        check_fault(FIRN_READ_BYTES, always[i], 1000000, uring, true);
    }
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        check_fault(FIRN_READ_OPEN, passing[i], 3, uring, false);
        check_fault(FIRN_READ_BYTES, passing[i], 3, uring, false);
    }
    static const int ours[] = {-EMFILE, -ENFILE, -ENOMEM};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        check_ours(FIRN_READ_OPEN, ours[i], uring);
        check_ours(FIRN_READ_BYTES, ours[i], uring);
    }
    check_fault(FIRN_READ_BYTES, 1, 50, uring, false); /* short reads, byte by byte */
    check_fault(FIRN_READ_BYTES, 4096, 1000000, uring, false);
}

/* Changes the file between its two looks: at the read. */
static int change(void *user, enum firn_read_op op, const char *path, int result)
{
    const char *how = user;
    if (op != FIRN_READ_BYTES || strcmp(strrchr(path, '/'), "/5") != 0)
        return result;
    if (*how == 'g') { /* grows */
        int fd = open(path, O_WRONLY | O_APPEND);
        CHECK(write(fd, "x", 1) == 1);
        close(fd);
    } else if (*how == 't') { /* times only, as a writer that rewrites the same size */
        CHECK(utimensat(AT_FDCWD, path, NULL, 0) == 0);
    } else {
        CHECK(truncate(path, 7) == 0);
        return 0;
    }
    return result;
}

static void test_changed(bool uring)
{
    static struct reading r;
    for (const char *how = "gts"; *how; how++) {
        read_files(&r, uring, change, (void *)how);
        CHECK_INT(r.of[5].fate, FIRN_SKIPPED);
        CHECK_STR(r.of[5].reason, "changed while it was read; run again");
        CHECK_INT(r.of[6].fate, FIRN_LIVE);
        make_files();
    }
    follows = true;
    read_files(&r, uring, change, (void *)"g");
    CHECK_INT(r.of[5].fate, FIRN_DROPPED); /* to be looked at again */
    CHECK_INT(r.of[6].fate, FIRN_LIVE);
    CHECK_INT(r.of[FILES].fate, FIRN_DROPPED); /* is gone */
    CHECK_STR(r.of[FILES + 1].reason, "not a regular file");
    follows = false;
    make_files();
}

static void test_halt(bool uring)
{
    struct bench b;
    struct firn_error err;
    struct firn_item *item;
    struct firn_read_config config = {0};
    bench_create(&b, 1, 1);
    CHECK_INT(firn_arena_create(&config.arena, 4, BUDGET, LIMIT, &err), 0);
    config.in = b.in, config.out = b.out, config.board = &b.board;
    for (int i = 0; i < FILES; i++)
        firn_ring_push(b.in, make_item(&b, (size_t)i, in_tree("%d", i)));
    firn_ring_close(b.in);
    firn_board_halt(&b.board);
    CHECK_INT(run_stage(uring ? &firn_read_uring_stage : &firn_read_threads_stage, &config, b.out,
                        &err), 0);
    int n = 0;
    while ((item = firn_ring_pop(b.out))) {
        CHECK(item->fate == FIRN_DROPPED && !item->file);
        n++;
    }
    CHECK_INT(n, FILES);
    firn_arena_destroy(config.arena);
    bench_destroy(&b);
}

/* ---- what follows has stopped ---- */

enum { STALLED = 40, HELD = 3 }; /* photographs, and how many of them the budget has room for */

struct stalled {
    struct bench bench;
    struct firn_read_config config;
    bool uring;
    atomic_int opened;
    int status;
};

static int count_opens(void *user, enum firn_read_op op, const char *path, int result)
{
    struct stalled *s = user;
    (void)path;
    s->opened += op == FIRN_READ_OPEN && result >= 0;
    return result;
}

static void *read_stalled(void *arg)
{
    struct stalled *s = arg;
    struct firn_error err;
    s->status = run_stage(s->uring ? &firn_read_uring_stage : &firn_read_threads_stage, &s->config,
                          s->bench.out, &err);
    return NULL;
}

/* Takes photographs until the readers have no room left, and gives one back at a time. */
static void take_slowly(struct stalled *s)
{
    struct firn_item *held[HELD] = {0}, *item;
    for (int n = 0; n < STALLED; n++) {
        item = firn_ring_pop(s->bench.out);
        CHECK(item && item->fate == FIRN_LIVE && item->file, "(photograph %d)", n);
        if (!item)
            return;
        held[n % HELD] = item;
        if (n < HELD - 1)
            continue;
        item = firn_ring_pop_until(s->bench.out, firn_now_ns() + (n < 2 * HELD ? 20000000 : 0));
        CHECK(!item, "(more bytes than the budget after %d)", n);
        if (item)
            exit(1); /* the line is out of step */
        CHECK(s->opened <= n + 1 + FIRN_READ_DEPTH, "(%d open after %d)", s->opened, n);
        firn_blob_return(held[(n + 1) % HELD]->file);
    }
    for (int n = 0; n < HELD - 1; n++)
        firn_blob_return(held[(STALLED - 1 - n) % HELD]->file);
}

static void test_stalled(bool uring)
{
    static struct stalled s;
    struct firn_error err;
    pthread_t thread;
    s = (struct stalled){.uring = uring};
    bench_create(&s.bench, 1, 1);
    s.config = (struct firn_read_config){.in = s.bench.in, .out = s.bench.out,
        .board = &s.bench.board, .fault = count_opens, .fault_user = &s};
    CHECK(HELD * size_of(5) < BUDGET && BUDGET < (HELD + 1) * size_of(5));
    CHECK_INT(firn_arena_create(&s.config.arena, 20, BUDGET, LIMIT, &err), 0);
    for (int i = 0; i < STALLED; i++)
        firn_ring_push(s.bench.in, make_item(&s.bench, (size_t)i, in_tree("5")));
    firn_ring_close(s.bench.in);
    CHECK_INT(pthread_create(&thread, NULL, read_stalled, &s), 0);
    take_slowly(&s);
    pthread_join(thread, NULL);
    CHECK_INT(s.status, 0);
    firn_arena_destroy(s.config.arena);
    bench_destroy(&s.bench);
}

static void test_arena(void)
{
    struct firn_arena *a;
    struct firn_error err;
    struct firn_blob *e[5];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), budget = 8 * page;
    CHECK_INT(firn_arena_create(&a, 4, budget, 100 * page, &err), 0);
    for (int i = 0; i < 4; i++) {
        CHECK((e[i] = firn_arena_try(a, 2 * page)) != NULL);
        memset(e[i]->bytes, i + 1, 2 * page);
    }
    CHECK(firn_arena_try(a, 0) == NULL, "(more blobs than there are)");
    firn_blob_return(e[1]);
    CHECK(firn_arena_try(a, 2 * page + 1) == NULL);
    firn_blob_return(e[2]);
    CHECK(firn_arena_try(a, 9 * page) == NULL, "(a big one is not alone)");
    CHECK((e[1] = firn_arena_take(a, 3 * page + 1)) != NULL);
    CHECK(e[1]->bytes == e[0]->bytes + 2 * page, "(the lowest fit)");
    memset(e[1]->bytes, 9, 3 * page + 1);
    CHECK(e[0]->bytes[2 * page - 1] == 1 && e[3]->bytes[0] == 4, "(neighbours untouched)");
    firn_blob_return(e[0]);
    firn_blob_return(e[1]);
    firn_blob_return(e[3]);
    CHECK((e[4] = firn_arena_take(a, 100 * page)) != NULL);
    memset(e[4]->bytes, 5, 100 * page);
    CHECK(firn_arena_try(a, 1) == NULL, "(a big one is alone)");
    firn_blob_return(e[4]);
    CHECK((e[0] = firn_arena_try(a, 0)) != NULL);
    firn_blob_return(e[0]);
    firn_arena_destroy(a);
}

/* A kernel that refuses io_uring, as containers do. In a child: a filter stays for ever. */
static int refuse_uring(int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void refused(int error)
{
    int why;
    if (refuse_uring(error))
        return; /* no seccomp here: nothing to see */
    CHECK_INT(firn_read_choose(FIRN_IO_PROBE, &why), FIRN_IO_THREADS);
    CHECK_INT(why, -error);
    CHECK_INT(firn_read_choose(FIRN_IO_URING, &why), FIRN_IO_THREADS);
    CHECK_INT(why, -error);
    CHECK_INT(firn_read_choose(FIRN_IO_THREADS, &why), FIRN_IO_THREADS);
    CHECK_INT(why, 0);
}

static void test_choose(void)
{
    static const int errors[] = {EPERM, ENOSYS, ENOMEM};
    int why, status = 0;
    CHECK_INT(firn_read_choose(FIRN_IO_THREADS, &why), FIRN_IO_THREADS);
    CHECK_INT(why, 0);
    CHECK_INT(firn_read_choose(FIRN_IO_PROBE, &why), have_uring ? FIRN_IO_URING : FIRN_IO_THREADS);
    for (int i = 0; i < 3; i++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            refused(errors[i]);
            fflush(NULL);
            _exit(check_failed != 0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
}

int main(void)
{
    tree_create();
    make_files();
    CHECK(mkfifo(in_tree("fifo"), 0666) == 0);
    have_uring = firn_read_uring_probe() == 0;
    if (!have_uring)
        printf("io_uring is refused here: only the threads are tested\n");
    test_arena();
    test_choose();
    test_same();
    for (int uring = 0; uring <= (int)have_uring; uring++) {
        test_faults(uring);
        test_changed(uring);
        test_halt(uring);
        test_stalled(uring);
    }
    tree_remove();
    CHECK_DONE();
}
