/* SPDX-License-Identifier: MIT */
/**
 * BatchNorm statistics: an example that is computed by hand, and the promise that nothing but the
 * photographs and the method decides the bits.
 */
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bn/tree.h"
#include "check.h"
#include "firn/bn.h"
#include "model/family.h"
#include "model/safetensors_write.h"

#define PHOTOS 22

static char dir[] = "/tmp/firn-test-bn-XXXXXX";

static const char *in_dir(const char *name)
{
    static char text[64][256];
    static int next;
    char *p = text[next++ % 64];
    snprintf(p, sizeof text[0], "%s/%s", dir, name);
    return p;
}

/* ---- photographs ---- */

static void write_ppm(const char *path, int w, int h, unsigned long long *seed, int red)
{
    FILE *file = fopen(path, "wb");
    fprintf(file, "P6\n%d %d\n255\n", w, h);
    for (int i = 0; i < w * h; i++)
        for (int c = 0; c < 3; c++)
            putc(red >= 0 ? (c ? 0 : red) : (int)(check_random(seed) % 256), file);
    CHECK_INT(fclose(file), 0);
}

static void draw(void)
{
    unsigned long long seed = 5;
    char name[64];
    mkdir(in_dir("photos"), 0777);
    for (int c = 0; c < 2; c++) {
        snprintf(name, sizeof name, "photos/class%d", c);
        mkdir(in_dir(name), 0777);
        for (int i = c; i < PHOTOS; i += 2) {
            snprintf(name, sizeof name, "photos/class%d/%02d.ppm", c, i);
            write_ppm(in_dir(name), 70 + i, 90 - i, &seed, -1);
        }
    }
}

/* ---- runs ---- */

static struct firn_bn_options options(enum firn_bn_method method, const char *output)
{
    static char photos_dir[256];
    static const char *photos[1] = {photos_dir};
    snprintf(photos_dir, sizeof photos_dir, "%s/photos", dir);
    return (struct firn_bn_options){.model = "untrained:resnet18", .output = output,
                                    .paths = photos, .n_paths = 1, .resize = 72, .crop = 64,
                                    .method = method, .batch = 3, .threads = 1};
}

static struct firn_bn_result run(const struct firn_bn_options *o, int expected)
{
    struct firn_bn_result result = {0};
    struct firn_error err = {0};
    int status = firn_bn_estimate(o, &result, &err);
    CHECK(status == expected, "(%d: %s)", status, err.text);
    return result;
}

static bool same_files(const char *a, const char *b)
{
    FILE *x = fopen(a, "rb"), *y = fopen(b, "rb");
    int c = 0, d = 0;
    while (x && y && c == d && c != EOF) {
        c = getc(x);
        d = getc(y);
    }
    bool same = x && y && c == d;
    if (x)
        fclose(x);
    if (y)
        fclose(y);
    return same;
}

/* ---- by hand ---- */

/*
 * A ResNet-18 that passes one number on: conv1 and layer1.0.conv1 have one weight, in the middle of
 * the first kernel. `scale` makes a difference of 30 in the red byte a difference of 1.
 */
static void write_network(const char *path)
{
    struct firn_network *w = calloc(1, sizeof *w);
    struct firn_tensor_out *tensor = calloc(FIRN_MAX_PARAMS, sizeof *tensor);
    firn_network_init(w, firn_family_find("resnet18"));
    CHECK_INT(firn_network_alloc(w, NULL), 0);
    for (int i = 0; i < w->n_param; i++) {
        struct firn_param *p = &w->param[i];
        for (size_t k = 0; k < p->count; k++)
            p->data[k] = p->role == FIRN_GAMMA || p->role == FIRN_VAR;
        if (strcmp(p->name, "conv1.weight") == 0)
            p->data[3 * 7 + 3] = (float)(255 * 0.229 / 30);
        if (strcmp(p->name, "layer1.0.conv1.weight") == 0)
            p->data[4] = 1;
        tensor[i] = (struct firn_tensor_out){.name = p->name, .dtype = FIRN_F32, .ndim = p->ndim,
                                             .data = p->data};
        for (int d = 0; d < p->ndim; d++)
            tensor[i].shape[d] = p->shape[d];
    }
    CHECK_INT(firn_safetensors_write(path, NULL, 0, tensor, (size_t)w->n_param, NULL), 0);
    free(w->numbers);
    free(w);
    free(tensor);
}

