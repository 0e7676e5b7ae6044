/* SPDX-License-Identifier: MIT */
/** `firn model`: what a weight file is. */
#include "cli.h"
#include "photo.h"

#include <string.h>

#include "firn/extract.h"
#include "firn/model.h"

static void layers_json(struct firn_json *j, const struct firn_model *model, int n)
{
    struct firn_model_layer l;
    firn_json_array(j, "layers");
    for (int i = 0; i < n; i++) {
        firn_model_layer(model, i, &l);
        firn_json_object(j, NULL);
        firn_json_string(j, "name", l.name);
        firn_json_string(j, "batchnorm", l.bn_name);
        firn_json_int(j, "cin", l.cin);
        firn_json_int(j, "cout", l.cout);
        firn_json_int(j, "kernel", l.kernel);
        firn_json_int(j, "stride", l.stride);
        firn_json_int(j, "pad", l.pad);
        firn_json_int(j, "groups", l.groups);
        firn_json_end_object(j);
    }
    firn_json_end_array(j);
}

static int print_json(const struct firn_model *model, const struct firn_fingerprint *fp,
                      bool layers)
{
    const struct firn_model_info *m = firn_model_info(model);
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_string(&j, "spec", m->spec);
    firn_json_string(&j, "path", m->path);
    firn_json_string(&j, "format", m->format);
    firn_json_string(&j, "family", m->family);
    firn_json_string(&j, "preset", m->preset);
    firn_json_int(&j, "resize", m->resize);
    firn_json_int(&j, "crop", m->crop);
    firn_json_int(&j, "dim", m->dim);
    firn_json_int(&j, "convolutions", m->convolutions);
    firn_json_int(&j, "batchnorms", m->batchnorms);
    firn_json_int(&j, "tensors", (int64_t)m->tensors);
    firn_json_int(&j, "ignored", (int64_t)m->ignored);
    firn_json_int(&j, "parameters", (int64_t)m->parameters);
    firn_json_bool(&j, "has_fc", m->has_fc);
    firn_json_int(&j, "classes", m->classes);
    firn_json_bool(&j, "untrained", m->untrained);
    firn_json_bool(&j, "zero_tracked", m->zero_tracked);
    firn_json_string(&j, "trunk_hash", m->trunk_hash);
    firn_json_string(&j, "batchnorm_hash", m->batchnorm_hash);
    firn_fingerprint_json(&j, "fingerprint", fp);
    if (layers)
        layers_json(&j, model, m->convolutions);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static void print_source(const struct firn_model_info *m)
{
    if (m->untrained) {
        printf("weights      untrained: seeded random numbers, for trying and testing only\n");
        return;
    }
    printf("weights      ");
    firn_cli_put(stdout, m->path);
    printf(" (%s), %zu tensors\n", m->format, m->tensors);
    if (m->ignored)
        printf("             %zu of them belong to no part of %s and are not used\n", m->ignored,
               m->family);
}

static void print_text(const struct firn_model *model, const struct firn_fingerprint *fp)
{
    const struct firn_model_info *m = firn_model_info(model);
    print_source(m);
    printf("family       %s: a feature has %d numbers\n", m->family, m->dim);
    printf("trunk        %d convolutions, %.1f million parameters\n", m->convolutions,
           (double)m->parameters / 1e6);
    printf("BatchNorm    %d layers, with the statistics of the weights (frozen)%s\n", m->batchnorms,
           m->zero_tracked ? "; no num_batches_tracked, as in old files" : "");
    if (m->has_fc)
        printf("last layer   fc with %d classes, not used\n", m->classes);
    else
        printf("last layer   none\n");
    printf("preset       %s: shorter side to %d, centre crop of %d\n", m->preset, m->resize,
           m->crop);
    firn_fingerprint_print(fp);
}

static void print_layers(const struct firn_model *model)
{
    const struct firn_model_info *m = firn_model_info(model);
    struct firn_model_layer l;
    printf("%-24s %-24s %5s %5s  %-6s stride groups\n", "convolution", "BatchNorm", "in", "out",
           "kernel");
    for (int i = 0; i < m->convolutions; i++) {
        firn_model_layer(model, i, &l);
        printf("%-24s %-24s %5d %5d  %dx%-4d %6d %6d\n", l.name, l.bn_name, l.cin, l.cout,
               l.kernel, l.kernel, l.stride, l.groups);
    }
}

static int describe(const char *spec, bool json, bool layers)
{
    struct firn_model *model;
    struct firn_error err = {0};
    struct firn_fingerprint fp;
    struct firn_extract_options options = {.model = spec};
    if (firn_model_open(&model, spec, &err))
        return firn_cli_fail(&err);
    int status = FIRN_OK;
    if (firn_extract_fingerprint(&options, &fp, &err)) {
        status = firn_cli_fail(&err);
    } else if (json) {
        status = print_json(model, &fp, layers);
    } else {
        print_text(model, &fp);
        if (layers)
            print_layers(model);
    }
    firn_model_close(model);
    return status;
}

static int model_verb(const struct firn_verb *verb, int argc, char **argv)
{
    bool json = false, layers = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 'l', "layers", NULL, "list the convolutions", &layers, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    return status == FIRN_CLI_GO ? describe(argv[0], json, layers) : status;
}

const struct firn_verb firn_verb_model = {
    .name = "model",
    .args = "[options] MODEL",
    .summary = "what a weight file is: family, BatchNorm, preset, fingerprint",
    .more = "MODEL is a .pth, .pt or .safetensors file; a name that is looked for in\n"
            "torch's hub cache; or untrained:resnet18[:SEED].\n",
    .min_args = 1,
    .max_args = 1,
    .run = model_verb,
};
