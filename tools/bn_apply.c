/* SPDX-License-Identifier: MIT */
/** `firn bn apply`: a checkpoint with other statistics. */
#include "cli.h"

#include "firn/bn.h"

static int apply(const struct firn_verb *verb, int argc, char **argv)
{
    const char *model = NULL, *output = NULL;
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'm', "model", "MODEL", "weights: file, name or untrained:FAMILY[:SEED]",
         &model, NULL},
        {FIRN_OPT_TEXT, 'o', "output", "OUT", "checkpoint to write, .safetensors", &output, NULL},
        {0},
    };
    struct firn_error err = {0};
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    if (!model || !output)
        return firn_cli_usage(verb, "%s is missing", model ? "-o OUT" : "-m MODEL");
    const char *const inputs[] = {model, argv[0]};
    status = firn_bn_check_output(verb, output, inputs, 2);
    if (status != FIRN_CLI_GO)
        return status;
    if (firn_bn_apply(model, argv[0], output, &err))
        return firn_cli_fail(&err);
    firn_cli_note("%s: the weights of %s with the statistics of %s", output, model, argv[0]);
    return FIRN_OK;
}

const struct firn_verb firn_verb_bn_apply = {
    .name = "bn apply",
    .args = "-m MODEL -o OUT STATS",
    .summary = "write a checkpoint with these statistics",
    .more = "OUT is a .safetensors with the trunk and fc of MODEL as float32 and the statistics\n"
            "of STATS, under torchvision's names.\n",
    .min_args = 1,
    .max_args = 1,
    .run = apply,
};
