/* SPDX-License-Identifier: MIT */
/**
 * Every allocation of every act on a cache fails, once or from then on: the act says so or does
 * without; what was acknowledged stays, and the same act with memory ends as if nothing had been.
 * The linker puts the functions below in the place of the C library's.
 */
#include <malloc.h>
#include <stdarg.h>

#include "base/error.h"
#include "cache/upkeep.h"
#include "cache_kept.h"

static struct {
    long calls, fail_at; /* fail_at 0: never */
    bool forever, armed;
} memory;

static bool is_out(void)
{
    if (!memory.armed)
        return false;
    memory.calls++;
    if (memory.fail_at == 0 || memory.calls < memory.fail_at ||
        (memory.calls > memory.fail_at && !memory.forever))
        return false;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **out, const char *format, ...);
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...);

void *__wrap_malloc(size_t n)
{
    return is_out() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_out() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return is_out() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *text)
{
    return is_out() ? NULL : __real_strdup(text);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list list;
    if (is_out())
        return -1;
    va_start(list, format);
    int n = vasprintf(out, format, list);
    va_end(list);
    return n;
}

int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    va_list list;
    (void)flag;
    if (is_out())
        return -1;
    va_start(list, format);
    int n = vasprintf(out, format, list);
    va_end(list);
    return n;
}

enum { PHOTOS = 40, SEGMENT = 8 << 10, INDEX = 12 };

static char dir[4200], other[4200]; /* what an act works on; two caches */
static bool acknowledged[PHOTOS];
static bool finishes; /* runs: gaps are closed at their end */

static int add(const char *where, unsigned from, unsigned to, struct firn_error *err)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer_settings settings = {.segment_bytes = SEGMENT, .footer_blocks = 4,
                                            .index_from = INDEX, .tidy_from = 1};
    struct firn_writer *w;
    struct firn_run facts = {.start = from, .version = "0"};
    uint32_t root;
    int result = firn_writer_open_with(&w, where, &fp, DIM, FIRN_STORE_F32, &settings, err);
    if (result != 0)
        return result;
    result = test_root(w, &root, err);
    for (unsigned id = from, since = from; id < to && result == 0; id++) {
        result = test_add(w, id, root, err);
        if (result != 0 || (id % 4 != 3 && id + 1 < to))
            continue;
        result = firn_writer_commit(w, err);
        for (; result == 0 && since <= id; since++)
            acknowledged[since] |= where == dir;
    }
    result = result ? result : firn_writer_run(w, &facts, err);
    int closed = (finishes ? firn_writer_finish : firn_writer_close)(w, result ? NULL : err);
    return result ? result : closed;
}

static int act_begin(struct firn_error *err)
{
    return add(dir, 0, 6, err);
}

static int act_go_on(struct firn_error *err)
{
    return add(dir, 20, PHOTOS, err);
}

static int act_finish(struct firn_error *err)
{
    finishes = true;
    int result = add(dir, 32, PHOTOS, err);
    finishes = false;
    return result;
}

static int act_sweep(struct firn_error *err)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer *w;
    int result = firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, err);
    if (result != 0)
        return result;
    result = test_add_gone(w, err);
    int closed = firn_writer_close(w, result ? NULL : err);
    return result ? result : closed;
}

static int act_compact(struct firn_error *err)
{
    struct firn_writer_settings settings = {.segment_bytes = SEGMENT, .footer_blocks = 4,
                                            .index_from = INDEX};
    struct firn_upkeep done;
    return firn_compact_with(dir, &settings, &done, err);
}

static void ignore_photograph(void *user, const char *path, const char *what)
{
    (void)user, (void)path, (void)what;
}

static int repair(bool yes, struct firn_error *err)
{
    struct firn_upkeep_options options = {
        .yes = yes, .requeue = true, .on_photograph = ignore_photograph};
    struct firn_writer_settings settings = {.segment_bytes = SEGMENT, .footer_blocks = 4,
                                            .index_from = INDEX};
    struct firn_upkeep done;
    return firn_repair_with(dir, &settings, &options, &done, err);
}

static int act_look_for_repair(struct firn_error *err)
{
    return repair(false, err);
}

static int act_repair(struct firn_error *err)
{
    return repair(true, err);
}

