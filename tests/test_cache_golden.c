/* SPDX-License-Identifier: MIT */
/**
 * Caches that earlier versions wrote, good and damaged: each must read for ever as it did then.
 *
 *     test_cache_golden DIR         compares each cache in DIR with the NAME.txt beside it
 *     test_cache_golden --make DIR  writes caches of this version there, with what they read as
 *
 * v1-*: before the block NEEDS; v1-roll-*: with its bit 0.
 */
#include "cache_util.h"

enum { PHOTOS = 40 };

/* One line a photograph, and what verification finds. */
static void describe(FILE *out, const char *dir)
{
    struct firn_cache *c = open_reader(dir);
    struct firn_verify_result v = {0};
    struct firn_error err = {0};
    struct firn_cache_stat stat;
    struct firn_run run;
    firn_cache_stat(c, &stat);
    fprintf(out, "done %zu skipped %zu corrupt %zu gone %zu rows %zu dim %d store %d lost %zu\n",
            stat.records, stat.skipped, stat.corrupt, stat.gone, stat.rows, stat.dim,
            (int)stat.store, stat.lost_segments);
    if (stat.views > 1)
        fprintf(out, "views %d center %d\n", stat.views, stat.center);
    for (int i = 0; i < FIRN_PARTS; i++)
        fprintf(out, "%s: %s\n", firn_part_names[i], firn_cache_fingerprint(c)->part[i]);
    for (size_t i = 0; firn_cache_run(c, i, &run) == 0; i++)
        fprintf(out, "run %lld: %g s, %llu done, version %s\n", (long long)run.start, run.seconds,
                (unsigned long long)run.done, run.version);
    for (size_t i = 0; i < firn_cache_count(c); i++) {
        struct firn_photo p;
        float feature[DIM];
        firn_cache_photo(c, i, &p);
        fprintf(out, "%d %s/%s %d \"%s\" %llu %lld", p.label, p.root, p.name, (int)p.state,
                p.reason, (unsigned long long)p.size, (long long)p.mtime_ns);
        if (p.state == FIRN_DONE && firn_cache_features(c, &i, 1, feature, &err) == 0)
            fprintf(out, " %016llx", (unsigned long long)firn_checksum(feature, sizeof feature));
        else if (p.state == FIRN_DONE)
            fprintf(out, " damaged");
        fputc('\n', out);
    }
    firn_cache_close(c);
    int status = firn_verify(dir, 1, NULL, NULL, &v, &err);
    fprintf(out, "verify %d: %zu findings\n", status, v.findings);
}

static void make(const char *dir, enum firn_store store, int views)
{
    struct firn_fingerprint fp = test_fingerprint();
    if (views > 1)
        strcat(fp.part[FIRN_PART_PREPROCESS], " views=random:6:9/1");
    struct firn_error err = {0};
    for (unsigned k = 0; k < 2; k++) {
        struct firn_writer *w;
        struct firn_run run = {.start = 1700000000 + k, .seconds = 1.5, .done = 20, .version = "0"};
        struct firn_writer_settings settings = {.segment_bytes = 8 << 10,
                                                .views = views};
        char name[64];
        float feature[DIM];
        uint32_t root;
        CHECK_INT(firn_writer_open_with(&w, dir, &fp, DIM, store, &settings, &err), 0);
        CHECK_INT(test_root(w, &root, &err), 0);
        for (unsigned id = k * PHOTOS / 2; id < (k + 1) * PHOTOS / 2; id++) {
            CHECK_INT(test_add(w, id, root, &err), 0);
            if (id % 10 == 9)
                CHECK_INT(firn_writer_commit(w, &err), 0);
        }
        struct firn_record r = test_record(3, root, name, feature);
        r.name = "bees/copy \xff.jpg";
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
        r = (struct firn_record){.root = root, .name = "ants/bad.jpg", .size = 3,
                                 .state = FIRN_CORRUPT, .reason = "not a JPEG"};
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
        r.name = "elsewhere.jpg";
        r.state = FIRN_SKIPPED;
        r.reason = "Permission denied";
        CHECK_INT(firn_writer_add(w, &r, &err), 0);
        CHECK_INT(k == 0 ? 0 : test_add_gone(w, &err), 0);
        CHECK_INT(firn_writer_run(w, &run, &err), 0);
        CHECK_INT(firn_writer_close(w, &err), 0);
    }
}

/* The same cache with something wrong: a flipped byte, a cut, a segment that is missing. */
static void damage(const char *dir, int how)
{
    char path[4200];
    size_t size;
    snprintf(path, sizeof path, "%s/seg-%08d.firn", dir, how == 1 ? 1 : 2);
    uint8_t *bytes = slurp(path, &size);
    unlink(path);
    bytes[size / 2] ^= how == 1 ? 0x40 : 0;
    if (how < 3)
        spill(path, bytes, how == 1 ? size : size - 4096);
    free(bytes);
}

