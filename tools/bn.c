/* SPDX-License-Identifier: MIT */
/** `firn bn`: finds the verb behind it. */
#include "cli.h"
#include "output.h"

#include <string.h>

static const struct firn_verb *const verbs[] = {
    &firn_verb_bn_estimate, &firn_verb_bn_merge, &firn_verb_bn_apply, &firn_verb_bn_diff,
    &firn_verb_bn_advise,
};
#define VERBS (sizeof(verbs) / sizeof(*verbs))

static const char *short_name(const struct firn_verb *verb)
{
    return verb->name + strlen("bn ");
}

static void list_verbs(FILE *out)
{
    fprintf(out, "Usage: firn bn VERB [options] ...\n"
                 "Which mean and variance the BatchNorm layers use.\n\n");
    for (size_t i = 0; i < VERBS; i++)
        fprintf(out, "  %-8s  %s\n", short_name(verbs[i]), verbs[i]->summary);
    fprintf(out, "\n'firn bn VERB --help' shows the options of a verb.\n");
}

int firn_bn_check_output(const struct firn_verb *verb, const char *output,
                         const char *const *inputs, size_t n)
{
    struct firn_error err = {0};
    int status = firn_cli_no_stdout(verb, output);
    const char *dot = strrchr(output, '.');
    if (dot && (strcmp(dot, ".pth") == 0 || strcmp(dot, ".pt") == 0))
        return firn_cli_usage(verb, "%s: only .safetensors is written, not pickles", output);
    for (size_t i = 0; i < n && status == FIRN_CLI_GO; i++)
        status = firn_cli_spare(verb, inputs[i], output);
    if (status == FIRN_CLI_GO && firn_output_check(output, &err))
        return firn_cli_fail(&err);
    return status;
}

static int bn(const struct firn_verb *verb, int argc, char **argv)
{
    const char *names[VERBS + 1] = {NULL};
    if (argc < 2) {
        list_verbs(stderr);
        return FIRN_USAGE;
    }
    bool help = strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (help && argc < 3)) {
        list_verbs(stdout);
        return firn_cli_flush();
    }
    if (help) { /* "help estimate" is "estimate --help" */
        char *again[] = {argv[0], argv[2], (char[]){"--help"}, NULL};
        return bn(verb, 3, again);
    }
    for (size_t i = 0; i < VERBS; i++) {
        names[i] = short_name(verbs[i]);
        if (strcmp(names[i], argv[1]) == 0)
            return verbs[i]->run(verbs[i], argc - 1, argv + 1);
    }
    const char *nearest = firn_cli_nearest(argv[1], names);
    return nearest ? firn_cli_usage(verb, "'%s' is no verb, did you mean '%s'?", argv[1], nearest)
                   : firn_cli_usage(verb, "'%s' is no verb", argv[1]);
}

const struct firn_verb firn_verb_bn = {
    .name = "bn",
    .args = "VERB [options] ...",
    .summary = "BatchNorm statistics: estimate, merge, apply, diff, advise",
    .min_args = 0,
    .max_args = -1,
    .run = bn,
};
