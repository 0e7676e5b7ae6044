/* SPDX-License-Identifier: MIT */
/** `firn bn advise`: which BatchNorm statistics serve a data set, by measured accuracy. */
#include "advise_photos.h"
#include "cli.h"
#include "extract_options.h"
#include "progress.h"
#include "scratch.h"
#include "stop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "firn/bn.h"
#include "firn/extract.h"
#include "firn/probe.h"
#include "output.h"

#define HOLDOUT 20 /* percent, where there is no val directory */
#define MODES 4

/** One way to have statistics, and what came of it. The first one is what the others must beat. */
struct mode {
    const char *name;
    bool estimated; /**< on train, by `method`; else `name` is what --bn takes */
    enum firn_bn_method method;
    struct firn_proportion accuracy;
    double extract; /**< seconds a photograph; NaN when all was there already */
    double estimate; /**< the same, of train's */
};

struct advice {
    const char *model, *dir, *keep, *cpu;
    int sample, batch, threads, resize, crop;
    bool turn, fast;
    bool partial; /**< a photograph failed */
    char batch_name[32];
    char *place;        /**< caches, statistics, links */
    char *train, *val;  /**< directories of photographs */
    char *whole;        /**< frozen cache of everything, where there are no two directories */
    struct mode mode[MODES];
    struct firn_display display;
    const volatile int *stop;
    const struct mode *working; /**< for the progress line */
};

/* ---- the steps ---- */

static void on_progress(void *user, const struct firn_progress *p)
{
    struct advice *a = user;
    char line[96];
    snprintf(line, sizeof(line), "%s: %llu photographs", a->working->name,
             (unsigned long long)(p->known + p->done));
    firn_progress_line(&a->display, p->seconds, line);
}

static void on_failure(void *user, const char *path, enum firn_state state, const char *reason)
{
    struct advice *a = user;
    if (a->working != a->mode) {
        return; /* said once */
    }
    firn_progress_clear(&a->display);
    firn_cli_warn("%s: %s: %s", path, state == FIRN_CORRUPT ? "corrupt" : "skipped", reason);
}

static char *in_place(const struct advice *a, const char *name, const char *ending)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s%s", a->place, name, ending) < 0 ? NULL : path;
}

static int extract(struct advice *a, const char *photographs, const char *cache, const char *bn,
                   struct firn_progress *sum, struct firn_error *err)
{
    struct firn_extract_options o = {
        .model = a->model, .cache = cache, .paths = &photographs, .n_paths = 1, .bn = bn,
        .resize = a->resize, .crop = a->crop, .turn = a->turn, .fast = a->fast,
        .threads = a->threads, .cpu = a->cpu,
        .on_progress = on_progress, .on_failure = on_failure, .user = a, .stop = a->stop};
    struct firn_progress p = {0};
    int result = firn_extract(&o, &p, err);
    firn_progress_clear(&a->display);
    sum->seconds += p.seconds;
    sum->done += p.done;
    a->partial = a->partial || result == -FIRN_PARTIAL;
    return result == -FIRN_PARTIAL ? 0 : result;
}

static int estimate(struct advice *a, struct mode *m, const char *stats, struct firn_error *err)
{
    const char *train = a->train;
    struct firn_bn_options o = {.model = a->model, .output = stats, .paths = &train, .n_paths = 1,
                                .resize = a->resize, .crop = a->crop, .turn = a->turn,
                                .fast = a->fast, .method = m->method,
                                .threads = a->threads, .cpu = a->cpu, .stop = a->stop};
    struct firn_bn_result r = {0};
    int result = firn_bn_estimate(&o, &r, err);
    m->estimate = r.photographs ? r.seconds / (double)r.photographs : NAN;
    return result == -FIRN_PARTIAL ? 0 : result;
}

