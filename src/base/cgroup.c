/* SPDX-License-Identifier: MIT */
/**
 * Reads CPU quotas. /proc/self/cgroup names the group of this process within each hierarchy,
 * /proc/self/mountinfo where the hierarchies are mounted and which of their groups a mount begins
 * at. Version 2 keeps the quota in `cpu.max`, version 1 (controller `cpu`) in two files; a machine
 * may have both ("hybrid"). A parent's quota binds its children, so all levels count.
 */
#include "base/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_PATH (3 * PATH_MAX) /* root, mount and group together */

struct hierarchy {
    bool v2;
    char group[PATH_MAX]; /* of this process, from the root of the hierarchy */
    bool found;           /* group is known */
};

/** The first line of a small file, without its newline; false when there is none. */
static bool read_line(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool good = fgets(text, (int)size, file) != NULL;
    fclose(file);
    if (good)
        text[strcspn(text, "\n")] = '\0';
    return good;
}

/** True when `word` is one of the comma-separated words of `list`. */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
            return true;
    return false;
}

/** The group of this process: a line "ID:CONTROLLERS:PATH", version 2 without controllers. */
static void find_group(const char *root, struct hierarchy *h)
{
    char path[PATH_MAX], line[PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    while (!h->found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        if (h->v2 ? *controllers == '\0' : has_word(controllers, "cpu")) {
            snprintf(h->group, sizeof h->group, "%s", group);
            h->found = true;
        }
    }
    fclose(file);
}

/** Whole cores of one group: INT_MAX without a quota. */
static int group_cores(const char *dir, bool v2)
{
    char path[LONG_PATH + 32], text[64];
    long long quota = -1, period = -1;
    snprintf(path, sizeof path, "%s/%s", dir, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    if (!read_line(path, text, sizeof text))
        return INT_MAX;
    if (v2) {
        if (sscanf(text, "%lld %lld", &quota, &period) != 2)
            return INT_MAX; /* "max 100000" */
    } else {
        quota = atoll(text);
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
        if (!read_line(path, text, sizeof text))
            return INT_MAX;
        period = atoll(text);
    }
    if (quota <= 0 || period <= 0 || quota / period >= INT_MAX)
        return INT_MAX;
    return quota < period ? 1 : (int)(quota / period);
}

/** The smallest quota from `mount` + `group` up to `mount`. */
static int walk(const char *mount, const char *group, bool v2)
{
    char dir[LONG_PATH];
    size_t top = strlen(mount);
    if ((size_t)snprintf(dir, sizeof dir, "%s%s", mount, group) >= sizeof dir)
        return INT_MAX;
    int cores = INT_MAX;
    for (;;) {
        int here = group_cores(dir, v2);
        if (here < cores)
            cores = here;
        char *slash = strrchr(dir, '/');
        if (!slash || (size_t)(slash - dir) < top)
            return cores;
        *slash = '\0';
    }
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/** Undoes the octal escapes of mountinfo (blank, tab, newline, backslash). */
static void unescape(char *s)
{
    char *out = s;
    while (*s) {
        if (s[0] == '\\' && is_octal(s[1]) && is_octal(s[2]) && is_octal(s[3])) {
            *out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 4;
        } else {
            *out++ = *s++;
        }
    }
    *out = '\0';
}

/**
 * The part of `group` below `top`, the group that a mount begins at. A container may see a group
 * that lies outside of its mount ("/../x"): then only the mount itself can be asked.
 */
static const char *below(const char *group, const char *top)
{
    size_t n = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(group, top, n) != 0 || (group[n] != '/' && group[n] != '\0'))
        return "";
    return strstr(group, "/..") || strcmp(group + n, "/") == 0 ? "" : group + n;
}

/** Finds the mount of hierarchy `h` and the quota under it. */
static int hierarchy_cores(const char *root, struct hierarchy *h)
{
    char path[PATH_MAX], line[4 * PATH_MAX];
    find_group(root, h);
    snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    FILE *file = h->found ? fopen(path, "re") : NULL;
    if (!file)
        return INT_MAX;
    int cores = INT_MAX;
    while (fgets(line, sizeof line, file)) {
        /* id parent device ROOT MOUNT options [optional...] - TYPE source OPTIONS */
        char top[PATH_MAX], mount[PATH_MAX], type[16], options[256], full[LONG_PATH];
        const char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", top, mount) != 2 ||
            sscanf(rest, " - %15s %*s %255s", type, options) != 2)
            continue;
        if (h->v2 ? strcmp(type, "cgroup2") : strcmp(type, "cgroup") || !has_word(options, "cpu"))
            continue;
        unescape(top);
        unescape(mount);
        snprintf(full, sizeof full, "%s%s", root, mount);
        int here = walk(full, below(h->group, top), h->v2);
        if (here < cores)
            cores = here;
    }
    fclose(file);
    return cores;
}

int firn_cgroup_cores(const char *root)
{
    struct hierarchy v1 = {.v2 = false}, v2 = {.v2 = true};
    int one = hierarchy_cores(root, &v1), two = hierarchy_cores(root, &v2);
    return one < two ? one : two;
}
