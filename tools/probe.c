/* SPDX-License-Identifier: MIT */
/** `firn probe`: trains the last layer on cached features, and says how good it is. */
#include "output.h"
#include "probe.h"

static void on_notice(void *user, const char *text)
{
    (void)user;
    firn_cli_note("%s", text);
}

static int run(const struct firn_probe_options *o, const char *output, bool json)
{
    struct firn_probe *p;
    struct firn_error err = {0};
    if ((output && firn_output_check(output, &err)) || firn_probe(&p, o, &err))
        return firn_cli_fail(&err);
    int status = FIRN_OK;
    if (output && firn_probe_write(p, o, output, &err))
        status = firn_cli_fail(&err);
    else if (json)
        status = firn_probe_print_json(p, o);
    else
        firn_probe_print(p, o);
    firn_probe_free(p);
    return status;
}

static int probe(const struct firn_verb *verb, int argc, char **argv)
{
    struct firn_probe_options o = {.epochs = 25, .rate = 0.001, .batch = 4,
                                   .on_notice = on_notice};
    const char *output = NULL;
    static const char *const scales[] = {"common", "each", NULL};
    bool json = false;
    int seed = 0, scale = 0;
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'o', "output", "HEAD", "write the layer: .safetensors or .npz", &output,
         NULL},
        {FIRN_OPT_REAL, 'C', "inverse-penalty", "C", "weight of data against penalty [by folds]",
         &o.c, NULL},
        {FIRN_OPT_COUNT, 0, "folds", "N", "folds of the cross-validation that chooses C [5]",
         &o.folds, NULL},
        {FIRN_OPT_CHOICE, 0, "scale", "HOW", "divide features by one deviation or each's [common]",
         &scale, scales},
        {FIRN_OPT_COUNT, 0, "holdout", "N", "percent of TRAIN to judge by, without VAL [20]",
         &o.holdout, NULL},
        {FIRN_OPT_FLAG, 0, "allow-mixed", NULL, "accept caches of different fingerprints", &o.mixed,
         NULL},
        {FIRN_OPT_WHOLE, 0, "epochs", "N", "of the SGD head; 0: none [25]", &o.epochs, NULL},
        {FIRN_OPT_REAL, 0, "lr", "X", "its learning rate [0.001]", &o.rate, NULL},
        {FIRN_OPT_COUNT, 0, "batch", "N", "its batch [4]", &o.batch, NULL},
        {FIRN_OPT_WHOLE, 0, "seed", "N", "of its first values and shuffles [0]", &seed, NULL},
        {FIRN_OPT_COUNT, 'j', "threads", "N", "threads; no result depends on it [usable cores]",
         &o.threads, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    if (output && !firn_probe_can_write(output))
        return firn_cli_usage(verb, "'%s' ends in none of .safetensors .npz", output);
    if (argc > 1 && o.holdout)
        return firn_cli_usage(verb, "--holdout is for TRAIN alone: all of it is learnt from where "
                                    "there is VAL");
    if (o.c > 0 && o.folds)
        return firn_cli_usage(verb, "--folds chooses C, which -C gives");
    o.holdout = o.holdout ? o.holdout : 20;
    o.folds = o.folds ? o.folds : 5;
    o.train = argv[0];
    o.val = argc > 1 ? argv[1] : NULL;
    o.seed = (uint64_t)seed;
    o.scale_each = scale == 2;
    return run(&o, output, json);
}

const struct firn_verb firn_verb_probe = {
    .name = "probe",
    .args = "[options] TRAIN [VAL]",
    .summary = "train the last layer on cached features, print accuracy",
    .more = "TRAIN and VAL are caches of the same fingerprint; classes are matched by name.\n"
            "Without VAL, photographs of TRAIN whose content hash is small are held out: the\n"
            "same ones whenever, wherever and whatever is added. The layer is a multinomial\n"
            "logistic regression; beside it an SGD head is trained as PyTorch's tutorial\n"
            "does, to tell whether a bouncing accuracy comes from the head.\n",
    .min_args = 1,
    .max_args = 2,
    .run = probe,
};