/* `rest` is the variance of a channel that is constant. */
static void expect(const char *path, int layer, double mean_less, double mean, double var,
                   double rest)
{
    struct firn_bn *bn;
    struct firn_bn_layer l;
    CHECK_INT(firn_bn_open(&bn, path, NULL), 0);
    firn_bn_layer(bn, layer, &l);
    CHECK(fabs(l.mean[0] - mean_less - mean) < 2e-5, "(%s: mean %.6f, expected %.6f)", l.name,
          l.mean[0] - mean_less, mean);
    CHECK(fabs(l.var[0] - var) < 2e-5 * var + 1e-5, "(%s: variance %.6f, expected %.6f)", l.name,
          l.var[0], var);
    CHECK(fabs(l.var[1] - rest) < 1e-6 && l.mean[1] == 0, "(%s: %g)", l.name, l.var[1]);
    firn_bn_close(bn);
}

/*
 * Two batches of two photographs of one colour each: behind conv1 they are 0, 2 and 0, 4, apart
 * from a constant. P = 32 * 32 pixels, then 16 * 16.
 *
 * bn1. The batches' biased variances are 1 and 4, so update_bn has (1 + 4) / 2 * 2P / (2P - 1);
 * pooled, about the mean 1.5, they are (2.25 + 0.25 + 2.25 + 6.25) / 4 = 2.75.
 *
 * layer1.0.bn1. In training mode each batch has become -1, 1, behind the ReLU 0, 1: a mean of 1/2
 * and a variance of 1/4, pooled the same; update_bn has 1/4 * 2P / (2P - 1). In the frozen network
 * the four are 0, 0.5, 0, 2.5 over the root of 2.75: a mean of 0.75 / 1.6583 and a variance of
 * (6.5 / 4 - 0.75^2) / 2.75 = 0.386364.
 */
static void test_by_hand(void)
{
    static const int red[4] = {0, 60, 0, 120};
    static const char *const names[4] = {"hand/a.ppm", "hand/b.ppm", "hand/c.ppm", "hand/d.ppm"};
    const char *model = in_dir("hand.safetensors"), *paths[1];
    double offset = -0.485 * 255 / 30;
    mkdir(in_dir("hand"), 0777);
    for (int i = 0; i < 4; i++)
        write_ppm(in_dir(names[i]), 64, 64, NULL, red[i]);
    write_network(model);
    paths[0] = in_dir("hand");
    struct firn_bn_options o = options(FIRN_BN_CUMULATIVE, in_dir("c.safetensors"));
    o.model = model;
    o.paths = paths;
    o.batch = 2;
    o.resize = 64;
    o.order = FIRN_BN_ORDER_FOLDER;
    run(&o, 0);
    expect(o.output, 0, offset, 1.5, 2.5 * 2048 / 2047, 1);
    expect(o.output, 1, 0, 0.5, 0.25 * 512 / 511, 1);
    o.method = FIRN_BN_POPULATION;
    o.output = in_dir("p.safetensors");
    run(&o, 0);
    expect(o.output, 0, offset, 1.5, 2.75, 1);
    expect(o.output, 1, 0, 0.5, 0.25, 1);
    o.method = FIRN_BN_SEQUENTIAL;
    o.output = in_dir("s.safetensors");
    run(&o, 0);
    expect(o.output, 0, offset, 1.5, 2.75, 1);
    expect(o.output, 1, 0, 0.75 / sqrt(2.75), (6.5 / 4 - 0.75 * 0.75) / 2.75, 1);
    o.method = FIRN_BN_EMA; /* begins with mean 0 and variance 1 */
    o.output = in_dir("e.safetensors");
    run(&o, 0);
    expect(o.output, 0, 0.19 * offset, 0.09 * 1 + 0.1 * 2,
           0.81 + (0.09 * 1 + 0.1 * 4) * 2048 / 2047, 0.81);
    o.blend = 12; /* 12 of 16 for the checkpoint's 0 and 1 */
    o.method = FIRN_BN_POPULATION;
    run(&o, 0);
    expect(o.output, 0, 0.25 * offset, 0.25 * 1.5, 0.75 + 0.25 * 2.75, 1);
}

