/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "output.h"

char *firn_scratch_create(struct firn_error *err)
{
    const char *base = getenv("TMPDIR");
    char *dir = NULL;
    if (asprintf(&dir, "%s/firn-XXXXXX", base && *base ? base : "/tmp") < 0) {
        firn_output_fail(err, FIRN_NOMEM, "out of memory");
        return NULL;
    }
    if (!mkdtemp(dir)) {
        firn_output_fail(err, FIRN_CANTCREATE, "%s: cannot create: %s", dir, strerror(errno));
        free(dir);
        return NULL;
    }
    return dir;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    remove(path);
    return 0;
}

void firn_scratch_remove(char *directory)
{
    if (directory) {
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(directory);
    }
}

int firn_scratch_mkdir(const char *path, struct firn_error *err)
{
    char *part = strdup(path);
    int result = part ? 0 : firn_output_fail(err, FIRN_NOMEM, "out of memory");
    for (char *end = part; result == 0 && end; *end = '/') {
        end = strchr(end + 1, '/');
        if (end)
            *end = '\0';
        if (mkdir(part, 0777) && errno != EEXIST)
            result = firn_output_fail(err, FIRN_CANTCREATE, "%s: cannot create: %s", part,
                                      strerror(errno));
        if (!end)
            break;
    }
    free(part);
    return result;
}
