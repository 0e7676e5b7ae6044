/* SPDX-License-Identifier: MIT */
/** What the payloads say: heads, footers, ledger entries, roots, runs. Bytes in, structs out. */
#ifndef FIRN_SRC_CACHE_RECORDS_H
#define FIRN_SRC_CACHE_RECORDS_H

#include "cache/bytes.h"
#include "cache/format.h"
#include "cache/roll.h"

/** Readers return 0, -1 when the bytes do not have the form, or -2 when memory is out. */

void firn_head_put(struct firn_buffer *out, const struct firn_head *head);
int firn_head_get(const uint8_t *bytes, size_t size, struct firn_head *head);

/** The footer's own part, without prefixes; a closing one is padded, with its trailer behind it. */
void firn_footer_put(struct firn_buffer *out, const struct firn_footer *footer);
/** Ignores what follows the table. The arrays are malloc'ed; free with firn_footer_fini(). */
int firn_footer_get(const uint8_t *bytes, size_t size, struct firn_footer *footer);
void firn_footer_fini(struct firn_footer *footer);

/** The last bytes of a closed segment: where its last footer block starts, and its size. */
void firn_trailer_put(uint8_t bytes[FIRN_TRAILER], uint64_t footer, uint64_t file_size);
/** 0 and the footer's offset, or -1. */
int firn_trailer_get(const uint8_t bytes[FIRN_TRAILER], uint64_t file_size, uint64_t *footer);

/** Whether all that a NEEDS block asks for is known here. */
bool firn_needs_known(const uint8_t *bytes, size_t size);

void firn_roster_put(struct firn_buffer *out, const struct firn_roster *roster);
/** The array is malloc'ed. */
int firn_roster_get(const uint8_t *bytes, size_t size, struct firn_roster *roster);

/** One photograph's newest outcome. Strings are terminated; who owns them is said where it is. */
struct firn_entry {
    const char *name, *reason;
    uint64_t size;
    int64_t mtime_ns, ctime_ns;
    uint32_t root;
    uint16_t name_size;
    uint8_t reason_size;
    uint8_t state; /* enum firn_state */
    uint8_t content[FIRN_KEY];
    /* not of the record: */
    bool met;         /* this run has come by it */
    uint32_t segment; /* that it was read from: index into the loaded segments */
};

enum { FIRN_LEDGER_PARTS = 4 };
/**
 * Entries whose keys come next in the roll (NULL: none) refer to it, so that the keys stand in the
 * rows alone. part[]: the bytes of keys, of the rest of the records, of references, of strings.
 */
void firn_ledger_put(struct firn_buffer *out, const struct firn_entry *entry, size_t n,
                     struct firn_roll *roll, size_t part[FIRN_LEDGER_PARTS]);
/** Calls `each` with strings that live until firn_ledger_get() returns; a non-zero result of it
 * ends the loop and is returned. Keys that neither the record nor the roll (NULL: empty) has are
 * zeros. -1: damaged; -2: out of memory. */
int firn_ledger_get(const uint8_t *bytes, size_t size, uint32_t count, struct firn_roll *roll,
                    int (*each)(void *user, const struct firn_entry *entry), void *user);

/** A root. `classes` points into `strings`, which also holds the path. */
struct firn_root {
    const char *path;
    const char **classes;
    size_t n_classes;
    char *strings;
};

void firn_root_put(struct firn_buffer *out, uint32_t id, const char *path,
                   const char *const *classes, size_t n_classes);
int firn_root_get(const uint8_t *bytes, size_t size, uint32_t *id, struct firn_root *root);
void firn_root_fini(struct firn_root *root);

void firn_run_put(struct firn_buffer *out, const struct firn_run *run);
int firn_run_get(const uint8_t *bytes, size_t size, struct firn_run *run);

#endif
