/* SPDX-License-Identifier: MIT */
#include "model/safetensors_write.h"

#include <stdlib.h>

#include "base/error.h"
#include "firn/json.h"
#include "firn/output.h"

static uint64_t bytes_of(const struct firn_tensor_out *t)
{
    uint64_t bytes = firn_dtype_size(t->dtype);
    for (int i = 0; i < t->ndim; i++)
        bytes *= (uint64_t)t->shape[i];
    return bytes;
}

static uint64_t put_tensor(struct firn_json *j, const struct firn_tensor_out *t, uint64_t at)
{
    firn_json_object(j, t->name);
    firn_json_string(j, "dtype", firn_safetensors_dtype(t->dtype));
    firn_json_array(j, "shape");
    for (int i = 0; i < t->ndim; i++)
        firn_json_int(j, NULL, t->shape[i]);
    firn_json_end_array(j);
    firn_json_array(j, "data_offsets");
    firn_json_int(j, NULL, (int64_t)at);
    at += bytes_of(t);
    firn_json_int(j, NULL, (int64_t)at);
    firn_json_end_array(j);
    firn_json_end_object(j);
    return at;
}

/* The length and the header, padded to 8 bytes as the reference does. */
static void put_header(struct firn_json *j, const struct firn_pair *pair, size_t n_pair,
                       const struct firn_tensor_out *tensor, size_t n)
{
    uint64_t at = 0;
    firn_json_object(j, NULL);
    firn_json_object(j, "__metadata__");
    for (size_t i = 0; i < n_pair; i++)
        firn_json_string(j, pair[i].key, pair[i].value);
    firn_json_end_object(j);
    for (size_t i = 0; i < n; i++)
        at = put_tensor(j, &tensor[i], at);
    firn_json_end_object(j);
}

static void write_all(struct firn_output *out, const struct firn_json *j,
                      const struct firn_tensor_out *tensor, size_t n)
{
    uint64_t size = (j->size + 7) / 8 * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(size >> 8 * i);
    firn_output_write(out, length, 8);
    firn_output_write(out, j->text, j->size);
    firn_output_write(out, "       ", (size_t)size - j->size);
    for (size_t i = 0; i < n; i++)
        firn_output_write(out, tensor[i].data, (size_t)bytes_of(&tensor[i]));
}

int firn_safetensors_write(const char *path, const struct firn_pair *pair, size_t n_pair,
                           const struct firn_tensor_out *tensor, size_t n, struct firn_error *err)
{
    struct firn_json j = {0};
    struct firn_output out;
    put_header(&j, pair, n_pair, tensor, n);
    int status = j.failed ? firn_fail_nomem(err, "a file's header")
                          : firn_output_open(&out, path, err);
    if (!status) {
        write_all(&out, &j, tensor, n);
        status = firn_output_commit(&out, err);
    }
    free(j.text);
    return status;
}
