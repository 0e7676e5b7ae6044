/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void firn_view_words(const struct firn_view *view, char text[96])
{
    snprintf(text, 96, "%d x %d at %d,%d%s%s", view->width, view->height, view->x, view->y,
             view->resized ? " of the resized photograph" : "",
             view->mirrored ? ", mirrored" : "");
}

void firn_view_json(struct firn_json *j, const char *key, const struct firn_view *view)
{
    firn_json_object(j, key);
    firn_json_int(j, "x", view->x);
    firn_json_int(j, "y", view->y);
    firn_json_int(j, "width", view->width);
    firn_json_int(j, "height", view->height);
    firn_json_string(j, "of", view->resized ? "resized" : "photograph");
    firn_json_bool(j, "mirrored", view->mirrored);
    firn_json_end_object(j);
}

/** The value of a word "key=value" of a fingerprint, cut at the end of `value`. */
static bool find_value(const char *part, const char *key, char value[64])
{
    size_t n = strlen(key);
    for (const char *at = part; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, key, n) == 0 && at[n] == '=') {
            snprintf(value, 64, "%.*s", (int)strcspn(at + n + 1, " "), at + n + 1);
            return true;
        }
    }
    return false;
}

bool firn_view_spec(const struct firn_fingerprint *fp, struct firn_image_spec *spec)
{
    const char *part = fp->part[FIRN_PART_PREPROCESS];
    char resize[64], crop[64], exif[64], decode[64], views[64];
    if (!find_value(part, "resize", resize) || !find_value(part, "crop", crop) ||
        !find_value(part, "exif", exif) || !find_value(part, "decode", decode) ||
        !find_value(part, "views", views)) {
        return false;
    }
    char *version = strchr(views, '/');
    if (version && strcmp(version, "/1") != 0) {
        return false; /* another generator */
    }
    if (version) {
        *version = '\0';
    }
    *spec = (struct firn_image_spec){.resize = atoi(resize), .crop = atoi(crop),
                                     .turn = strcmp(exif, "apply") == 0,
                                     .fast = strcmp(decode, "fast") == 0};
    return firn_views_parse(&spec->views, views, NULL) == 0;
}

void firn_view_of(const struct firn_image_spec *spec, const uint8_t content[32],
                  const struct firn_image_info *info, int number, struct firn_view *view)
{
    bool across = spec->turn && info->orientation > 4;
    firn_view_at(spec, content, across ? info->height : info->width,
                 across ? info->width : info->height, number, view);
}

bool firn_view_all(const char *path, const uint8_t content[32], const struct firn_image_spec *spec,
                   struct firn_view *view)
{
    struct firn_image_info info;
    struct firn_image_spec one = {.resize = spec->resize, .crop = 1};
    uint8_t rgb[3], found[32];
    if (firn_preview(path, &one, rgb, &info, found, NULL) != 0 ||
        memcmp(found, content, sizeof(found)) != 0) {
        return false;
    }
    for (int i = 0; i < firn_views_count(&spec->views); i++) {
        firn_view_of(spec, content, &info, i, &view[i]);
    }
    return true;
}
