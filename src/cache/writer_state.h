/* SPDX-License-Identifier: MIT */
/** What the files that make up the writer share; nobody else includes this but tests. */
#ifndef FIRN_SRC_CACHE_WRITER_STATE_H
#define FIRN_SRC_CACHE_WRITER_STATE_H

#include <pthread.h>

#include "cache/disk.h"
#include "cache/load.h"
#include "cache/writer.h"

/** A whole block of an abandoned segment that nobody has acknowledged: it is written again. */
struct firn_salvage {
    size_t segment; /* index into the loaded segments */
    struct firn_extent extent;
};

/** Added, and not yet acknowledged. */
struct firn_pending {
    struct firn_entry *entry; /* strings live in the index */
    size_t n_entry, entry_room;
    uint8_t (*key)[FIRN_KEY]; /* of rows */
    float *value;             /* [n_row][dim] */
    uint32_t *row;            /* their places in the index's row[] */
    size_t n_row, row_room;
    uint32_t *root;           /* ids declared */
    size_t n_root;
    struct firn_run *run;
    size_t n_run;
    size_t *orphan;           /* segments that need a footer from us */
    size_t n_orphan;
    struct firn_salvage *salvage;
    size_t n_salvage;
    bool head;                /* a new segment is due even when there is nothing else to say */
    bool roster;              /* a roster is due */
};

struct firn_writer {
    pthread_mutex_t mutex; /* guards everything: several stages ask, one adds */
    const struct firn_disk *disk;
    uint64_t segment_bytes;
    size_t index_from;
    size_t footer_blocks;
    uint64_t tidy_from;
    uint64_t commits;      /* that said something of photographs */
    size_t news;           /* for firn_writer_news() */
    bool allow_network;
    int held; /* the lock, from the writer before */
    const volatile int *stop; /* of who waits for the cache to be opened */
    int lock;
    struct firn_loaded loaded;
    size_t growing;        /* index into loaded.segment; NO_SEGMENT when none is open */
    size_t reopen;         /* closed segment that may grow on; NO_SEGMENT when there is none */
    uint64_t reserved;     /* end of the blocks reserved for it */
    bool no_reserve;       /* the file system cannot */
    bool wrote;            /* something since INDEX was looked at */
    bool quarantine;       /* segments that leave are renamed, not removed */
    struct firn_pending pending;
    struct firn_codec *codec;
    struct firn_buffer out; /* a commit */
    struct firn_roll roll;  /* of its rows */
    struct firn_scratch scratch;
    bool no_memory;         /* to look at a block with: what is stored may seem not to be */
    uint32_t in_scratch;    /* place whose block is there, FIRN_NO_PLACE: none */
};
#define FIRN_NO_SEGMENT SIZE_MAX

/** Frees all, writes nothing. */
void firn_writer_destroy(struct firn_writer *w);

/**
 * Opens the cache in `dir` to write it anew: no new photograph, and no old segment that grows. What
 * a killed writer left is settled first. FIRN_NOINPUT: there is none.
 */
int firn_writer_open_upkeep(struct firn_writer **out, const char *dir,
                            const struct firn_writer_settings *settings, struct firn_error *err);

/**
 * Takes over an entry as it is, of whatever state; `feature` (NULL: none) is stored unless a
 * segment that is not old has it.
 */
int firn_writer_copy(struct firn_writer *w, const struct firn_entry *entry, const float *feature,
                     struct firn_error *err);

/** The same of a feature alone, which no entry names; `name` is for messages. */
int firn_writer_copy_row(struct firn_writer *w, const char *name, const uint8_t content[32],
                         const float *feature, struct firn_error *err);

/** Declares all roots again, and the past runs that old segments hold. */
int firn_writer_copy_facts(struct firn_writer *w, struct firn_error *err);

/**
 * Commits, and then lets go of the old segments: in one further commit whose roster does not name
 * them, after which they are removed (or renamed, w->quarantine). FIRN_DATA, with nothing let go
 * of: the only copy of a feature would go.
 */
int firn_writer_let_go(struct firn_writer *w, struct firn_error *err);

/** Puts all that is pending into w->out, for the growing segment. FIRN_NOMEM. */
int firn_writer_encode(struct firn_writer *w, struct firn_stamp *stamp, struct firn_error *err);

/** Writes what is pending; the mutex is held. See firn_writer_commit(). */
int firn_writer_flush(struct firn_writer *w, struct firn_error *err);

/** Makes INDEX anew when it is time to; no segment grows. */
void firn_writer_index(struct firn_writer *w);

/** Writes the footer of the growing segment and lets go of it. 0, or a failure that loses
 * nothing. */
int firn_writer_close_segment(struct firn_writer *w, struct firn_error *err);

#endif
