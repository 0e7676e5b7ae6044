/* SPDX-License-Identifier: MIT */
/*
 * The ring of src/base/ring.c as a model for spin: push, pop, park and close, one step for each
 * access to shared memory. The test searches every interleaving and finds no lost or doubled
 * object, no broken order of a producer, and no state in which everybody left sleeps (a lost
 * wake-up is such a state: spin calls it an invalid end state).
 *
 * Scenarios
 *     (none)    PRODUCERS push ITEMS each and close; CONSUMERS pop until the ring is over
 *     QUITTER   the first consumer may give up while it sleeps (a deadline) and not come back
 *     ONESHOT   nobody closes; each consumer pops one object and leaves: nothing but the wake-up
 *               of its own object can save a sleeper
 *     COARSE    take() is one step, so that more threads and objects fit into the search
 * Mistakes, each of which must be found
 *     BUG_NO_RECHECK   sleeps without the second look
 *     BUG_EARLY_LOOK   reads the gate before publishing: what a store buffer makes of operations
 *                      that are not sequentially consistent
 *     BUG_WAKE_ONE     wakes one sleeper instead of all
 *     BUG_CLOSE_QUIET  the last close wakes nobody
 *     BUG_NO_LAST_LOOK believes the first "empty" when the ring is closed
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef ITEMS
#define ITEMS 2
#endif
#define THREADS (PRODUCERS + CONSUMERS)
#define SELF (_pid - 1) /* process 0 is init */
#define FILLED 0
#define EMPTIED 1
#define NONE 255

byte seq[SLOTS], object[SLOTS];
byte head, tail;
byte gate[2];         /* bit 0: somebody sleeps; above: wake-ups counted */
bool asleep[THREADS]; /* in the kernel's queue of ... */
bit queue[THREADS];   /* ... this gate */
byte open = PRODUCERS;

/* Not part of the ring: what the assertions need, ... */
byte next[PRODUCERS]; /* the object of each producer whose turn it is */
byte finished;
byte held[2]; /* ... and how many threads hold a value of the gate in order to compare it */

/*
 * Each atomic block is one access to shared memory and what follows from it privately. To keep the
 * search small, a variable that is dead goes back to zero, and so does the count in a gate when
 * nobody holds an older value of it: then no comparison can tell the difference.
 */
inline let_go(g)
{
    held[g]--;
    gate[g] = (held[g] == 0 -> gate[g] & 1 : gate[g])
}

/* Objects are claimed in the order of their producer, so none is lost and none comes twice. */
inline check_order(value)
{
    assert(value != NONE);
    assert(value % ITEMS == next[value / ITEMS]);
    next[value / ITEMS]++
}

inline claim(end, offset)
{
    end = p + 1;
    ok = true;
    s = 0;
    if
    :: wait -> wait = 0; let_go(1 - offset) /* announced, but now there is no need to sleep */
    :: else
    fi;
    if
    :: offset == 1 -> check_order(object[p % SLOTS])
    :: else
    fi
}

/*
 * take() of ring.c: sets ok, and p when ok; offset 0 for push, 1 for pop.
 *
 * The coarse form is the same protocol: a position that is out of date by the time its slot is
 * read was claimed by somebody who saw the slot ready, so it leads to another round and never to
 * "nothing there"; and a slot that was ready stays so until its position is claimed. Hence the
 * outcome is decided in one moment: that of the exchange, or that of reading the slot.
 */
inline take(end, offset)
{
#ifdef COARSE
    atomic {
        p = end;
        if
        :: seq[p % SLOTS] == p + offset -> claim(end, offset)
        :: else -> assert(seq[p % SLOTS] < p + offset); ok = false; p = 0
        fi
    }
#else
    p = end;
    do
    :: atomic {
           s = seq[p % SLOTS];
           if
           :: s < p + offset -> ok = false; p = 0; s = 0; break
           :: else
           fi
       };
       atomic {
           if
           :: s == p + offset && end == p -> claim(end, offset); break
           :: else -> p = end
           fi
       }
    od
#endif
}