static int act_merge(struct firn_error *err)
{
    const char *in[] = {other};
    struct firn_upkeep_options options = {.on_photograph = ignore_photograph};
    struct firn_upkeep done;
    return firn_merge(dir, in, 1, &options, &done, err);
}

/* All photographs with their features, and one of them by its name. */
static int read_all(struct firn_cache *c, struct firn_error *err)
{
    struct firn_cache_stat stat;
    struct firn_photo p;
    float feature[DIM];
    size_t done = 0, found;
    int result = 0;
    firn_cache_stat(c, &stat);
    for (size_t i = 0; i < firn_cache_count(c) && result == 0; i++) {
        if (i % 8 == 7)
            firn_cache_forget(c);
        firn_cache_photo(c, i, &p);
        done += p.state == FIRN_DONE;
        if (p.state == FIRN_DONE)
            result = firn_cache_features(c, &i, 1, feature, err);
        else if (strstr(p.reason, "out of memory")) /* all that it can say */
            result = firn_fail(err, FIRN_NOMEM, "%s", p.reason);
    }
    CHECK(result != 0 || done == stat.records, "%zu of %zu", done, stat.records);
    result = result ? result : firn_cache_find(c, "/photos/bees/00001.jpg", &found, err);
    if (result == 0)
        firn_cache_photo(c, found, &p);
    CHECK(result != 0 || strcmp(p.name, "bees/00001.jpg") == 0 ||
          strstr(p.reason, "out of memory"), "%s", p.name);
    return result;
}

static int act_read(struct firn_error *err)
{
    struct firn_cache *c;
    int result = firn_cache_open(&c, dir, err);
    if (result != 0)
        return result;
    float feature[DIM];
    int64_t row = 0;
    uint8_t content[32];
    test_content(1, content);
    result = read_all(c, err);
    result = result ? result : firn_cache_gather(c, &row, 1, feature, err);
    result = result ? result : firn_cache_range(c, 0, 1, feature, err);
    result = result ? result : firn_cache_feature_of(c, content, feature, err);
    CHECK(result != 0 || same_feature(feature, 1));
    firn_cache_close(c);
    return result;
}

static int act_verify(struct firn_error *err)
{
    return firn_verify(dir, 1, NULL, NULL, NULL, err);
}

/* ---- where an act begins ---- */

static void made(int result, const struct firn_error *err)
{
    CHECK(result == 0, "%s", err->text);
}

static void prepare_nothing(void)
{
}

static void prepare_some(void)
{
    struct firn_error err = {0};
    made(add(dir, 0, 10, &err), &err);
    made(add(dir, 10, 20, &err), &err);
}

static void prepare_gone(void)
{
    struct firn_error err = {0};
    prepare_some();
    made(act_sweep(&err), &err);
}

/* Features of one segment and a head are damaged. */
static void prepare_damage(void)
{
    char path[4300];
    size_t size;
    prepare_gone();
    snprintf(path, sizeof path, "%s/seg-00000001.firn", dir);
    uint8_t *bytes = slurp(path, &size);
    bytes[100] ^= 1;
    bytes[FIRN_PAGE + 500] ^= 1;
    spill(path, bytes, size);
    free(bytes);
}

static void prepare_two(void)
{
    struct firn_error err = {0};
    prepare_some();
    made(add(other, 5, 30, &err), &err);
}

/* As a killed writer leaves it: the last segment has no footer, and more than LOCK says. */
static void prepare_killed(void)
{
    struct firn_published p;
    struct firn_error err = {0};
    uint32_t root;
    int fd;
    prepare_some();
    struct firn_writer *w = open_writer(dir);
    made(test_root(w, &root, &err), &err);
    for (unsigned id = 30; id < 34; id++) {
        made(test_add(w, id, root, &err), &err);
        made(firn_writer_commit(w, &err), &err);
        if (id == 31)
            firn_published_read(dir, &p);
    }
    firn_writer_destroy(w);
    CHECK(firn_lock(dir, 0, &fd, &(struct firn_published){0}, &err) == 0, "%s", err.text);
    firn_publish(fd, p.number, p.segment, p.offset);
    close(fd);
}

/* ---- copies of caches ---- */

struct file {
    char name[64];
    uint8_t *bytes;
    size_t size;
};

struct tree {
    struct file file[64];
    size_t n;
};

