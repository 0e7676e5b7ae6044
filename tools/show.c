/* SPDX-License-Identifier: MIT */
/** `firn show`: one photograph's record and its feature. */
#include "cli.h"
#include "photo.h"
#include "view.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

static void print_record(const struct firn_photo *photo, const char *path)
{
    char when[40] = "?";
    struct tm tm;
    time_t seconds = (time_t)(photo->mtime_ns / 1000000000);
    if (localtime_r(&seconds, &tm))
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    printf("path      ");
    firn_cli_put(stdout, path);
    printf("\nclass     ");
    firn_cli_put(stdout, photo->class_name ? photo->class_name : "none");
    printf(" (label %d)\nsize      %llu bytes\nmodified  %s\nstate     %s", photo->label,
           (unsigned long long)photo->size, when, firn_photo_state(photo->state));
    if (photo->reason[0]) {
        printf(": ");
        firn_cli_put(stdout, photo->reason);
    }
    printf("\ncontent   blake2b:");
    for (size_t i = 0; i < sizeof(photo->content); i++)
        printf("%02x", photo->content[i]);
    putchar('\n');
}

static void print_feature(const float *feature, int dim)
{
    double sum = 0, squares = 0;
    float max = feature[0];
    int zeros = 0;
    for (int i = 0; i < dim; i++) {
        sum += feature[i];
        squares += (double)feature[i] * feature[i];
        max = feature[i] > max ? feature[i] : max;
        zeros += feature[i] == 0;
    }
    printf("feature   %d numbers: mean %.4g, max %.4g, length %.4g, %d zero\n", dim, sum / dim,
           (double)max, sqrt(squares), zeros);
    for (int i = 0; i < dim; i += 8) {
        printf("%6d ", i);
        for (int k = i; k < i + 8 && k < dim; k++)
            printf(" %8.5f", (double)feature[k]);
        putchar('\n');
    }
}

/** The features of a photograph and where they come from. */
struct features {
    const float *value; /* [views][dim], NULL: none */
    int dim, views;
    struct firn_view view[FIRN_MAX_VIEWS];
    bool placed;        /* `view` is known: the file is there, and the same */
};

static void put_feature(struct firn_json *j, const char *key, const float *feature, int dim)
{
    firn_json_array(j, key);
    for (int i = 0; feature && i < dim; i++)
        firn_json_number(j, NULL, (double)feature[i]);
    firn_json_end_array(j);
}

static int print_json(const struct firn_photo *photo, const struct features *f)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_photo_json(&j, photo);
    if (f->views == 1) {
        put_feature(&j, "feature", f->value, f->dim);
    } else {
        firn_json_array(&j, "views");
        for (int i = 0; f->value && i < f->views; i++) {
            firn_json_object(&j, NULL);
            firn_json_int(&j, "view", i);
            if (f->placed)
                firn_view_json(&j, "box", &f->view[i]);
            put_feature(&j, "feature", f->value + (size_t)i * (size_t)f->dim, f->dim);
            firn_json_end_object(&j);
        }
        firn_json_end_array(&j);
    }
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static void print_features(const struct features *f)
{
    for (int i = 0; i < f->views; i++) {
        char words[96] = "the photograph is not there, or has changed";
        if (f->placed)
            firn_view_words(&f->view[i], words);
        if (f->views > 1)
            printf("view %-4d %s\n", i, words);
        if (!firn_cli_quiet)
            print_feature(f->value + (size_t)i * (size_t)f->dim, f->dim);
    }
}

static int print(const struct firn_cache *cache, const struct firn_photo *photo,
                 struct features *f, bool json)
{
    struct firn_image_spec spec;
    char *path = firn_photo_path(photo);
    if (!path) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    f->placed = f->value && f->views > 1 &&
                firn_view_spec(firn_cache_fingerprint(cache), &spec) &&
                firn_views_count(&spec.views) == f->views &&
                firn_view_all(path, photo->content, &spec, f->view);
    int status = FIRN_OK;
    if (json) {
        status = print_json(photo, f);
    } else {
        print_record(photo, path);
        if (f->value)
            print_features(f);
    }
    free(path);
    return status;
}

/* As the cache names it; what it does not know may be a path from where the user stands. */
static int find(const struct firn_cache *cache, const char *path, size_t *i, struct firn_error *err)
{
    int result = firn_cache_find(cache, path, i, err);
    char *real = result == -FIRN_NOINPUT ? realpath(path, NULL) : NULL;
    if (real && firn_cache_find(cache, real, i, NULL) == 0)
        result = 0;
    free(real);
    return result;
}

static int show_one(const struct firn_cache *cache, const char *path, bool json)
{
    struct firn_error err = {0};
    struct firn_cache_stat s;
    struct firn_photo photo;
    size_t i;
    firn_cache_stat(cache, &s);
    struct features f = {.dim = s.dim, .views = s.views};
    if (find(cache, path, &i, &err))
        return firn_cli_fail(&err);
    firn_cache_photo(cache, i, &photo);
    if (photo.state != FIRN_DONE)
        return print(cache, &photo, &f, json);
    float *value = calloc((size_t)s.views * (size_t)s.dim, sizeof(*value));
    if (!value) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    f.value = value;
    int status = firn_cache_features(cache, &i, 1, value, &err) ? firn_cli_fail(&err)
                                                                : print(cache, &photo, &f, json);
    free(value);
    return status;
}

static int show(const struct firn_verb *verb, int argc, char **argv)
{
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    struct firn_cache *cache;
    status = firn_open_cache(&cache, argv[0]);
    if (status)
        return status;
    status = show_one(cache, argv[1], json);
    firn_cache_close(cache);
    return status;
}

const struct firn_verb firn_verb_show = {
    .name = "show",
    .args = "[options] CACHE PATH",
    .summary = "one photograph's record and its feature",
    .more = "PATH is absolute, or relative to the directory that was extracted or to the\n"
            "current one, or the last part of a path when only one photograph ends so. -q\n"
            "leaves the numbers out.\n",
    .min_args = 2,
    .max_args = 2,
    .run = show,
};
