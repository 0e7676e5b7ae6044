/* SPDX-License-Identifier: MIT */
#include "pipeline/board.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

/* Enough for a burst of failures between two looks of the calling thread. */
#define NEWS 64

int firn_board_create(struct firn_board *board, unsigned threads, struct firn_error *err)
{
    memset(board, 0, sizeof *board);
    board->news = firn_ring_create(NEWS, threads);
    board->blank = firn_ring_create(NEWS, 1);
    board->slab = firn_alloc(NEWS, sizeof *board->slab);
    if (!board->news || !board->blank || !board->slab) {
        firn_board_destroy(board);
        return firn_fail_nomem(err, "messages");
    }
    for (int i = 0; i < NEWS; i++)
        firn_ring_push(board->blank, &board->slab[i]);
    return 0;
}

void firn_board_destroy(struct firn_board *board)
{
    firn_ring_destroy(board->news);
    firn_ring_destroy(board->blank);
    firn_free(board->slab);
    board->news = board->blank = NULL;
    board->slab = NULL;
}

void firn_board_tell(struct firn_board *board, int state, const char *path, const char *fmt, ...)
{
    struct firn_news *news = firn_ring_pop(board->blank);
    news->state = state;
    snprintf(news->path, sizeof news->path, "%s", path ? path : "");
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(news->text, sizeof news->text, fmt, ap);
    va_end(ap);
    firn_ring_push(board->news, news);
}
