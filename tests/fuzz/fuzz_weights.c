/* SPDX-License-Identifier: MIT */
/**
 * The readers of weight files on any bytes, for libFuzzer; with plain_main.c an ordinary program.
 *
 * The first bytes choose among zip, legacy, tar and safetensors as they do for a user. A zip's sums
 * keep most damage from its pickle; the legacy file, which has none, takes it there. Small tensors
 * that are listed are read as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float numbers[4096];
    static int fd = -1;
    char path[64];
    struct firn_weights weights;
    struct firn_error err = {0};
    if (fd < 0 && (fd = memfd_create("weights", MFD_CLOEXEC)) < 0)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    if (firn_weights_open(&weights, path, &err) != 0) {
        if (!*err.text) /* every refusal has a reason */
            abort();
        return 0;
    }
    for (size_t i = 0; i < weights.n_tensor; i++)
        if (firn_tensor_count(weights.tensor + i) <= sizeof numbers / sizeof *numbers)
            firn_tensor_read(&weights, weights.tensor + i, numbers, &err);
    firn_weights_close(&weights);
    return 0;
}
