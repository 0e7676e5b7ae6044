/* SPDX-License-Identifier: MIT */
/**
 * A pickle is a program for a stack machine. A deny-list of dangerous instructions loses sooner or
 * later; here is the list of the harmless ones that torch.save() writes, and everything else ends
 * the reading. No instruction has an effect outside the pool: GLOBAL pushes the index of a row of
 * a fixed table, REDUCE builds what that row stands for.
 *
 * Limits: memory is bounded by the pool, whose limit the caller derives from the pickle's size;
 * the stack and every text are bounded below; a memo index is at most the number of bytes read so
 * far (picklers number their memo from 0). Each instruction takes time in proportion to its bytes
 * or to the stack items that it consumes, so that the whole takes linear time.
 */
#include "model/pickle.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define MAX_STACK 100000
#define MAX_TEXT 65536
#define PROTOCOL 2 /* torch.save()'s default, the only one it is ever used with */

struct machine {
    const uint8_t *begin, *p, *end;
    const uint8_t *opcode;     /* where the current instruction begins */
    struct firn_value **stack;
    size_t depth, stack_room;
    struct firn_value **memo;  /* NULL where nothing was put */
    size_t memo_room;
    bool stopped;
    const struct firn_pickled_storage *storage; /* the last one read */
    struct firn_pool *pool;
    const struct firn_pickle_ids *ids; /* not NULL: the tar form */
    const char *where;
    struct firn_error *err;
};

/** What MARK pushes; only its address counts. */
static struct firn_value mark;