/** Of a cache in `place`, of which the caller knows nothing, or what to do about it. */
static int blame_photographs(const struct advice *a, struct firn_error *err)
{
    struct firn_error was = *err;
    size_t n = strlen(a->place);
    const char *colon = strncmp(was.text, a->place, n) == 0 ? strchr(was.text + n, ':') : NULL;
    return colon ? firn_output_fail(err, was.code, "%s%.*s", a->dir, (int)strcspn(colon, ";"),
                                    colon)
                 : -(int)was.code;
}

static int probe(struct advice *a, struct mode *m, const char *train, const char *val,
                 struct firn_error *err)
{
    /* The batches of train and those of val are not the same, so that their fingerprints differ. */
    bool by_batch = !m->estimated && m != a->mode;
    const struct firn_probe_options o = {.train = train, .val = val, .holdout = HOLDOUT,
                                         .mixed = by_batch, .threads = a->threads,
                                         .stop = a->stop};
    struct firn_probe *p;
    int result = firn_probe(&p, &o, err);
    if (result)
        return blame_photographs(a, err);
    m->accuracy = p->accuracy;
    firn_probe_free(p);
    return 0;
}

static int run_mode(struct advice *a, struct mode *m, struct firn_error *err)
{
    struct firn_progress sum = {0};
    char *stats = in_place(a, m->name, ".safetensors");
    char *train = in_place(a, m->name, "-train.firn"), *val = in_place(a, m->name, "-val.firn");
    const char *bn = m->estimated ? stats : m->name;
    bool whole = m == a->mode && a->whole; /* its features are there, and the split is the same */
    int result = stats && train && val ? 0 : firn_output_fail(err, FIRN_NOMEM, "out of memory");
    a->working = m;
    if (result == 0 && m->estimated)
        result = estimate(a, m, stats, err);
    if (result == 0 && !whole) {
        result = extract(a, a->train, train, bn, &sum, err);
        if (result == 0)
            result = extract(a, a->val, val, bn, &sum, err);
        m->extract = sum.done ? sum.seconds / (double)sum.done : NAN;
    }
    if (result == 0)
        result = probe(a, m, whole ? a->whole : train, whole ? NULL : val, err);
    free(stats);
    free(train);
    free(val);
    return result;
}

/* ---- the photographs ---- */

