/* SPDX-License-Identifier: MIT */
/**
 * model_dump [-q] SPEC...: what firn reads from weight files, for tests in other languages to
 * compare. For each, one line of JSON with the facts, then, without -q, each tensor of the trunk as
 * the line "NAME COUNT" and COUNT float32 numbers. For one that is refused, the message on stderr
 * and the line "refused CODE".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firn/json.h"
#include "model/model.h"

static void print_info(const struct firn_model *model)
{
    const struct firn_model_info *info = firn_model_info(model);
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_string(&j, "path", info->path);
    firn_json_string(&j, "format", info->format);
    firn_json_string(&j, "family", info->family);
    firn_json_string(&j, "preset", info->preset);
    firn_json_int(&j, "resize", info->resize);
    firn_json_int(&j, "dim", info->dim);
    firn_json_int(&j, "convolutions", info->convolutions);
    firn_json_int(&j, "tensors", (int64_t)info->tensors);
    firn_json_int(&j, "parameters", (int64_t)info->parameters);
    firn_json_int(&j, "ignored", (int64_t)info->ignored);
    firn_json_bool(&j, "has_fc", info->has_fc);
    firn_json_int(&j, "classes", info->classes);
    firn_json_bool(&j, "zero_tracked", info->zero_tracked);
    firn_json_string(&j, "trunk", info->trunk_hash);
    firn_json_string(&j, "batchnorm", info->batchnorm_hash);
    firn_json_end_object(&j);
    puts(j.failed ? "out of memory" : j.text);
    free(j.text);
}

static void print_numbers(const char *layer, const char *suffix, const float *x, size_t n)
{
    printf("%s.%s %zu\n", layer, suffix, n);
    fwrite(x, sizeof *x, n, stdout);
}

static void print_tensors(const struct firn_net *net)
{
    for (int i = 0; i < net->n_conv; i++) {
        const struct firn_conv *c = &net->conv[i];
        const struct firn_model_layer *s = &c->shape;
        size_t n = (size_t)s->cout;
        size_t row = (size_t)(s->cin / s->groups) * (size_t)(s->kernel * s->kernel);
        print_numbers(s->name, "weight", c->weight, n * row);
        print_numbers(s->bn_name, "weight", c->gamma, n);
        print_numbers(s->bn_name, "bias", c->beta, n);
        print_numbers(s->bn_name, "running_mean", c->mean, n);
        print_numbers(s->bn_name, "running_var", c->var, n);
    }
}

int main(int argc, char **argv)
{
    int quiet = argc > 1 && strcmp(argv[1], "-q") == 0;
    for (int i = 1 + quiet; i < argc; i++) {
        struct firn_error err;
        struct firn_model *model;
        int rc = firn_model_open(&model, argv[i], &err);
        if (rc) {
            fprintf(stderr, "%s\n", err.text);
            printf("refused %d\n", -rc);
            continue;
        }
        print_info(model);
        if (!quiet)
            print_tensors(firn_model_net(model));
        firn_model_close(model);
    }
    return 0;
}