/* ---- the same bits ---- */

static void test_threads(void)
{
    for (int m = 0; m < FIRN_BN_METHODS; m++) {
        struct firn_bn_options o = options((enum firn_bn_method)m, in_dir("one.safetensors"));
        struct firn_bn_result r = run(&o, 0);
        CHECK_INT(r.photographs, PHOTOS);
        CHECK_INT(r.layers, 20);
        o.threads = 4;
        o.output = in_dir("four.safetensors");
        run(&o, 0);
        CHECK(same_files(in_dir("one.safetensors"), o.output), "(method %d)", m);
    }
}

/* A list in the opposite order, with a batch that divides nothing. */
static void test_order(void)
{
    char name[64];
    FILE *list = fopen(in_dir("list"), "w");
    for (int i = PHOTOS; i-- > 0;) {
        snprintf(name, sizeof name, "photos/class%d/%02d.ppm", i % 2, i);
        fprintf(list, "%s\n", in_dir(name));
    }
    fclose(list);
    for (int m = FIRN_BN_SEQUENTIAL; m <= FIRN_BN_POPULATION; m++) {
        struct firn_bn_options o = options((enum firn_bn_method)m, in_dir("one.safetensors"));
        struct firn_bn_result r = run(&o, 0);
        o.n_paths = 0;
        o.files_from = in_dir("list");
        o.output = in_dir("list.safetensors");
        struct firn_bn_result again = run(&o, 0);
        CHECK_INT(r.photographs, again.photographs);
        struct firn_bn *a, *b;
        CHECK_INT(firn_bn_open(&a, in_dir("one.safetensors"), NULL), 0);
        CHECK_INT(firn_bn_open(&b, o.output, NULL), 0);
        CHECK_STR(firn_bn_words(a), firn_bn_words(b)); /* holds the hash of all numbers */
        firn_bn_close(a);
        firn_bn_close(b);
    }
}

/* Overwrites the first number of "x" in a shard, which comes behind "nodes" [k][3]. */
static void spoil(const char *path, double value)
{
    char head[8192] = "";
    uint64_t size = 0;
    long k = 0;
    FILE *file = fopen(path, "r+b");
    CHECK(file && fread(&size, 8, 1, file) == 1 && fread(head, 1, 4096, file) > 0, "(%s)", path);
    const char *nodes = strstr(head, "\"nodes\""), *shape = nodes ? strchr(nodes, '[') : NULL;
    CHECK(shape && sscanf(shape, "[%ld,3]", &k) == 1 && k > 0, "(%s)", path);
    CHECK(fseek(file, 8 + (long)size + 24 * k, SEEK_SET) == 0 && fwrite(&value, 8, 1, file) == 1);
    CHECK_INT(fclose(file), 0);
}

/* More of this: check_bn_shards.py. */
static void test_damaged_shard(const char *const *shard, size_t n)
{
    struct firn_error err;
    spoil(shard[0], 0.5);
    CHECK_INT(firn_bn_merge(shard, n, in_dir("none"), NULL, &err), -FIRN_DATA);
    CHECK(strstr(err.text, "is damaged"), "(%s)", err.text);
    CHECK(access(in_dir("none"), F_OK) != 0);
}

static void test_shards(void)
{
    const char *shard[7];
    char name[64];
    struct firn_error err;
    for (int m = FIRN_BN_POPULATION; m < FIRN_BN_METHODS; m++) {
        struct firn_bn_options o = options((enum firn_bn_method)m, in_dir("one.safetensors"));
        run(&o, 0);
        for (int i = 0; i < 7; i++) {
            snprintf(name, sizeof name, "shard%d", i);
            shard[(i + 3) % 7] = strdup(in_dir(name)); /* any order of the arguments */
            o.output = shard[(i + 3) % 7];
            o.shard = i + 1;
            o.shards = 7;
            run(&o, 0);
        }
        CHECK(firn_bn_merge(shard, 7, in_dir("merged.safetensors"), NULL, &err) == 0, "(%s)",
              err.text);
        CHECK(same_files(in_dir("one.safetensors"), in_dir("merged.safetensors")), "(%d)", m);
        CHECK_INT(firn_bn_merge(shard, 6, in_dir("none"), NULL, &err), -FIRN_CONFIG);
        CHECK(strstr(err.text, "is missing"), "(%s)", err.text);
        const char *twice[8] = {shard[0], shard[1], shard[2], shard[3],
                                shard[4], shard[5], shard[6], shard[2]};
        CHECK_INT(firn_bn_merge(twice, 8, in_dir("none"), NULL, &err), -FIRN_CONFIG);
        CHECK(access(in_dir("none"), F_OK) != 0);
        test_damaged_shard(shard, 7);
        for (int i = 0; i < 7; i++)
            free((char *)shard[i]);
    }
}

