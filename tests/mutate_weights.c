/* SPDX-License-Identifier: MIT */
/**
 * mutate_weights COUNT SEED FILE...: reads COUNT damaged copies of the files, made by a repeatable
 * random sequence. Whatever the damage, the answer is a tensor list or one printable line that
 * begins with the path; the sanitizers see the rest. Damage stays in memory.
 */
#include <ctype.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "model/tensors.h"

#define ROOM ((size_t)1 << 20)

static unsigned long long state;

static size_t below(size_t n)
{
    return n ? (size_t)(check_random(&state) % n) : 0;
}

/** Numbers where sizes and indices go wrong. */
static uint64_t interesting(void)
{
    static const uint64_t some[] = {0, 1, 2, 4, 7, 8, 127, 128, 255, 256, 0x7FFF, 0xFFFF,
                                    0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, INT64_MAX,
                                    (uint64_t)1 << 63, UINT64_MAX, (uint64_t)1 << 62, 16, 3, 5};
    return some[below(sizeof some / sizeof *some)];
}

/** One piece of damage to the `n` bytes; returns the new length. */
static size_t damage(unsigned char *bytes, size_t n)
{
    size_t at = below(n), run = below(32) + 1;
    uint64_t number = interesting();
    size_t width = (size_t)1 << below(4);
    switch (below(7)) {
    case 0:
        bytes[at] ^= (unsigned char)(1 << below(8));
        break;
    case 1:
        bytes[at] = (unsigned char)check_random(&state);
        break;
    case 2:
        if (n - at >= width)
            memcpy(bytes + at, &number, width);
        break;
    case 3: /* cut out */
        run = run < n - at ? run : n - at;
        memmove(bytes + at, bytes + at + run, n - at - run);
        return n - run;
    case 4: /* repeat */
        run = run < n - at ? run : n - at;
        if (n + run > ROOM)
            break;
        memmove(bytes + at + run, bytes + at, n - at);
        return n + run;
    case 5: /* copy from elsewhere */
        run = run < n - at ? run : n - at;
        memmove(bytes + at, bytes + below(n - run + 1), run);
        break;
    default:
        return below(50) ? n : at; /* truncate, now and then */
    }
    return n;
}

static void try_read(int fd, const unsigned char *bytes, size_t n)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (ftruncate(fd, 0) || pwrite(fd, bytes, n, 0) != (ssize_t)n)
        exit(2);
    struct firn_weights w;
    struct firn_error err = {0};
    static float numbers[4096];
    int rc = firn_weights_open(&w, path, &err);
    for (size_t i = 0; rc == 0 && i < w.n_tensor; i++)
        if (firn_tensor_count(&w.tensor[i]) <= sizeof numbers / sizeof *numbers)
            firn_tensor_read(&w, &w.tensor[i], numbers, &err);
    if (rc == 0) {
        firn_weights_close(&w);
        return;
    }
    CHECK(strncmp(err.text, path, strlen(path)) == 0 || err.code == FIRN_NOMEM, "%s", err.text);
    for (const char *p = err.text; *p; p++)
        CHECK(isprint((unsigned char)*p), "%s", err.text);
}

int main(int argc, char **argv)
{
    static unsigned char original[ROOM], bytes[ROOM];
    long count = argc > 3 ? atol(argv[1]) : 0;
    int fd = memfd_create("weights", MFD_CLOEXEC);
    if (fd < 0 || count <= 0)
        return 2;
    state = strtoull(argv[2], NULL, 10);
    for (long i = 0; i < count; i++) {
        FILE *f = fopen(argv[3 + i % (argc - 3)], "rb");
        size_t n = f ? fread(original, 1, ROOM / 2, f) : 0;
        if (f)
            fclose(f);
        memcpy(bytes, original, n);
        for (size_t k = below(4) + 1; k > 0 && n > 0; k--)
            n = damage(bytes, n);
        try_read(fd, bytes, n);
    }
    close(fd);
    CHECK_DONE();
}
