/* SPDX-License-Identifier: MIT */
#include "pipeline/decode.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "image/image.h"
#include "pipeline/item.h"

#define GROUP_BYTES ((size_t)1 << 20)

struct worker {
    const struct firn_decode_config *config;
    struct firn_decoder *decoder; /* one of the two */
    struct firn_cell *cell;
    struct firn_item *item[FIRN_DECODE_GROUP];
    size_t n;
};

static void stop(void *worker)
{
    struct worker *w = worker;
    if (w)
        firn_decoder_destroy(w->decoder);
    if (w)
        firn_cell_return(w->cell);
    free(w);
}

static int start(void **worker, const void *config, struct firn_error *err)
{
    struct worker *w = calloc(1, sizeof *w);
    *worker = NULL;
    if (!w)
        return firn_fail_nomem(err, "a decoder");
    w->config = config;
    const struct firn_decode_config *c = w->config;
    int status = c->warden ? firn_cell_take(&w->cell, c->warden, c, err)
                           : firn_decoder_create(&w->decoder, &c->spec, err);
    if (status) {
        free(w);
        return status;
    }
    if (w->decoder)
        firn_decoder_tune(w->decoder, c->cpu, !c->whole);
    *worker = w;
    return 0;
}

/* Said once: whoever has one such photograph has many. */
static void note_turned(const struct firn_decode_config *config)
{
    if (firn_board_add(config->board->turned, 1) == 0 && !config->spec.turn)
        firn_board_tell(config->board, 0, NULL,
                        "some photographs lie on their side by their EXIF orientation, which is "
                        "ignored, as torchvision does; --exif apply turns them");
}

/*
 * Takes an item, and what else is there: hashing several at once is faster. Not so much of it that
 * other workers wait for work, which is in proportion to the bytes.
 */
static bool gather(struct worker *w)
{
    struct firn_ring *in = w->config->in;
    struct firn_item *item = firn_ring_pop(in);
    size_t bytes = 0;
    for (w->n = 0; item; item = firn_ring_try_pop(in)) {
        w->item[w->n++] = item;
        bytes += item->size;
        if (w->n == FIRN_DECODE_GROUP || bytes >= GROUP_BYTES)
            break;
    }
    return w->n > 0;
}

static void hash(struct worker *w)
{
    struct firn_hash_job job[FIRN_DECODE_GROUP];
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct firn_item *item = w->item[i];
        if (item->fate == FIRN_LIVE)
            job[n++] = (struct firn_hash_job){item->file->bytes, item->file->size, item->content};
    }
    firn_hash_many(w->config->cpu, job, n);
}

static void decode(struct worker *w, struct firn_item *item)
{
    struct firn_image_info info = {.orientation = 1};
    struct firn_error err;
    const uint8_t *bytes = item->file->bytes;
    size_t size = item->file->size;
    if (firn_writer_has(w->config->writer, item->content) ||
        !firn_twins_claim(w->config->twins, item)) {
        item->reused = true;
        item->fate = FIRN_DONE;
        return;
    }
    int status = w->cell ? firn_cell_decode(w->cell, bytes, size, item->crop, &info, &err)
                         : firn_decode(w->decoder, bytes, size, item->crop, &info, &err);
    if (status)
        firn_item_fail(item, status == -FIRN_DATA ? FIRN_CORRUPT : FIRN_SKIPPED, "%s", err.text);
    else if (info.orientation != 1)
        note_turned(w->config);
}

static int run(void *worker, struct firn_error *err)
{
    struct worker *w = worker;
    (void)err;
    while (gather(w)) {
        hash(w);
        for (size_t i = 0; i < w->n; i++) {
            struct firn_item *item = w->item[i];
            if (firn_board_halted(w->config->board))
                firn_item_drop(item);
            if (item->fate == FIRN_LIVE)
                decode(w, item);
            firn_blob_return(item->file);
            item->file = NULL;
            firn_ring_push(w->config->out, item);
        }
    }
    return 0;
}

const struct firn_stage_type firn_decode_stage = {"firn-decode", start, run, stop};