/* Wherever activations are kept. */
static void test_places(void)
{
    struct firn_bn_options o = options(FIRN_BN_SEQUENTIAL, in_dir("one.safetensors"));
    run(&o, 0);
    o.threads = 3;
    o.memory = 1;
    o.output = in_dir("file.safetensors");
    CHECK(run(&o, 0).spilled > 0);
    CHECK(same_files(in_dir("one.safetensors"), o.output));
    o.no_spill = true;
    o.output = in_dir("nowhere.safetensors");
    CHECK(run(&o, 0).spilled == 0);
    CHECK(same_files(in_dir("one.safetensors"), o.output));
}

static volatile int stop;
static int stop_at;

static void on_progress(void *user, const struct firn_bn_progress *p)
{
    (void)user;
    if (p->pass >= stop_at)
        stop = 1;
}

static int notices;

static void on_notice(void *user, const char *text)
{
    (void)user;
    notices += strstr(text, "going on behind layer") != NULL;
}

/* Stopped again and again, the same command arrives at the same bits. */
static void test_resume(void)
{
    struct firn_bn_options o = options(FIRN_BN_SEQUENTIAL, in_dir("one.safetensors"));
    run(&o, 0);
    o.output = in_dir("resumed.safetensors");
    o.stop = &stop;
    o.on_progress = on_progress;
    o.on_notice = on_notice;
    for (stop_at = 3; stop_at < 17; stop_at += 6) {
        stop = 0;
        int status = firn_bn_estimate(&o, NULL, NULL);
        CHECK(status == -FIRN_INTERRUPTED, "(%d)", status);
        CHECK(access(o.output, F_OK) != 0);
        CHECK(access(in_dir("resumed.safetensors.partial"), F_OK) == 0);
    }
    stop = 0;
    stop_at = 1000;
    run(&o, 0);
    CHECK(notices >= 1, "(it did go on)");
    CHECK(same_files(in_dir("one.safetensors"), o.output));
    CHECK(access(in_dir("resumed.safetensors.partial"), F_OK) != 0);
}

/* ---- odd sets ---- */

static void test_few(void)
{
    struct firn_error err;
    char name[64];
    snprintf(name, sizeof name, "photos/class0/00.ppm");
    const char *paths[1] = {in_dir(name)};
    for (int m = 0; m < FIRN_BN_METHODS; m++) {
        struct firn_bn_options o = options((enum firn_bn_method)m, in_dir("few.safetensors"));
        o.paths = paths;
        CHECK_INT(run(&o, 0).photographs, 1);
        struct firn_bn *bn;
        CHECK_INT(firn_bn_open(&bn, o.output, &err), 0);
        for (int i = 0; i < firn_bn_layers(bn); i++) {
            struct firn_bn_layer l;
            firn_bn_layer(bn, i, &l);
            for (int k = 0; k < l.channels; k++)
                CHECK(isfinite(l.mean[k]) && isfinite(l.var[k]) && l.var[k] >= 0);
        }
        firn_bn_close(bn);
        o.resize = o.crop = 32; /* maps of one pixel at the end */
        CHECK_INT(firn_bn_estimate(&o, NULL, &err), -FIRN_CONFIG);
        CHECK(strstr(err.text, "one value has no variance"), "(%s)", err.text);
    }
}

