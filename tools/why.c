/* SPDX-License-Identifier: MIT */
/** `firn why`: what differs between two fingerprints, in words. */
#include "cli.h"
#include "photo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "firn/extract.h"

#define TEXT_SIZE 8192 /* all differences of all parts fit: a part has 512 bytes */
#define OPTIONS_SIZE 512

/** A directory is a cache; anything else is a model, taken with the defaults of `firn extract`. */
static int fingerprint_of(const char *what, struct firn_fingerprint *fp, struct firn_error *err)
{
    struct stat st;
    if (stat(what, &st) != 0 || !S_ISDIR(st.st_mode)) {
        struct firn_extract_options options = {.model = what};
        return firn_extract_fingerprint(&options, fp, err);
    }
    struct firn_cache *cache;
    int result = firn_cache_open(&cache, what, err);
    if (result == 0) {
        firn_cache_tell_doubts(cache, what);
        *fp = *firn_cache_fingerprint(cache);
        firn_cache_close(cache);
    }
    return result;
}

static int print_json(const struct firn_fingerprint *a, const struct firn_fingerprint *b,
                      char *text, int differences)
{
    struct firn_json j = {0};
    char *save = NULL, options[2][OPTIONS_SIZE] = {"", ""};
    firn_fingerprint_options(a, b, options[0], OPTIONS_SIZE);
    firn_fingerprint_options(b, a, options[1], OPTIONS_SIZE);
    firn_json_object(&j, NULL);
    firn_json_bool(&j, "equal", differences == 0);
    firn_json_array(&j, "differences");
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        firn_json_string(&j, NULL, line);
    firn_json_end_array(&j);
    firn_json_string(&j, "options_a", options[0]);
    firn_json_string(&j, "options_b", options[1]);
    firn_fingerprint_json(&j, "a", a);
    firn_fingerprint_json(&j, "b", b);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static void print_text(char **names, const struct firn_fingerprint fp[2], char *text,
                       int differences)
{
    char options[OPTIONS_SIZE];
    if (firn_cli_verbose)
        printf("A is %s\nB is %s\n", names[0], names[1]);
    if (differences) {
        if (!firn_cli_verbose)
            firn_shorten_hashes(text);
        fputs(text, stdout);
        for (int i = 0; i < 2; i++) {
            if (firn_fingerprint_options(&fp[i], &fp[!i], options, sizeof(options)))
                printf("options for %c: %s\n", 'A' + i, options);
        }
    } else {
        printf("%s and %s have the same fingerprint: their features can be mixed\n", names[0],
               names[1]);
    }
}

static int compare(char **names, bool json, bool exit_code)
{
    struct firn_fingerprint fp[2];
    struct firn_error err = {0};
    char text[TEXT_SIZE] = "";
    for (int i = 0; i < 2; i++) {
        if (fingerprint_of(names[i], &fp[i], &err))
            return firn_cli_fail(&err);
    }
    int differences = firn_fingerprint_diff(&fp[0], &fp[1], text, sizeof(text));
    int status = FIRN_OK;
    if (json)
        status = print_json(&fp[0], &fp[1], text, differences);
    else if (!firn_cli_quiet)
        print_text(names, fp, text, differences);
    return status == FIRN_OK && exit_code && differences ? FIRN_CONFIG : status;
}

static int why(const struct firn_verb *verb, int argc, char **argv)
{
    bool json = false, exit_code = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 0, "exit-code", NULL, "exit with 78 when they differ", &exit_code, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    return status == FIRN_CLI_GO ? compare(argv, json, exit_code) : status;
}

const struct firn_verb firn_verb_why = {
    .name = "why",
    .args = "[options] A B",
    .summary = "what differs between two fingerprints, in words",
    .more = "A and B are caches (directories) or models (as for 'firn extract -m', with the\n"
            "default preprocessing and storage). One line for each difference, then the\n"
            "options of 'firn extract' that make what A and what B has.\n",
    .min_args = 2,
    .max_args = 2,
    .run = why,
};
