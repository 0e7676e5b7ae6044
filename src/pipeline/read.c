/* SPDX-License-Identifier: MIT */
#include "pipeline/read.h"

enum firn_io firn_read_choose(enum firn_io wanted, int *error)
{
    *error = wanted == FIRN_IO_THREADS ? 0 : firn_read_uring_probe();
    return wanted == FIRN_IO_THREADS || *error ? FIRN_IO_THREADS : FIRN_IO_URING;
}
