/* SPDX-License-Identifier: MIT */
#include "safetensors.h"

#include <stdlib.h>

#define HEADER_LIMIT 100000000 /* readers of the format refuse longer headers */

void firn_safetensors_tensor(struct firn_json *j, const char *name, const char *type, size_t rows,
                             int dim, uint64_t begin, uint64_t end)
{
    firn_json_object(j, name);
    firn_json_string(j, "dtype", type);
    firn_json_array(j, "shape");
    firn_json_int(j, NULL, (int64_t)rows);
    if (dim)
        firn_json_int(j, NULL, dim);
    firn_json_end_array(j);
    firn_json_array(j, "data_offsets");
    firn_json_int(j, NULL, (int64_t)begin);
    firn_json_int(j, NULL, (int64_t)end);
    firn_json_end_array(j);
    firn_json_end_object(j);
}

int firn_safetensors_begin(struct firn_output *out, struct firn_json *head, struct firn_error *err)
{
    size_t size = (head->size + 7) / 8 * 8;
    int result = 0;
    if (head->failed) {
        result = firn_output_fail(err, FIRN_NOMEM, "out of memory");
    } else if (size > HEADER_LIMIT) {
        result = firn_output_fail(err, FIRN_CANTCREATE,
                                  "%s: too many class names for this format; use .npz", out->path);
    } else {
        uint8_t length[8];
        for (int i = 0; i < 8; i++)
            length[i] = (uint8_t)(size >> (8 * i));
        firn_output_write(out, length, sizeof(length));
        firn_output_write(out, head->text, head->size);
        firn_output_write(out, "       ", size - head->size);
    }
    free(head->text);
    return result;
}
