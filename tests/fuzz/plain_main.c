/* SPDX-License-Identifier: MIT */
/**
 * Runs a fuzz target without a fuzzer: on each file named, and on N seeded mutations of each.
 *
 *   fuzz_NAME N FILE...
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed = 1;

static uint32_t chance(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* Bytes changed, a part taken out, a part repeated, or the end cut off. */
static size_t mutate(uint8_t *bytes, size_t size)
{
    static const uint8_t edge[] = {0, 1, 2, 127, 128, 254, 255};
    size_t at = chance((uint32_t)size), n = 1 + chance(16);
    n = n < size - at ? n : size - at;
    switch (chance(8)) {
    case 0:
        return at;
    case 1:
        memmove(bytes + at, bytes + at + n, size - at - n);
        return size - n;
    case 2:
        memmove(bytes + chance((uint32_t)(size - n + 1)), bytes + at, n);
        return size;
    default:
        for (size_t i = 0; i < n && i < 3; i++)
            bytes[at + i] = chance(2) ? edge[chance(sizeof edge)] : (uint8_t)chance(256);
        return size;
    }
}

static int run(const char *path, int mutations)
{
    static uint8_t original[1 << 20], bytes[1 << 20];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 1;
    }
    const size_t size = fread(original, 1, sizeof original, f);
    fclose(f);
    LLVMFuzzerTestOneInput(original, size);
    for (int i = 0; i < mutations; i++) {
        size_t now = size;
        memcpy(bytes, original, size);
        for (uint32_t k = 1 + chance(4); k && now; k--)
            now = mutate(bytes, now);
        LLVMFuzzerTestOneInput(bytes, now);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int rc = argc < 3 ? 2 : 0;
    for (int i = 2; i < argc; i++)
        rc |= run(argv[i], atoi(argv[1]));
    return rc;
}
