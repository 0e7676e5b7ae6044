/* SPDX-License-Identifier: MIT */
/**
 * The trained layer as a file: `weight` [classes][dim] and `bias` [classes] for raw features, which
 * torch's nn.Linear takes as they are, and where they come from.
 */
#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include "npy.h"
#include "output.h"
#include "photo.h"
#include "safetensors.h"

bool firn_probe_can_write(const char *path)
{
    return firn_output_ends_in(path, ".safetensors") || firn_output_ends_in(path, ".npz");
}

/** Where the layer comes from, as one JSON object; malloc'ed, NULL when memory is out. */
static char *provenance(const struct firn_probe *p, const struct firn_probe_options *o)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_string(&j, "firn", FIRN_VERSION);
    firn_json_string(&j, "train", o->train);
    firn_json_string(&j, "val", o->val);
    firn_json_int(&j, "train_photographs", (int64_t)p->train);
    firn_json_int(&j, "val_photographs", (int64_t)p->val);
    if (p->held_out)
        firn_json_int(&j, "held_out_percent", o->holdout);
    firn_json_number(&j, "C", p->c);
    firn_json_number(&j, "val_accuracy", p->accuracy.value);
    firn_json_array(&j, "ci95");
    firn_json_number(&j, NULL, p->accuracy.low);
    firn_json_number(&j, NULL, p->accuracy.high);
    firn_json_end_array(&j);
    firn_json_array(&j, "not_learnt");
    for (size_t k = 0; k < p->head_classes; k++) {
        if (p->per_class[k].train == 0)
            firn_json_string(&j, NULL, p->per_class[k].name);
    }
    firn_json_end_array(&j);
    firn_json_end_object(&j);
    return j.failed ? NULL : j.text;
}

static int write_safetensors(const struct firn_probe *p, const char *from, const char *fingerprint,
                             struct firn_output *out, struct firn_error *err)
{
    struct firn_json j = {0}, classes = {0};
    size_t weight = p->head_classes * (size_t)p->dim * sizeof(float);
    size_t bias = p->head_classes * sizeof(float);
    firn_json_array(&classes, NULL);
    for (size_t k = 0; k < p->head_classes; k++)
        firn_json_string(&classes, NULL, p->per_class[k].name);
    firn_json_end_array(&classes);
    firn_json_object(&j, NULL);
    firn_json_object(&j, "__metadata__");
    firn_json_string(&j, "firn", FIRN_VERSION);
    firn_json_string(&j, "probe", from);
    firn_json_string(&j, "fingerprint", fingerprint);
    firn_json_string(&j, "classes", classes.text);
    firn_json_end_object(&j);
    j.failed = j.failed || classes.failed;
    free(classes.text);
    firn_safetensors_tensor(&j, "weight", "F32", p->head_classes, p->dim, 0, weight);
    firn_safetensors_tensor(&j, "bias", "F32", p->head_classes, 0, weight, weight + bias);
    firn_json_end_object(&j);
    int result = firn_safetensors_begin(out, &j, err);
    if (result == 0) {
        firn_output_write(out, p->weight, weight);
        firn_output_write(out, p->bias, bias);
    }
    return result;
}

static void put_numbers(struct firn_zip *zip, const char *name, const char *shape,
                        const float *numbers, size_t n)
{
    firn_npy_begin(zip, name, "<f4", shape, n * sizeof(*numbers));
    firn_zip_write(zip, numbers, n * sizeof(*numbers));
    firn_zip_finish(zip);
}

static void put_text(struct firn_zip *zip, const char *name, const char *text)
{
    size_t width = firn_npy_points(text);
    firn_npy_begin_texts(zip, name, "()", 1, width);
    firn_npy_put_text(zip, text, width);
    firn_zip_finish(zip);
}

static void write_npz(const struct firn_probe *p, const char *from, const char *fingerprint,
                      struct firn_output *out)
{
    struct firn_zip zip = {.out = out, .limit = FIRN_ZIP_LIMIT};
    char matrix[64], vector[32];
    size_t width = 1;
    snprintf(matrix, sizeof(matrix), "(%zu, %d)", p->head_classes, p->dim);
    snprintf(vector, sizeof(vector), "(%zu,)", p->head_classes);
    put_numbers(&zip, "weight.npy", matrix, p->weight, p->head_classes * (size_t)p->dim);
    put_numbers(&zip, "bias.npy", vector, p->bias, p->head_classes);
    for (size_t k = 0; k < p->head_classes; k++) {
        size_t points = firn_npy_points(p->per_class[k].name);
        width = points > width ? points : width;
    }
    firn_npy_begin_texts(&zip, "classes.npy", vector, p->head_classes, width);
    for (size_t k = 0; k < p->head_classes; k++)
        firn_npy_put_text(&zip, p->per_class[k].name, width);
    firn_zip_finish(&zip);
    put_text(&zip, "probe.npy", from);
    put_text(&zip, "fingerprint.npy", fingerprint);
    firn_zip_end(&zip);
}

int firn_probe_write(const struct firn_probe *p, const struct firn_probe_options *o,
                     const char *path, struct firn_error *err)
{
    struct firn_output out;
    struct firn_json fingerprint = {0};
    char *from = provenance(p, o);
    firn_fingerprint_json(&fingerprint, NULL, &p->fingerprint);
    int result = from && !fingerprint.failed ? firn_output_begin(&out, path, err)
                                             : firn_output_fail(err, FIRN_NOMEM, "out of memory");
    if (result == 0) {
        if (firn_output_ends_in(path, ".npz"))
            write_npz(p, from, fingerprint.text, &out);
        else
            result = write_safetensors(p, from, fingerprint.text, &out, err);
        if (result == 0)
            result = firn_output_commit(&out, err);
        else
            firn_output_discard(&out);
    }
    free(from);
    free(fingerprint.text);
    return result;
}
