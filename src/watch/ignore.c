/* SPDX-License-Identifier: MIT */
#include "watch/ignore.h"

#include <fnmatch.h>
#include <limits.h>
#include <string.h>

bool firn_ignored(const char *name, const char *const *patterns, size_t n)
{
    /* What ends in .part, .tmp, .crdownload or the like is no photograph by its ending anyway;
     * these patterns keep directories of such names out, too. */
    static const char *const usual[] = {
        ".*", "~*", "*~", "#*#", "*.tmp", "*.part", "*.partial", "*.crdownload", "*.download",
        "@eaDir", "lost+found"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (fnmatch(usual[i], name, 0) == 0)
            return true;
    for (size_t i = 0; i < n; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

bool firn_ignored_path(const char *path, const char *const *patterns, size_t n)
{
    char name[NAME_MAX + 1];
    while (*path) {
        size_t length = strcspn(path, "/");
        size_t kept = length < sizeof name ? length : sizeof name - 1;
        memcpy(name, path, kept);
        name[kept] = '\0';
        if (kept && firn_ignored(name, patterns, n))
            return true;
        path += length + (path[length] == '/');
    }
    return false;
}