static int make_all(const char *base)
{
    static const char *const names[] = {"v1-roll-f32", "v1-roll-f16", "v1-roll-flip",
                                        "v1-roll-cut", "v1-roll-missing", "v1-roll-views"};
    for (int i = 0; i < 6; i++) {
        char *dir, *text, *lock;
        if (asprintf(&dir, "%s/%s", base, names[i]) < 0 || asprintf(&text, "%s.txt", dir) < 0)
            abort();
        make(dir, i == 1 ? FIRN_STORE_F16 : FIRN_STORE_F32, i == 5 ? 6 : 1);
        if (asprintf(&lock, "%s/LOCK", dir) < 0)
            abort();
        unlink(lock); /* names a machine */
        free(lock);
        if (i >= 2 && i < 5)
            damage(dir, i - 1);
        FILE *out = fopen(text, "w");
        if (!out)
            abort();
        describe(out, dir);
        fclose(out);
        free(dir);
        free(text);
    }
    CHECK_DONE();
}

static void check_one(const char *base, const char *name)
{
    char *dir, *path, *got = NULL;
    size_t size, got_size = 0;
    if (asprintf(&path, "%s/%s", base, name) < 0 ||
        asprintf(&dir, "%.*s", (int)strlen(path) - 4, path) < 0)
        abort();
    char *want = (char *)slurp(path, &size);
    want[size] = 0;
    FILE *out = open_memstream(&got, &got_size);
    describe(out, dir);
    fclose(out);
    CHECK(strcmp(got, want) == 0, "%s reads as\n%s", name, got);
    free(want);
    free(got);
    free(dir);
    free(path);
}

static void copy_segments(const char *from, const char *to)
{
    DIR *d = opendir(from);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        char *source, *target;
        size_t size;
        if (strncmp(e->d_name, "seg-", 4) != 0)
            continue;
        if (asprintf(&source, "%s/%s", from, e->d_name) < 0 ||
            asprintf(&target, "%s/%s", to, e->d_name) < 0)
            abort();
        uint8_t *bytes = slurp(source, &size);
        spill(target, bytes, size);
        free(bytes);
        free(source);
        free(target);
    }
    if (d)
        closedir(d);
}

/* A copy of an old cache grows on, in the same segment, and loses nothing. */
static void check_growth(const char *base, const char *name, enum firn_store store)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_verify_result v;
    struct firn_writer *w;
    char *old, *dir = test_dir(), name_of[64];
    uint32_t root;
    if (asprintf(&old, "%s/%s", base, name) < 0)
        abort();
    copy_segments(old, dir);
    CHECK_INT(firn_writer_open(&w, dir, &fp, DIM, store, &err), 0);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = 0; id < 2 * PHOTOS; id++) {
        float feature[DIM];
        struct firn_record r = test_record(id, root, name_of, feature);
        bool known = firn_writer_known(w, root, r.name, r.size, r.mtime_ns, r.ctime_ns) ==
                     FIRN_KNOWN_DONE;
        CHECK(known == (id < PHOTOS), "%s: photograph %u", name, id);
        if (!known)
            CHECK_INT(firn_writer_add(w, &r, &err), 0);
    }
    CHECK_INT(firn_writer_close(w, &err), 0);
    struct firn_cache *was = open_reader(old), *is = open_reader(dir);
    struct firn_cache_stat before, after;
    firn_cache_stat(was, &before);
    firn_cache_stat(is, &after);
    CHECK_INT(after.records, before.records + PHOTOS);
    CHECK_INT(after.rows, before.rows + PHOTOS);
    CHECK_INT(after.segments, before.segments);
    for (size_t i = 0; i < firn_cache_count(is); i++) {
        float feature[DIM];
        if (firn_cache_state(is, i) == FIRN_DONE)
            CHECK(firn_cache_features(is, &i, 1, feature, &err) == 0, "%s: %s", name, err.text);
    }
    firn_cache_close(was);
    firn_cache_close(is);
    CHECK(firn_verify(dir, 1, NULL, NULL, &v, &err) == 0, "%s: %s", name, err.text);
    remove_dir(dir);
    free(dir);
    free(old);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--make") == 0)
        return make_all(argv[2]);
    DIR *d = opendir(argc == 2 ? argv[1] : "golden");
    const struct dirent *e;
    int seen = 0;
    while (d && (e = readdir(d)) != NULL) {
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".txt") != 0)
            continue;
        check_one(argv[1], e->d_name);
        seen++;
    }
    if (d)
        closedir(d);
    CHECK(seen >= 12, "%d caches", seen);
    check_growth(argv[1], "v1-f32", FIRN_STORE_F32);
    check_growth(argv[1], "v1-f16", FIRN_STORE_F16);
    check_growth(argv[1], "v1-roll-f32", FIRN_STORE_F32);
    CHECK_DONE();
}
