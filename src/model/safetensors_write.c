/* SPDX-License-Identifier: MIT */
#include "model/safetensors_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "firn/json.h"

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

static int write_all(FILE *file, const struct firn_json *j, const struct firn_tensor_out *tensor,
                     size_t n)
{
    uint64_t size = (j->size + 7) / 8 * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(size >> 8 * i);
    fwrite(length, 1, 8, file);
    fwrite(j->text, 1, j->size, file);
    fwrite("       ", 1, (size_t)size - j->size, file);
    for (size_t i = 0; i < n; i++)
        if (bytes_of(&tensor[i]))
            fwrite(tensor[i].data, 1, (size_t)bytes_of(&tensor[i]), file);
    return fflush(file) || ferror(file) || fsync(fileno(file)) ? -1 : 0;
}

int firn_safetensors_write(const char *path, const struct firn_pair *pair, size_t n_pair,
                           const struct firn_tensor_out *tensor, size_t n, struct firn_error *err)
{
    struct firn_json j = {0};
    struct stat st;
    char *temp = NULL;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* a rename would put a file in its place */
        return firn_fail(err, FIRN_CANTCREATE,
                         "%s: exists and is not a regular file; give another name", path);
    put_header(&j, pair, n_pair, tensor, n);
    if (j.failed || asprintf(&temp, "%s.tmp.%ld", path, (long)getpid()) < 0) {
        free(j.text);
        return firn_fail_nomem(err, "a file's header");
    }
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), status = 0;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file) {
        status = firn_fail(err, FIRN_CANTCREATE, "%s: cannot create: %s", path, strerror(errno));
    } else {
        errno = 0;
        int bad = write_all(file, &j, tensor, n);
        int error = errno;
        bad |= fclose(file);
        if (bad || rename(temp, path)) {
            status = firn_fail(err, FIRN_IO, "%s: cannot write: %s; nothing was left behind", path,
                               strerror(error ? error : errno ? errno : EIO));
            unlink(temp);
        }
    }
    free(temp);
    free(j.text);
    return status;
}