static void take(struct tree *t, const char *from)
{
    DIR *d = opendir(from);
    const struct dirent *e;
    char path[4500];
    t->n = 0;
    while (d && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.' && t->n < 64) {
            struct file *f = t->file + t->n++;
            snprintf(f->name, sizeof f->name, "%.60s", e->d_name);
            snprintf(path, sizeof path, "%s/%s", from, f->name);
            f->bytes = slurp(path, &f->size);
        }
    if (d)
        closedir(d);
}

static void put(struct tree *t, const char *to)
{
    char path[4500];
    remove_dir(to);
    if (t->n > 0)
        mkdir(to, 0777);
    for (size_t i = 0; i < t->n; i++) {
        snprintf(path, sizeof path, "%s/%s", to, t->file[i].name);
        spill(path, t->file[i].bytes, t->file[i].size);
    }
}

static void drop(struct tree *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->file[i].bytes);
}

/* ---- the test ---- */

static const struct act {
    const char *name;
    void (*prepare)(void);
    int (*act)(struct firn_error *err);
    int expected;
    bool damaged;
} acts[] = {
    {"begin", prepare_nothing, act_begin, 0, false},
    {"go on", prepare_some, act_go_on, 0, false},
    {"go on after a kill", prepare_killed, act_go_on, 0, false},
    {"finish", prepare_some, act_finish, 0, false},
    {"sweep", prepare_some, act_sweep, 0, false},
    {"compact", prepare_gone, act_compact, 0, false},
    {"compact after a kill", prepare_killed, act_compact, 0, false},
    {"look for repair", prepare_damage, act_look_for_repair, 0, true},
    {"repair", prepare_damage, act_repair, 0, true},
    {"merge", prepare_two, act_merge, 0, false},
    {"read", prepare_gone, act_read, 0, false},
    {"read after a kill", prepare_killed, act_read, 0, false},
    {"verify", prepare_gone, act_verify, 0, false},
    {"verify damage", prepare_damage, act_verify, -FIRN_DATA, true},
};

/* One failure. Returns false when the act is over before it. */
static bool try(const struct act *a, struct tree *first, struct tree *second, long n, bool forever)
{
    struct firn_error err = {0};
    bool before[PHOTOS];
    char when[100];
    snprintf(when, sizeof when, "%s, allocation %ld%s", a->name, n, forever ? " on" : "");
    memcpy(before, acknowledged, sizeof before);
    put(first, dir);
    put(second, other);
    memory.calls = 0;
    memory.fail_at = n;
    memory.forever = forever;
    memory.armed = true;
    int result = a->act(&err);
    memory.armed = false;
    bool reached = memory.calls >= n;
    CHECK(result == a->expected || (reached && result == -FIRN_NOMEM), "%s: %d %s", when, result,
          err.text);
    CHECK(result != -FIRN_NOMEM || (err.code == FIRN_NOMEM && *err.text), "%s: says why", when);
    check_kept(dir, acknowledged, PHOTOS, a->damaged, when);
    /* With memory it goes as it should have gone. */
    result = a->act(&err);
    CHECK(result == a->expected, "%s, then without: %d %s", when, result, err.text);
    check_kept(dir, acknowledged, PHOTOS, a->damaged, when);
    if (!a->damaged)
        check_clean(dir);
    memcpy(acknowledged, before, sizeof before);
    return reached;
}

int main(void)
{
    char *base = test_dir();
    long points = 0, step = test_times(3, 1);
    snprintf(dir, sizeof dir, "%s/cache", base);
    snprintf(other, sizeof other, "%s/other", base);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        struct tree first = {.n = 0}, second = {.n = 0};
        long old = points;
        memset(acknowledged, 0, sizeof acknowledged);
        remove_dir(dir);
        remove_dir(other);
        acts[i].prepare();
        take(&first, dir);
        take(&second, other);
        for (int forever = 0; forever < 2; forever++)
            for (long n = 1 + forever;
                 try(acts + i, &first, &second, n, forever) && check_failed < 100; n += step)
                points++;
        printf("%s: %ld points\n", acts[i].name, points - old);
        drop(&first);
        drop(&second);
    }
    printf("%ld points\n", points);
    CHECK(points >= 2000, "%ld", points);
    remove_dir(dir);
    remove_dir(other);
    rmdir(base);
    free(base);
    CHECK_DONE();
}
