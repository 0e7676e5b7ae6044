/* SPDX-License-Identifier: MIT */
/** `samples DIR [N]`: draws sample photographs, N of each class; for tools/quickstart and tests. */
#include "sample_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    int n = argc == 3 ? atoi(argv[2]) : 12;
    if (argc < 2 || argc > 3 || argv[1][0] == '-' || n < 1 || n > 1000) {
        fprintf(stderr, "usage: samples DIR [N]\n");
        return 2;
    }
    int result = firn_sample_set(argv[1], n);
    if (result) {
        fprintf(stderr, "samples: %s: %s\n", argv[1], strerror(-result));
        return 73;
    }
    return 0;
}