__attribute__((format(printf, 2, 3)))
static int refuse(struct machine *m, const char *fmt, ...)
{
    char reason[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    const char *name = m->opcode < m->end ? firn_pickle_opcode(*m->opcode) : "the end";
    return firn_fail(m->err, FIRN_DATA, "%s: pickle byte %zu (%s): %s", m->where,
                     (size_t)(m->opcode - m->begin), name ? name : "no opcode", reason);
}

static int refuse_memory(struct machine *m)
{
    if (m->pool->out_of_memory)
        return firn_fail_nomem(m->err, "a pickle");
    return refuse(m, "more objects than a weight file of this size has");
}

/* The stack. */

static int push(struct machine *m, struct firn_value *value)
{
    if (!value)
        return refuse_memory(m);
    if (m->depth == m->stack_room) {
        if (m->depth >= MAX_STACK)
            return refuse(m, "the stack is deeper than %d", MAX_STACK);
        size_t room = m->stack_room ? 2 * m->stack_room : 256;
        struct firn_value **bigger = realloc(m->stack, room * sizeof *bigger);
        if (!bigger)
            return firn_fail_nomem(m->err, "a pickle");
        m->stack = bigger;
        m->stack_room = room;
    }
    m->stack[m->depth++] = value;
    return 0;
}

/** Takes the top value off; NULL, and refused, when there is none. */
static struct firn_value *pop(struct machine *m)
{
    if (m->depth == 0 || m->stack[m->depth - 1] == &mark)
        return refuse(m, "the stack has no value for it"), NULL;
    return m->stack[--m->depth];
}

/** The top value, left in place. */
static struct firn_value *top(struct machine *m)
{
    struct firn_value *value = pop(m);
    m->depth += value != NULL;
    return value;
}

/** Index of the first value above the topmost mark; SIZE_MAX, and refused, without a mark. */
static size_t above_mark(struct machine *m)
{
    for (size_t i = m->depth; i > 0; i--)
        if (m->stack[i - 1] == &mark)
            return i;
    refuse(m, "the stack has no mark for it");
    return SIZE_MAX;
}

/** The next `n` bytes of the pickle; NULL, and refused, when it ends before. */
static const uint8_t *take(struct machine *m, size_t n)
{
    if (n > (size_t)(m->end - m->p))
        return refuse(m, "the pickle is truncated"), NULL;
    m->p += n;
    return m->p - n;
}

/** A little-endian number of `n` <= 4 bytes. */
static int take_uint(struct machine *m, size_t n, uint32_t *out)
{
    const uint8_t *p = take(m, n);
    *out = 0;
    for (size_t i = 0; p && i < n; i++)
        *out |= (uint32_t)p[i] << (8 * i);
    return p ? 0 : -FIRN_DATA;
}

/* The instructions; `arg` is from the table at the end. */

static int op_proto(struct machine *m, int arg)
{
    (void)arg;
    const uint8_t *version = take(m, 1);
    if (!version)
        return -FIRN_DATA;
    if (m->opcode != m->begin)
        return refuse(m, "only allowed at the start");
    if (*version != PROTOCOL)
        return refuse(m, "protocol %d; firn reads protocol %d, torch.save()'s default", *version,
                      PROTOCOL);
    return 0;
}

static int op_stop(struct machine *m, int arg)
{
    (void)arg;
    if (m->depth != 1 || m->stack[0] == &mark)
        return refuse(m, "%zu values on the stack at the end, not one", m->depth);
    m->stopped = true;
    return 0;
}

static int op_mark(struct machine *m, int arg)
{
    (void)arg;
    return push(m, &mark);
}

/** NONE, NEWTRUE, NEWFALSE: `arg` is the value, -1 for None. */
static int op_constant(struct machine *m, int arg)
{
    struct firn_value *value = firn_value_new(m->pool, arg < 0 ? FIRN_NONE : FIRN_TRUTH);
    if (value)
        value->integer = arg > 0;
    return push(m, value);
}

/** BININT, BININT1, BININT2: `arg` bytes; only four bytes have a sign. */
static int op_int(struct machine *m, int arg)
{
    uint32_t bits;
    if (take_uint(m, (size_t)arg, &bits))
        return -FIRN_DATA;
    struct firn_value *value = firn_value_new(m->pool, FIRN_INTEGER);
    if (value)
        value->integer = arg == 4 ? (int64_t)(int32_t)bits : (int64_t)bits;
    return push(m, value);
}

/** A long of up to 255 bytes; the magic number of legacy files has ten. */
static int op_long1(struct machine *m, int arg)
{
    (void)arg;
    const uint8_t *size = take(m, 1), *bytes = size ? take(m, *size) : NULL;
    if (!bytes)
        return -FIRN_DATA;
    bool wide = *size > 8;
    struct firn_value *value = firn_value_new(m->pool, wide ? FIRN_LONG : FIRN_INTEGER);
    if (value && wide) {
        value->text.bytes = firn_pool_text(m->pool, bytes, *size);
        value->text.size = *size;
    } else if (value) {
        uint64_t bits = *size && bytes[*size - 1] & 0x80 ? UINT64_MAX : 0;
        for (int i = 0; i < *size; i++)
            bits = (bits & ~((uint64_t)0xFF << (8 * i))) | (uint64_t)bytes[i] << (8 * i);
        value->integer = (int64_t)bits;
    }
    return push(m, value && wide && !value->text.bytes ? NULL : value);
}

static int op_float(struct machine *m, int arg)
{
    (void)arg;
    const uint8_t *p = take(m, 8);
    if (!p)
        return -FIRN_DATA;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | p[i]; /* the one big-endian field of the format */
    struct firn_value *value = firn_value_new(m->pool, FIRN_FLOAT);
    if (value)
        memcpy(&value->number, &bits, sizeof bits);
    return push(m, value);
}

/** BINUNICODE, SHORT_BINSTRING: a length of `arg` bytes, then the text. */
static int op_text(struct machine *m, int arg)
{
    uint32_t size;
    if (take_uint(m, (size_t)arg, &size))
        return -FIRN_DATA;
    if (size > MAX_TEXT)
        return refuse(m, "a text of %u bytes; at most %d are read", size, MAX_TEXT);
    const uint8_t *bytes = take(m, size);
    if (!bytes)
        return -FIRN_DATA;
    struct firn_value *value = firn_value_new(m->pool, FIRN_TEXT);
    if (value) {
        value->text.bytes = firn_pool_text(m->pool, bytes, size);
        value->text.size = size;
    }
    return push(m, value && !value->text.bytes ? NULL : value);
}

/** EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT: `arg` is the kind. */
static int op_empty(struct machine *m, int arg)
{
    return push(m, firn_value_new(m->pool, (enum firn_kind)arg));
}

/** Moves the values from stack index `from` up to the end of `list`. */
static int gather(struct machine *m, size_t from, struct firn_value *list)
{
    for (size_t i = from; i < m->depth; i++)
        if (!list || firn_value_append(list, m->stack[i], m->pool))
            return refuse_memory(m);
    m->depth = from;
    return 0;
}

/** TUPLE1 to TUPLE3: of `arg` values; TUPLE, with 0: of all above the mark. */
static int op_tuple(struct machine *m, int arg)
{
    size_t from = arg > 0 ? m->depth : above_mark(m);
    for (int i = 0; i < arg; i++, from--)
        if (from == 0 || m->stack[from - 1] == &mark)
            return refuse(m, "the stack has no %d values for it", arg);
    if (from == SIZE_MAX)
        return -FIRN_DATA;
    struct firn_value *tuple = firn_value_new(m->pool, FIRN_TUPLE);
    int rc = gather(m, from, tuple);
    if (rc)
        return rc;
    m->depth -= arg == 0; /* the mark */
    return push(m, tuple);
}

/**
 * APPEND, APPENDS, SETITEM, SETITEMS: moves values into the list or dict below them. `arg` is how
 * many: 1 or 2; for all above the mark -1 (list) or -2 (dict).
 */
static int op_insert(struct machine *m, int arg)
{
    size_t from = arg > 0 ? m->depth - (size_t)arg : above_mark(m);
    if (arg > 0 ? m->depth <= (size_t)arg : from == SIZE_MAX)
        return arg > 0 ? refuse(m, "the stack has no %d values for it", arg) : -FIRN_DATA;
    for (size_t i = from; i < m->depth; i++)
        if (m->stack[i] == &mark)
            return refuse(m, "a mark is no value");
    bool pairs = arg == 2 || arg == -2;
    if (pairs && (m->depth - from) % 2)
        return refuse(m, "a key without a value");
    size_t below = from - (arg < 0); /* the mark lies between */
    struct firn_value *target = below > 0 ? m->stack[below - 1] : &mark;
    if (target == &mark || target->kind != (pairs ? FIRN_DICT : FIRN_LIST))
        return refuse(m, "there is no %s to put values into", pairs ? "dict" : "list");
    int rc = gather(m, from, target);
    m->depth -= rc == 0 && arg < 0;
    return rc;
}

/** BINPUT, LONG_BINPUT: an index of `arg` bytes. */
static int op_put(struct machine *m, int arg)
{
    uint32_t index;
    struct firn_value *value = top(m);
    if (!value || take_uint(m, (size_t)arg, &index))
        return -FIRN_DATA;
    if (index > (size_t)(m->p - m->begin))
        return refuse(m, "memo index %u is beyond everything read so far", index);
    if (index >= m->memo_room) {
        size_t room = 2 * (size_t)index + 256;
        struct firn_value **bigger = realloc(m->memo, room * sizeof *bigger);
        if (!bigger)
            return firn_fail_nomem(m->err, "a pickle");
        memset(bigger + m->memo_room, 0, (room - m->memo_room) * sizeof *bigger);
        m->memo = bigger;
        m->memo_room = room;
    }
    m->memo[index] = value;
    return 0;
}

/** BINGET, LONG_BINGET. */
static int op_get(struct machine *m, int arg)
{
    uint32_t index;
    if (take_uint(m, (size_t)arg, &index))
        return -FIRN_DATA;
    if (index >= m->memo_room || !m->memo[index])
        return refuse(m, "nothing is at memo index %u", index);
    return push(m, m->memo[index]);
}

/** Copies the next line into `line`, without its end. */
static int take_line(struct machine *m, char *line, size_t room)
{
    const uint8_t *end = memchr(m->p, '\n', (size_t)(m->end - m->p));
    size_t n = end ? (size_t)(end - m->p) : 0;
    if (!end || memchr(m->p, 0, n))
        return refuse(m, "a name without an end");
    if (n >= room)
        return refuse(m, "a name of %zu bytes; at most %zu are read", n, room - 1);
    memcpy(line, m->p, n);
    line[n] = 0;
    m->p = end + 1;
    return 0;
}

static int op_global(struct machine *m, int arg)
{
    (void)arg;
    char module[128], name[128], show[300];
    if (take_line(m, module, sizeof module) || take_line(m, name, sizeof name))
        return -FIRN_DATA;
    int index = firn_pickle_global(module, name, m->ids);
    if (index < 0) {
        snprintf(show, sizeof show, "%s.%s", module, name);
        char clean[sizeof show];
        return refuse(m, "asks for global %s: refused, firn runs no code from a weight file; "
                      "save the state_dict alone, torch.save(model.state_dict(), FILE)",
                      firn_printable(show, strlen(show), clean, sizeof clean));
    }
    struct firn_value *value = firn_value_new(m->pool, FIRN_GLOBAL);
    if (value)
        value->integer = index;
    return push(m, value);
}

/** REDUCE and, where `arg` is 1, NEWOBJ. */
static int op_call(struct machine *m, int arg)
{
    struct firn_value *args = pop(m), *callable = args ? pop(m) : NULL, *value;
    if (!callable)
        return -FIRN_DATA;
    if (callable->kind != FIRN_GLOBAL || args->kind != FIRN_TUPLE)
        return refuse(m, "calls something that is not a global with arguments");
    struct firn_error inner = {0};
    int rc = arg ? firn_pickle_new(callable->integer, args, m->pool, &value, &inner)
                 : firn_pickle_call(callable->integer, args, m->pool, &value, &inner);
    if (rc == -FIRN_NOMEM)
        return refuse_memory(m);
    return rc ? refuse(m, "%.300s", inner.text) : push(m, value);
}

static int op_build(struct machine *m, int arg)
{
    (void)arg;
    struct firn_value *state = pop(m), *object = state ? top(m) : NULL;
    if (!object)
        return -FIRN_DATA;
    struct firn_error inner = {0};
    int rc = firn_pickle_build(object, state, m->ids, &inner);
    return rc ? refuse(m, "%.300s", inner.text) : 0;
}

static int op_persistent(struct machine *m, int arg)
{
    (void)arg;
    struct firn_value *id = pop(m), *value;
    if (!id)
        return -FIRN_DATA;
    if (m->ids) {
        value = firn_value_new(m->pool, FIRN_VIEW);
        if (value && !(value->tensor = m->ids->find(m->ids->context, id)))
            return refuse(m, "a persistent id that is not a tensor's");
        return push(m, value);
    }
    struct firn_error inner = {0};
    int rc = firn_pickle_persistent(id, m->pool, &value, &inner);
    if (rc)
        return rc == -FIRN_NOMEM ? refuse_memory(m) : refuse(m, "%.300s", inner.text);
    value->storage->next = m->storage;
    m->storage = value->storage;
    return push(m, value);
}

/** How Python 2 wrote integers of more than 32 bits; also 00 and 01, for False and True. */
static int op_decimal(struct machine *m, int arg)
{
    (void)arg;
    char line[32], *end;
    if (take_line(m, line, sizeof line))
        return -FIRN_DATA;
    errno = 0;
    long long number = strtoll(line, &end, 10);
    if (errno || end == line || *end || isspace((unsigned char)*line))
        return refuse(m, "a malformed number");
    struct firn_value *value = firn_value_new(m->pool, FIRN_INTEGER);
    if (value)
        value->integer = number;
    return push(m, value);
}

/** The allow-list. */
static const struct instruction {
    int (*run)(struct machine *m, int arg); /* NULL: refused */
    int arg;
} instructions[256] = {
    [0x80] = {op_proto, 0},
    ['.'] = {op_stop, 0},
    ['('] = {op_mark, 0},
    ['N'] = {op_constant, -1},
    [0x88] = {op_constant, 1},
    [0x89] = {op_constant, 0},
    ['J'] = {op_int, 4},
    ['K'] = {op_int, 1},
    ['M'] = {op_int, 2},
    [0x8A] = {op_long1, 0},
    ['G'] = {op_float, 0},
    ['X'] = {op_text, 4},
    ['U'] = {op_text, 1},
    [')'] = {op_empty, FIRN_TUPLE},
    [']'] = {op_empty, FIRN_LIST},
    ['}'] = {op_empty, FIRN_DICT},
    ['t'] = {op_tuple, 0},
    [0x85] = {op_tuple, 1},
    [0x86] = {op_tuple, 2},
    [0x87] = {op_tuple, 3},
    ['a'] = {op_insert, 1},
    ['e'] = {op_insert, -1},
    ['s'] = {op_insert, 2},
    ['u'] = {op_insert, -2},
    ['q'] = {op_put, 1},
    ['r'] = {op_put, 4},
    ['h'] = {op_get, 1},
    ['j'] = {op_get, 4},
    ['c'] = {op_global, 0},
    ['R'] = {op_call, 0},
    ['b'] = {op_build, 0},
    ['Q'] = {op_persistent, 0},

    /* Only in the tar form. */
    ['I'] = {op_decimal, 0},
    [0x81] = {op_call, 1},
};

static int step(struct machine *m)
{
    m->opcode = m->p;
    if (m->p == m->end)
        return refuse(m, "the pickle is truncated");
    const struct instruction *op = &instructions[*m->p++];
    if (!firn_pickle_opcode(*m->opcode))
        return refuse(m, "byte 0x%02x is no instruction", *m->opcode);
    bool tar_only = op->run == op_decimal || (op->run == op_call && op->arg);
    if (!op->run || (tar_only && !m->ids))
        return refuse(m, "this instruction is refused: torch.save() never writes it");
    return op->run(m, op->arg);
}

int firn_pickle_read(struct firn_pickle *pickle, const uint8_t *bytes, size_t n,
                     struct firn_pool *pool, const struct firn_pickle_ids *ids, const char *where,
                     struct firn_error *err)
{
    struct machine m = {.begin = bytes, .p = bytes, .end = bytes + n, .pool = pool, .ids = ids,
                        .where = where, .err = err};
    int rc = 0;
    while (rc == 0 && !m.stopped)
        rc = step(&m);
    if (rc == 0)
        *pickle = (struct firn_pickle){m.stack[0], m.storage, (size_t)(m.p - bytes)};
    free(m.stack);
    free(m.memo);
    return rc;
}
