/* SPDX-License-Identifier: MIT */
/** The ring alone: order, wrap, limits, close. */
#include "check.h"

#include "base/ring.h"
#include "base/thread.h"

static int items[64];

static void keeps_order_over_many_laps(void)
{
    struct firn_ring *ring = firn_ring_create(5, 1); /* rounds up to 8 */
    size_t in = 0, out = 0;
    for (int lap = 0; lap < 1000; lap++) {
        for (int i = 0; i <= lap % 8; i++)
            firn_ring_push(ring, &items[in++ % 64]);
        CHECK_INT(firn_ring_count(ring), lap % 8 + 1);
        for (int i = 0; i <= lap % 8; i++)
            CHECK(firn_ring_pop(ring) == &items[out++ % 64]);
        CHECK(!firn_ring_try_pop(ring));
    }
    firn_ring_destroy(ring);
}

int main(void)
{
    keeps_order_over_many_laps();
    CHECK_DONE();
}