inline kernel_wake(g)
{
    atomic {
        do
        :: s == THREADS -> break
        :: s < THREADS && asleep[s] && queue[s] == g ->
           asleep[s] = false;
           queue[s] = 0;
#ifdef BUG_WAKE_ONE
           break
#endif
        :: s < THREADS && !(asleep[s] && queue[s] == g) -> s++
        od;
        s = 0
    }
}

inline wake_all(g)
{
    do
    :: atomic {
           if
           :: (gate[g] & 1) == 0 -> break
           :: else -> seen = gate[g]; held[g]++
           fi
       };
       atomic {
           if
           :: gate[g] == seen -> gate[g] = seen + 1; ok = true
           :: else -> ok = false
           fi;
           seen = 0;
           let_go(g)
       };
       if
       :: ok -> kernel_wake(g); break
       :: else
       fi
    od
}

/* The object is touched by nobody else before the slot is published: no step of its own. */
inline publish(thing, value, g)
{
#ifdef BUG_EARLY_LOOK
    ok = gate[g] & 1;
#endif
    atomic { object[p % SLOTS] = thing; seq[p % SLOTS] = value; p = 0 };
#ifdef BUG_EARLY_LOOK
    if
    :: ok -> wake_all(g)
    :: else
    fi
#else
    wake_all(g)
#endif
}

inline announce(g)
{
    atomic { gate[g] = gate[g] | 1; wait = gate[g]; held[g]++ }
}

inline sleep_at(g) /* the kernel compares and queues in one step */
{
    atomic {
        if
        :: gate[g] == wait -> asleep[SELF] = true; queue[SELF] = g
        :: else
        fi;
        wait = 0;
        let_go(g)
    };
    if
    :: !asleep[SELF]
#ifdef QUITTER
    :: atomic { SELF == PRODUCERS && asleep[SELF] -> asleep[SELF] = false; quit = true }
#endif
    fi
}

/* Nothing was there: says so at the gate and looks again, or sleeps if it has said so before. */
inline announce_or_sleep(g)
{
    if
    :: wait -> sleep_at(g)
    :: else ->
       announce(g);
#ifdef BUG_NO_RECHECK
       sleep_at(g)
#endif
    fi
}

proctype producer(byte me)
{
    byte i, p, s, seen, wait;
    bool ok, quit;
    do
    :: i < ITEMS ->
       take(tail, 0);
       if
       :: ok ->
          publish(me * ITEMS + i, p + 1, FILLED);
          i++
       :: else -> announce_or_sleep(EMPTIED)
       fi
    :: else -> break
    od;
#ifndef ONESHOT
    atomic { open--; ok = open == 0 };
#ifndef BUG_CLOSE_QUIET
    if
    :: ok -> wake_all(FILLED)
    :: else
    fi
#endif
#endif
}

proctype consumer()
{
    byte p, s, seen, wait;
    bool ok, last, quit;
    do
    :: take(head, 1);
       if
       :: ok ->
          last = false;
          publish(NONE, p + SLOTS, EMPTIED);
#ifdef ONESHOT
          break
#endif
       :: !ok && (last || quit) -> break
       :: !ok && !last && !quit ->
          if
          :: open == 0 ->
#ifdef BUG_NO_LAST_LOOK
             break
#else
             last = true
#endif
          :: else -> announce_or_sleep(FILLED)
          fi
       fi
    od;
    atomic {
        finished++;
        s = 0;
        do
        :: finished == CONSUMERS && s < PRODUCERS -> assert(next[s] == ITEMS); s++
        :: else -> break
        od
    }
}

init
{
    byte i;
    atomic {
        do
        :: i < SLOTS -> seq[i] = i; object[i] = NONE; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < PRODUCERS -> run producer(i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < CONSUMERS -> run consumer(); i++
        :: else -> break
        od
    }
}
