/* SPDX-License-Identifier: MIT */
/**
 * The parsers of the cache on any bytes, for libFuzzer; with plain_main.c an ordinary program.
 *
 * The bytes are a segment file. Checksums are put right first, since no fuzzer would find them, so
 * that its work goes into what lies behind them.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/records.h"
#include "cache/segment.h"
#include "cache_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sums of everything that looks like a block, and of the trailer. */
static void mend(uint8_t *bytes, size_t size)
{
    seal_blocks(bytes, size);
    if (size >= FIRN_TRAILER) {
        uint8_t *p = bytes + size - FIRN_TRAILER;
        firn_put(p + 24, firn_checksum(p, 24), 8);
    }
}

static int ignore_entry(void *user, const struct firn_entry *entry)
{
    *(size_t *)user += entry->name_size;
    return 0;
}

/* What firn_load() and verification do with a payload. */
static void parse(struct firn_codec *codec, const struct firn_block *b, const uint8_t *payload,
                  struct firn_rows *rows, struct firn_roll *roll)
{
    uint8_t *raw = NULL;
    size_t names = 0;
    struct firn_head head;
    struct firn_footer footer;
    struct firn_roster roster;
    struct firn_root root = {0};
    struct firn_run run;
    uint32_t id;
    if (b->type == FIRN_BLOCK_ROWS) {
        float *values = malloc(b->width * sizeof *values);
        if (values && firn_block_get_rows(codec, b, payload, rows) == 0) {
            for (uint32_t i = 0; i < b->count; i++)
                firn_rows_values(rows, b, i, values);
            firn_roll_add(roll, rows->key, b->count);
        }
        free(values);
        return;
    }
    if (firn_block_get(codec, b, payload, &raw) != 0)
        return;
    if (b->type == FIRN_BLOCK_HEAD)
        firn_head_get(raw, b->raw, &head);
    else if (b->type == FIRN_BLOCK_LEDGER)
        firn_ledger_get(raw, b->raw, b->count, roll, ignore_entry, &names);
    else if (b->type == FIRN_BLOCK_ROOT && firn_root_get(raw, b->raw, &id, &root) == 0)
        firn_root_fini(&root);
    else if (b->type == FIRN_BLOCK_RUN)
        firn_run_get(raw, b->raw, &run);
    else if (b->type == FIRN_BLOCK_FOOTER && firn_footer_get(raw, b->raw, &footer) == 0)
        firn_footer_fini(&footer);
    else if (b->type == FIRN_BLOCK_ROSTER && firn_roster_get(raw, b->raw, &roster) == 0)
        free(roster.member);
    free(raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct firn_segment segment;
    struct firn_scratch scratch = {0};
    struct firn_rows rows = {0};
    struct firn_roll roll = {0};
    struct firn_block b;
    struct firn_codec *codec = firn_codec_create();
    uint8_t *bytes = malloc(size + 1);
    int fd = memfd_create("segment", 0);
    if (!codec || !bytes || fd < 0)
        abort();
    memcpy(bytes, data, size);
    mend(bytes, size);
    if (pwrite(fd, bytes, size, 0) != (ssize_t)size)
        abort();
    firn_segment_init(&segment, 1);
    segment.fd = fd;
    segment.size = size;
    if (firn_segment_load(&segment, NULL) == 0)
        for (size_t i = 0; i < segment.n_extent; i++)
            if (firn_segment_read(&segment, segment.extent + i, &scratch, &b, NULL) == 0)
                parse(codec, &b, scratch.memory + FIRN_HEADER, &rows, &roll);
    firn_segment_fini(&segment);
    firn_rows_fini(&rows);
    firn_roll_fini(&roll);
    firn_codec_destroy(codec);
    free(scratch.memory);
    free(bytes);
    return 0;
}
