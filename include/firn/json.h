/* SPDX-License-Identifier: MIT */
/** A JSON writer onto a growing buffer; used by the library's formats and by every --json. */
#ifndef FIRN_JSON_H
#define FIRN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Zero-initialise; `text` is malloc'ed and the caller's to free() in the end. */
struct firn_json {
    char *text;     /**< terminated; NULL before the first call */
    size_t size;    /**< length without the terminator */
    size_t room;    /**< allocated */
    bool comma;     /**< the next value needs one */
    bool failed;    /**< out of memory; all further calls do nothing */
};

/** `key` is NULL inside arrays and for the outermost value. Both run until their end_ function. */
void firn_json_object(struct firn_json *j, const char *key);
void firn_json_array(struct firn_json *j, const char *key);
void firn_json_end_object(struct firn_json *j);
void firn_json_end_array(struct firn_json *j);
/** Bytes that are not UTF-8 become U+FFFD; NULL becomes null. */
void firn_json_string(struct firn_json *j, const char *key, const char *value);
void firn_json_int(struct firn_json *j, const char *key, int64_t value);
/** Not finite becomes null. The fewest of 17 digits that read back as the same double. */
void firn_json_number(struct firn_json *j, const char *key, double value);
void firn_json_bool(struct firn_json *j, const char *key, bool value);

#endif
