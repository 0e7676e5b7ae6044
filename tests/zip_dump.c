/* SPDX-License-Identifier: MIT */
/** `zip_dump OUT`: an archive whose every size and offset is in zip64 form; see check_export.py. */
#include <string.h>

#include "../tools/zip_write.h"
#include "check.h"

static void add(struct firn_zip *zip, const char *name, const uint8_t *bytes, size_t n)
{
    firn_zip_begin(zip, name, n);
    firn_zip_write(zip, bytes, n / 3);
    firn_zip_write(zip, bytes + n / 3, n - n / 3);
    firn_zip_finish(zip);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[100003];
    struct firn_error err = {0};
    struct firn_output out;
    if (argc != 2)
        return 2;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    CHECK_INT(firn_output_open(&out, argv[1], &err), 0);
    struct firn_zip zip = {.out = &out, .limit = 0};
    add(&zip, "one", bytes, sizeof(bytes));
    add(&zip, "two", bytes, 0);
    add(&zip, "three", (const uint8_t *)"three", 5);
    firn_zip_end(&zip);
    CHECK_INT(firn_output_commit(&out, &err), 0);
    CHECK_DONE();
}
