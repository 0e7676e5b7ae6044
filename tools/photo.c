/* SPDX-License-Identifier: MIT */
#include "photo.h"

#include <stdlib.h>
#include <string.h>

#define LONG_HASH 40 /* hexadecimal digits that are shortened to ... */
#define SHORT_HASH 12 /* ... so many, enough to tell two apart by eye */

void firn_cache_tell_doubts(const struct firn_cache *cache, const char *dir)
{
    char doubt[256];
    for (size_t i = 0; firn_cache_doubt(cache, i, doubt); i++)
        firn_cli_warn("%s: %s; 'firn verify' says what to do", dir, doubt);
}

int firn_open_cache(struct firn_cache **cache, const char *dir)
{
    struct firn_error err = {0};
    if (firn_cache_open(cache, dir, &err))
        return firn_cli_fail(&err);
    firn_cache_tell_doubts(*cache, dir);
    return FIRN_OK;
}

const char *firn_photo_state(enum firn_state state)
{
    static const char *const names[] = {"", "done", "skipped", "corrupt", "gone"};
    return names[state];
}

char *firn_photo_path(const struct firn_photo *photo)
{
    char *path = NULL;
    const char *root = photo->root;
    size_t n = strlen(root);
    const char *slash = n && root[n - 1] != '/' ? "/" : "";
    return asprintf(&path, "%s%s%s", root, slash, photo->name) < 0 ? NULL : path;
}

static void hex(const uint8_t *bytes, size_t n, char *text)
{
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

void firn_photo_json(struct firn_json *j, const struct firn_photo *photo)
{
    char content[65];
    char *path = firn_photo_path(photo);
    hex(photo->content, sizeof(photo->content), content);
    firn_json_string(j, "path", path);
    firn_json_string(j, "root", photo->root);
    firn_json_string(j, "name", photo->name);
    firn_json_string(j, "class", photo->class_name);
    firn_json_int(j, "label", photo->label);
    firn_json_string(j, "state", firn_photo_state(photo->state));
    firn_json_string(j, "reason", photo->reason);
    firn_json_int(j, "size", (int64_t)photo->size);
    firn_json_number(j, "mtime", (double)photo->mtime_ns / 1e9);
    firn_json_string(j, "content", content);
    free(path);
}

void firn_fingerprint_json(struct firn_json *j, const char *key, const struct firn_fingerprint *fp)
{
    firn_json_object(j, key);
    for (int i = 0; i < FIRN_PARTS; i++)
        firn_json_string(j, firn_part_names[i], fp->part[i]);
    firn_json_end_object(j);
}

void firn_shorten_hashes(char *text)
{
    static const char digits[] = "0123456789abcdef";
    char *to = text;
    while (*text) {
        size_t n = strspn(text, digits);
        size_t kept = n >= LONG_HASH ? SHORT_HASH : n ? n : 1;
        memmove(to, text, kept);
        to += kept;
        text += n ? n : 1;
        if (kept < n) {
            memcpy(to, "...", 3);
            to += 3;
        }
    }
    *to = 0;
}

/* "key=value key=value" becomes "key value, key value", broken at 80 columns. */
static void print_part(const char *part)
{
    char text[sizeof((struct firn_fingerprint){0}.part[0])];
    int column = 0;
    char *save = NULL;
    snprintf(text, sizeof(text), "%s", part);
    firn_shorten_hashes(text);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        int width = (int)strlen(word) + 2;
        if (column && column + width > 62) {
            printf(",\n%16s", "");
            column = 0;
        } else if (column) {
            printf(", ");
        }
        word[strcspn(word, "=")] = strchr(word, '=') ? ' ' : '\0';
        column += printf("%s", word);
    }
    putchar('\n');
}

void firn_fingerprint_print(const struct firn_fingerprint *fp)
{
    puts("fingerprint");
    for (int i = 0; i < FIRN_PARTS; i++) {
        printf("  %-12s  ", firn_part_names[i]);
        print_part(fp->part[i]);
    }
}