static void test_corrupt(void)
{
    FILE *file = fopen(in_dir("photos/class0/bad.jpg"), "w");
    fputs("no photograph", file);
    fclose(file);
    for (int m = 0; m < FIRN_BN_METHODS; m++) {
        struct firn_bn_options o = options((enum firn_bn_method)m, in_dir("bad.safetensors"));
        struct firn_bn_result r = run(&o, -FIRN_PARTIAL);
        CHECK_INT(r.photographs, PHOTOS);
        CHECK_INT(r.failed, 1);
    }
    unlink(in_dir("photos/class0/bad.jpg"));
}

/* Leaves of random weight in one tree, and in seven that are put together. */
static void test_tree(void)
{
    enum { LEAVES = 45, WIDTH = 3 };
    unsigned long long seed = 1;
    for (int kind = 0; kind < 3; kind++) {
        struct firn_tree one, part, whole;
        double w[2], x[2][WIDTH], y[2][WIDTH];
        firn_tree_init(&one, (enum firn_tree_kind)kind, WIDTH, 0);
        firn_tree_init(&whole, (enum firn_tree_kind)kind, WIDTH, 0);
        for (int s = 0; s < 7; s++) {
            firn_tree_init(&part, (enum firn_tree_kind)kind, WIDTH, (uint64_t)LEAVES * s / 7);
            for (int i = LEAVES * s / 7; i < LEAVES * (s + 1) / 7; i++) {
                double weight = kind == FIRN_TREE_DECAY ? 0.9 : 1 + (double)(i % 5);
                for (int k = 0; k < WIDTH; k++) {
                    x[0][k] = (double)(check_random(&seed) >> 11) * 0x1p-53;
                    y[0][k] = (double)(check_random(&seed) >> 11) * 0x1p-53;
                }
                bool there = i % 11 != 3;
                double nothing = firn_tree_nothing((enum firn_tree_kind)kind);
                firn_tree_push(&one, there ? weight : nothing, there ? x[0] : NULL, y[0], NULL);
                firn_tree_push(&part, there ? weight : nothing, there ? x[0] : NULL, y[0], NULL);
            }
            for (int i = 0; i < part.n; i++)
                CHECK_INT(firn_tree_append(&whole, &part.node[i], NULL), 0);
            CHECK(s == 0 || firn_tree_append(&whole, &part.node[0], NULL) != 0);
            firn_tree_free(&part);
        }
        firn_tree_total(&one, &w[0], x[0], y[0], NULL);
        firn_tree_total(&whole, &w[1], x[1], y[1], NULL);
        CHECK(w[0] == w[1] && memcmp(x[0], x[1], sizeof x[0]) == 0 &&
              memcmp(y[0], y[1], sizeof y[0]) == 0, "(kind %d)", kind);
        firn_tree_free(&one);
        firn_tree_free(&whole);
    }
}

static void test_compare(void)
{
    struct firn_bn *a, *b;
    struct firn_bn_shift shift[20];
    CHECK_INT(firn_bn_open(&a, in_dir("hand.safetensors"), NULL), 0);
    CHECK_INT(firn_bn_open(&b, in_dir("p.safetensors"), NULL), 0);
    CHECK_INT(firn_bn_compare(a, a, shift, NULL), 0);
    CHECK(shift[0].kl == 0 && shift[0].shift == 0);
    CHECK_INT(firn_bn_compare(a, b, shift, NULL), 0);
    double m = 1.5 - 0.485 * 255 / 30, kl = (2.75 + m * m - 1 - log(2.75)) / 2;
    CHECK_INT(shift[0].worst[0].channel, 0);
    CHECK(fabs(shift[0].worst[0].kl - kl) < 1e-3, "(%g, %g)", shift[0].worst[0].kl, kl);
    CHECK(fabs(shift[0].kl - kl / 64) < 1e-4);
    CHECK(fabs(shift[0].most - fabs(m)) < 1e-3 && fabs(shift[0].shift - fabs(m) / 8) < 1e-3);
    firn_bn_close(b);
    firn_bn_close(a);
}

int main(void)
{
    CHECK(mkdtemp(dir) != NULL);
    draw();
    test_tree();
    test_by_hand();
    test_compare();
    test_threads();
    test_order();
    test_shards();
    test_places();
    test_resume();
    test_few();
    test_corrupt();
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_INT(system(command), 0);
    CHECK_DONE();
}
