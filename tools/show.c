/* SPDX-License-Identifier: MIT */
/** `firn show`: one photograph's record and its feature. */
#include "cli.h"
#include "photo.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

static void print_record(const struct firn_photo *photo, const char *path)
{
    char when[40] = "?";
    struct tm tm;
    time_t seconds = (time_t)(photo->mtime_ns / 1000000000);
    if (localtime_r(&seconds, &tm)) {
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    }
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
    for (size_t i = 0; i < sizeof(photo->content); i++) {
        printf("%02x", photo->content[i]);
    }
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
        for (int k = i; k < i + 8 && k < dim; k++) {
            printf(" %8.5f", (double)feature[k]);
        }
        putchar('\n');
    }
}

static int print_json(const struct firn_photo *photo, const float *feature, int dim)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_photo_json(&j, photo);
    firn_json_array(&j, "feature");
    for (int i = 0; feature && i < dim; i++) {
        firn_json_number(&j, NULL, (double)feature[i]);
    }
    firn_json_end_array(&j);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static int print(const struct firn_photo *photo, const float *feature, int dim, bool json)
{
    if (json) {
        return print_json(photo, feature, dim);
    }
    char *path = firn_photo_path(photo);
    if (!path) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    print_record(photo, path);
    free(path);
    if (feature && !firn_cli_quiet) {
        print_feature(feature, dim);
    }
    return FIRN_OK;
}

static int show_one(const struct firn_cache *cache, const char *path, bool json)
{
    struct firn_error err = {0};
    struct firn_cache_stat s;
    struct firn_photo photo;
    size_t i;
    firn_cache_stat(cache, &s);
    if (firn_cache_find(cache, path, &i, &err)) {
        return firn_cli_fail(&err);
    }
    firn_cache_photo(cache, i, &photo);
    if (photo.state != FIRN_DONE) {
        return print(&photo, NULL, 0, json);
    }
    float *feature = calloc((size_t)s.dim, sizeof(*feature));
    if (!feature) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    int status = firn_cache_features(cache, &i, 1, feature, &err) ? firn_cli_fail(&err)
                                                                  : print(&photo, feature, s.dim,
                                                                          json);
    free(feature);
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
    if (status != FIRN_CLI_GO) {
        return status;
    }
    struct firn_cache *cache;
    status = firn_open_cache(&cache, argv[0]);
    if (status) {
        return status;
    }
    status = show_one(cache, argv[1], json);
    firn_cache_close(cache);
    return status;
}

const struct firn_verb firn_verb_show = {
    .name = "show",
    .args = "[options] CACHE PATH",
    .summary = "one photograph's record and its feature",
    .more = "PATH is absolute, or relative to the directory that was extracted, or the last\n"
            "part of a path when only one photograph ends so. -q leaves the numbers out.\n",
    .min_args = 2,
    .max_args = 2,
    .run = show,
};