/** `*dir` becomes a sample of itself when `n` files are too many. */
static int thin_out(struct advice *a, char **dir, const char *name, size_t n,
                    struct firn_error *err)
{
    char *to = n > (size_t)a->sample ? in_place(a, name, "") : NULL;
    if (n <= (size_t)a->sample)
        return 0;
    int result = to ? firn_advise_sample(*dir, to, (double)a->sample / (double)n, err)
                    : firn_output_fail(err, FIRN_NOMEM, "out of memory");
    free(*dir);
    *dir = to;
    return result;
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int use_two(struct advice *a, struct firn_error *err)
{
    size_t n[2];
    int result = firn_advise_classes(a->train, 2, err);
    if (result == 0)
        result = firn_advise_classes(a->val, 1, err);
    if (result == 0)
        result = firn_advise_count(a->train, &n[0], err);
    if (result == 0)
        result = firn_advise_count(a->val, &n[1], err);
    if (result == 0)
        result = thin_out(a, &a->train, "sample-train", n[0] + n[1], err);
    return result ? result : thin_out(a, &a->val, "sample-val", n[0] + n[1], err);
}

/** Frozen features of everything first: that tells the contents, by which the rest is split. */
static int use_one(struct advice *a, struct firn_error *err)
{
    size_t n;
    struct firn_progress sum = {0};
    char *all = strdup(a->dir);
    free(a->train);
    free(a->val);
    a->train = in_place(a, "train", "");
    a->val = in_place(a, "val", "");
    a->whole = in_place(a, "frozen", ".firn");
    a->working = a->mode;
    int result = all && a->train && a->val && a->whole
                     ? firn_advise_classes(all, 2, err)
                     : firn_output_fail(err, FIRN_NOMEM, "out of memory");
    if (result == 0)
        result = firn_advise_count(all, &n, err);
    if (result == 0)
        result = thin_out(a, &all, "sample", n, err);
    if (result == 0)
        result = extract(a, all, a->whole, "frozen", &sum, err);
    a->mode[0].extract = sum.done ? sum.seconds / (double)sum.done : NAN;
    if (result == 0)
        result = firn_advise_split(a->whole, HOLDOUT, a->train, a->val, err);
    free(all);
    return result;
}

static int choose_photographs(struct advice *a, struct firn_error *err)
{
    if (asprintf(&a->train, "%s/train", a->dir) < 0 || asprintf(&a->val, "%s/val", a->dir) < 0)
        return firn_output_fail(err, FIRN_NOMEM, "out of memory");
    return is_directory(a->train) && is_directory(a->val) ? use_two(a, err) : use_one(a, err);
}

/* ---- the advice ---- */

/**
 * One sentence. A mode is better or worse than the checkpoint's statistics only where the two
 * intervals do not overlap.
 */
static char *advise(const struct advice *a)
{
    const struct mode *frozen = &a->mode[0], *best = NULL;
    char worse[128] = "", *text = NULL;
    for (const struct mode *m = frozen + 1; m < a->mode + MODES; m++) {
        if (m->accuracy.high < frozen->accuracy.low) {
            size_t n = strlen(worse);
            snprintf(worse + n, sizeof(worse) - n, "%s%s", n ? ", " : "", m->name);
        }
        if (m->accuracy.low > frozen->accuracy.high &&
            (!best || m->accuracy.value > best->accuracy.value))
            best = m;
    }
    int n = best ? asprintf(&text, "Use %s: it is better than frozen beyond the noise%s%s.",
                            best->name, *worse ? "; worse than frozen: " : "", worse)
                 : asprintf(&text, "Keep frozen: no other mode is better beyond the noise (their "
                            "intervals overlap, at %zu photographs)%s%s.", frozen->accuracy.n,
                            *worse ? "; worse beyond it: " : "", worse);
    return n < 0 ? NULL : text;
}

static void print_seconds(double seconds)
{
    if (isnan(seconds))
        printf("  %12s", "-");
    else
        printf("  %12.4f", seconds);
}

static void print_text(const struct advice *a, const char *sentence)
{
    printf("%-12s  %8s  %-14s  %5s of %-5s  %12s  %12s\n", "mode", "accuracy", "95% interval",
           "right", "val", "extract", "estimate");
    for (const struct mode *m = a->mode; m < a->mode + MODES; m++) {
        const struct firn_proportion *p = &m->accuracy;
        printf("%-12s  %8.3f  %.3f to %.3f  %5zu of %-5zu", m->name, p->value, p->low, p->high,
               p->right, p->n);
        print_seconds(m->extract);
        print_seconds(m->estimate);
        putchar('\n');
    }
    printf("Costs are seconds a photograph.\n%s\n", sentence);
}

static int print_json(const struct advice *a, const char *sentence)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_array(&j, "modes");
    for (const struct mode *m = a->mode; m < a->mode + MODES; m++) {
        firn_json_object(&j, NULL);
        firn_json_string(&j, "mode", m->name);
        firn_json_number(&j, "val_accuracy", m->accuracy.value);
        firn_json_array(&j, "ci95");
        firn_json_number(&j, NULL, m->accuracy.low);
        firn_json_number(&j, NULL, m->accuracy.high);
        firn_json_end_array(&j);
        firn_json_int(&j, "right", (int64_t)m->accuracy.right);
        firn_json_int(&j, "val", (int64_t)m->accuracy.n);
        firn_json_number(&j, "extract_seconds", m->extract);
        firn_json_number(&j, "estimate_seconds", m->estimate);
        firn_json_end_object(&j);
    }
    firn_json_end_array(&j);
    firn_json_string(&j, "advice", sentence);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static int run_all(struct advice *a, struct firn_error *err)
{
    int result = a->keep ? firn_scratch_mkdir(a->keep, err) : 0;
    a->place = result ? NULL : a->keep ? strdup(a->keep) : firn_scratch_create(err);
    if (!a->place)
        return result ? result : -(int)err->code;
    result = choose_photographs(a, err);
    for (int i = 0; i < MODES && result == 0; i++)
        result = run_mode(a, &a->mode[i], err);
    return result;
}

static int run(struct advice *a, bool json)
{
    struct firn_error err = {0};
    a->stop = firn_stop_on_signals();
    firn_progress_start(&a->display, a->stop, a->keep != NULL);
    int status = -run_all(a, &err);
    firn_progress_clear(&a->display);
    if (a->keep)
        free(a->place);
    else
        firn_scratch_remove(a->place);
    if (status == FIRN_INTERRUPTED) {
        firn_cli_warn("stopped; %s", a->keep ? "the same command goes on from here"
                                             : "with --keep DIR the same command would go on");
    } else if (status) {
        status = firn_cli_fail(&err);
    } else {
        char *sentence = advise(a);
        status = json ? print_json(a, sentence) : (print_text(a, sentence ? sentence : ""), 0);
        free(sentence);
        status = !status && a->partial ? FIRN_PARTIAL : status;
    }
    free(a->train);
    free(a->val);
    free(a->whole);
    return status;
}

static int advise_verb(const struct firn_verb *verb, int argc, char **argv)
{
    struct advice a = {.sample = 2000, .batch = 4};
    int exif = 0, decode = 0;
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'm', "model", "MODEL", "weights: file, name or untrained:FAMILY[:SEED]",
         &a.model, NULL},
        {FIRN_OPT_COUNT, 0, "sample", "N", "take about N photographs of a larger set [2000]",
         &a.sample, NULL},
        {FIRN_OPT_COUNT, 'b', "batch", "N", "of the mode with per-batch statistics [4]", &a.batch,
         NULL},
        {FIRN_OPT_TEXT, 0, "keep", "DIR", "keep caches and statistics there [removed]", &a.keep,
         NULL},
        {FIRN_OPT_COUNT, 0, "resize", "N", "shorter side after resizing [by the model: 256 or 232]",
         &a.resize, NULL},
        {FIRN_OPT_COUNT, 0, "crop", "N", "side of the centre crop [by the model: 224]", &a.crop,
         NULL},
        FIRN_OPT_EXIF(exif),
        FIRN_OPT_DECODE(decode),
        {FIRN_OPT_COUNT, 'j', "threads", "N", "worker threads [usable cores]", &a.threads, NULL},
        {FIRN_OPT_TEXT, 0, "cpu", "NAME", "cap: generic, sse4, avx2, neon [best]", &a.cpu, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    if (!a.model)
        return firn_cli_usage(verb, "-m MODEL is missing");
    snprintf(a.batch_name, sizeof(a.batch_name), "batch:%d", a.batch);
    const struct mode modes[MODES] = {
        {.name = "frozen"},
        {.name = "sequential", .estimated = true, .method = FIRN_BN_SEQUENTIAL},
        {.name = "cumulative", .estimated = true, .method = FIRN_BN_CUMULATIVE},
        {.name = a.batch_name},
    };
    memcpy(a.mode, modes, sizeof(modes));
    for (int i = 0; i < MODES; i++)
        a.mode[i].extract = a.mode[i].estimate = NAN;
    a.dir = argv[0];
    a.turn = exif == 2;
    a.fast = decode == 2;
    return run(&a, json);
}

const struct firn_verb firn_verb_bn_advise = {
    .name = "bn advise",
    .args = "-m MODEL [options] DIR",
    .summary = "which statistics serve these photographs, by accuracy",
    .more = "DIR has the sub-directories train and val, each with one sub-directory a class; or\n"
            "one sub-directory a class, then a fifth is held out by content hash. Features are\n"
            "made in each mode: frozen, re-estimated on train (sequential, cumulative), per\n"
            "batch; a last layer is trained on each as 'firn probe' does. A mode counts as\n"
            "better or worse only where its 95% interval does not touch that of frozen.\n",
    .min_args = 1,
    .max_args = 1,
    .run = advise_verb,
};
