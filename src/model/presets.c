/* SPDX-License-Identifier: MIT */
#include "model/presets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "model/family.h"

/** torchvision's ResNet weights, the oldest last; the digits begin the file's SHA-256. */
static const struct published {
    const char *family, *digits;
    int version, resize;
} published[] = {
    {"resnet18", "f37072fd", 1, 256},         {"resnet34", "b627a593", 1, 256},
    {"resnet50", "0676ba61", 1, 256},         {"resnet50", "11ad3fa6", 2, 232},
    {"resnet101", "63fe2227", 1, 256},        {"resnet101", "cd907fc2", 2, 232},
    {"resnet152", "394f9c45", 1, 256},        {"resnet152", "f82ba261", 2, 232},
    {"resnext50_32x4d", "7cdf4587", 1, 256},  {"resnext50_32x4d", "1a0047aa", 2, 232},
    {"resnext101_32x8d", "8ba56ff5", 1, 256}, {"resnext101_32x8d", "110c445d", 2, 232},
    {"resnext101_64x4d", "173b62eb", 1, 232}, {"wide_resnet50_2", "95faca4d", 1, 256},
    {"wide_resnet50_2", "9ba9bcbe", 2, 232},  {"wide_resnet101_2", "32ee1156", 1, 256},
    {"wide_resnet101_2", "d733dc28", 2, 232}, {"resnet18", "5c106cde", 1, 256},
    {"resnet34", "333f7ec4", 1, 256},         {"resnet50", "19c8e357", 1, 256},
    {"resnet101", "5d3b4d8f", 1, 256},        {"resnet152", "b121ed2d", 1, 256},
};
#define N_PUBLISHED (sizeof published / sizeof *published)

static struct firn_preset make_preset(int version, int resize)
{
    return (struct firn_preset){version == 2 ? "IMAGENET1K_V2" : "IMAGENET1K_V1", resize, 224};
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

struct firn_preset firn_preset_for(const char *path, const char *family)
{
    const char *name = base_name(path);
    for (size_t i = 0; i < N_PUBLISHED; i++) {
        const char *found = strstr(name, published[i].digits);
        if (found && found > name && found[-1] == '-' && strcmp(published[i].family, family) == 0)
            return make_preset(published[i].version, published[i].resize);
    }
    bool v2 = strstr(name, ".v2") != NULL;
    return make_preset(v2 ? 2 : 1, v2 ? 232 : 256);
}

/** True when `spec` is meant as a path, whether there is such a file or not. */
static bool is_path(const char *spec)
{
    static const char *const endings[] = {".pth", ".pt", ".safetensors", ".tar", ".bin"};
    size_t n = strlen(spec);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t m = strlen(endings[i]);
        if (n > m && strcmp(spec + n - m, endings[i]) == 0)
            return true;
    }
    return strchr(spec, '/') != NULL;
}

/** "resnet50.v2" -> "resnet50", 2; false when it is no family's name. */
static bool parse_name(const char *spec, char family[32], int *version)
{
    size_t n = strcspn(spec, ".");
    if (n >= 32)
        return false;
    memcpy(family, spec, n);
    family[n] = 0;
    const char *suffix = spec + n;
    *version = strcmp(suffix, ".v2") == 0 ? 2 : 1;
    return firn_family_find(family) && (!*suffix || *version == 2 || strcmp(suffix, ".v1") == 0);
}

/** $VARIABLE/tail, or, without it, $HOME/fallback/tail; empty when neither is set. */
static void folder(char *out, size_t room, const char *variable, const char *fallback,
                   const char *tail)
{
    const char *value = getenv(variable), *home = getenv("HOME");
    int n = 0;
    if (value && *value)
        n = snprintf(out, room, "%s%s", value, tail);
    else if (home && *home)
        n = snprintf(out, room, "%s%s%s", home, fallback, tail);
    if (n <= 0 || (size_t)n >= room)
        out[0] = 0;
}

/** torch's rule: $TORCH_HOME, or `torch` in the cache folder. */
static void hub_folder(char *out, size_t room)
{
    const char *torch = getenv("TORCH_HOME");
    if (torch && *torch)
        folder(out, room, "TORCH_HOME", "", "/hub/checkpoints");
    else
        folder(out, room, "XDG_CACHE_HOME", "/.cache", "/torch/hub/checkpoints");
}

/** What is looked for, and where. */
struct search {
    const char *family;
    int version;
    char hub[1024], own[1024]; /* folders; empty when unknown */
    char published[80];        /* the name of the file at download.pytorch.org */
    char path[1200];           /* the file, once found */
};

static bool try(struct search *s, const char *folder_, const char *name)
{
    int n = *folder_ ? snprintf(s->path, sizeof s->path, "%s/%s", folder_, name) : -1;
    return n > 0 && (size_t)n < sizeof s->path && access(s->path, R_OK) == 0;
}

/** Published names in both folders; then FAMILY[.v2].ENDING in firn's own. */
static bool search(struct search *s)
{
    static const char *const endings[] = {"pth", "safetensors", "pt"};
    char name[80];
    for (size_t i = 0; i < N_PUBLISHED; i++) {
        const struct published *p = &published[i];
        if (strcmp(p->family, s->family) != 0 || p->version != s->version)
            continue;
        snprintf(name, sizeof name, "%s-%s.pth", s->family, p->digits);
        if (!*s->published)
            strcpy(s->published, name);
        if (try(s, s->hub, name) || try(s, s->own, name))
            return true;
    }
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s.%s", s->family, s->version == 2 ? ".v2" : "",
                 endings[i]);
        if (try(s, s->own, name))
            return true;
    }
    return false;
}

static int locate_name(const char *spec, const char *family, int version, char **path,
                       struct firn_error *err)
{
    struct search s = {.family = family, .version = version};
    hub_folder(s.hub, sizeof s.hub);
    folder(s.own, sizeof s.own, "XDG_CACHE_HOME", "/.cache", "/firn/models");
    bool found = search(&s);
    if (!found && !*s.published)
        return firn_fail(err, FIRN_USAGE, "%s: torchvision has no V2 weights for it", spec);
    if (!found && !*s.hub && !*s.own)
        return firn_fail(err, FIRN_NOINPUT, "%s: HOME is not set, so nobody knows where weights "
                         "lie; set it or TORCH_HOME, or name a file", spec);
    if (!found)
        return firn_fail(err, FIRN_NOINPUT, "%s: no weights called so in %.300s%s%.300s; put "
                         "https://download.pytorch.org/models/%s there, or name a file", spec,
                         s.hub, *s.hub && *s.own ? " or " : "", s.own, s.published);
    *path = strdup(s.path);
    return *path ? 0 : firn_fail_nomem(err, "a path");
}

int firn_locate_weights(const char *spec, char **path, struct firn_error *err)
{
    char family[32];
    int version;
    *path = NULL;
    if (!is_path(spec) && parse_name(spec, family, &version))
        return locate_name(spec, family, version, path, err);
    if (!is_path(spec) && access(spec, F_OK) != 0)
        return firn_fail(err, FIRN_NOINPUT, "%s: neither a file nor a model's name; names are "
                         "torchvision's (resnet18, resnet50.v2, ...) or untrained:resnet18", spec);
    *path = strdup(spec);
    return *path ? 0 : firn_fail_nomem(err, "a path");
}
