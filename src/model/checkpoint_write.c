/* SPDX-License-Identifier: MIT */
#include "model/checkpoint_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/family.h"
#include "model/safetensors_write.h"
#include "model/stats.h"
#include "model/tensors.h"

/* fc.weight and fc.bias of the file, as float32. */
struct last_layer {
    float *numbers[2];
    int64_t shape[2][2];
    int ndim[2];
};

static const char *const fc_names[2] = {"fc.weight", "fc.bias"};

static bool has_end(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0 && (n == m || name[n - m - 1] == '.');
}

static int read_fc(struct firn_weights *w, struct last_layer *fc, struct firn_error *err)
{
    int status = 0;
    for (size_t i = 0; i < w->n_tensor && !status; i++)
        for (int k = 0; k < 2 && !status; k++) {
            const struct firn_tensor *t = &w->tensor[i];
            if (!has_end(t->name, fc_names[k]) || t->ndim != 2 - k || fc->numbers[k])
                continue;
            fc->numbers[k] = malloc(firn_tensor_count(t) * sizeof(float) + 1);
            if (!fc->numbers[k])
                return firn_fail_nomem(err, "the last layer");
            fc->ndim[k] = t->ndim;
            memcpy(fc->shape[k], t->shape, (size_t)t->ndim * sizeof t->shape[0]);
            status = firn_tensor_read(w, t, fc->numbers[k], err);
        }
    return status;
}

static int open_fc(const char *path, struct last_layer *fc, struct firn_error *err)
{
    struct firn_weights w;
    int status = firn_weights_open(&w, path, err);
    if (status)
        return status;
    status = read_fc(&w, fc, err);
    firn_weights_close(&w);
    return status;
}

static int write(const struct firn_network *network, const struct last_layer *fc,
                 const char *words, const char *path, struct firn_error *err)
{
    size_t n = 0;
    struct firn_tensor_out *tensor = calloc((size_t)network->n_param + 2, sizeof *tensor);
    if (!tensor)
        return firn_fail_nomem(err, "a checkpoint");
    for (int i = 0; i < network->n_param; i++) {
        const struct firn_param *p = &network->param[i];
        struct firn_tensor_out *t = &tensor[n++];
        *t = (struct firn_tensor_out){.name = p->name, .dtype = FIRN_F32, .ndim = p->ndim,
                                      .data = p->data};
        for (int d = 0; d < p->ndim; d++)
            t->shape[d] = p->shape[d];
    }
    for (int k = 0; k < 2; k++)
        if (fc->numbers[k])
            tensor[n++] = (struct firn_tensor_out){
                .name = fc_names[k], .dtype = FIRN_F32, .ndim = fc->ndim[k],
                .shape = {fc->shape[k][0], fc->shape[k][1]}, .data = fc->numbers[k]};
    const struct firn_pair pair[] = {{"firn", FIRN_VERSION}, {"batchnorm", words}};
    int status = firn_safetensors_write(path, pair, 2, tensor, n, err);
    free(tensor);
    return status;
}

int firn_checkpoint_write(const struct firn_model *model, const char *words, const char *path,
                          struct firn_error *err)
{
    const struct firn_model_info *info = firn_model_info(model);
    struct last_layer fc = {0};
    int status = info->path && info->has_fc ? open_fc(info->path, &fc, err) : 0;
    if (!status)
        status = write(firn_model_network(model), &fc, words, path, err);
    free(fc.numbers[0]);
    free(fc.numbers[1]);
    return status;
}
