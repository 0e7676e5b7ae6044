/* SPDX-License-Identifier: MIT */
/** The few names that a torch pickle may use, and what firn takes them for. */
#include <string.h>

#include "base/error.h"
#include "model/pickle.h"

enum call {
    STORAGE_TYPE, /* names a type of numbers; not callable */
    TENSOR_TYPE,  /* the same, of the tar form only; not looked at */
    ORDERED_DICT,
    REBUILD_TENSOR,
    REBUILD_PARAMETER,
    PARAMETER
};

static const struct global {
    const char *module, *name, *full;
    enum call call;
    int arg; /* the dtype of a storage type; the least number of arguments of a tensor */
} globals[] = {
    {"collections", "OrderedDict", "collections.OrderedDict", ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor_v2", "torch._utils._rebuild_tensor_v2", REBUILD_TENSOR, 6},
    {"torch._utils", "_rebuild_tensor", "torch._utils._rebuild_tensor", REBUILD_TENSOR, 4},
    {"torch._utils", "_rebuild_parameter", "torch._utils._rebuild_parameter", REBUILD_PARAMETER,
     0},
    {"torch.nn.parameter", "Parameter", "torch.nn.parameter.Parameter", PARAMETER, 0},
    {"torch", "FloatStorage", "torch.FloatStorage", STORAGE_TYPE, FIRN_F32},
    {"torch", "DoubleStorage", "torch.DoubleStorage", STORAGE_TYPE, FIRN_F64},
    {"torch", "HalfStorage", "torch.HalfStorage", STORAGE_TYPE, FIRN_F16},
    {"torch", "BFloat16Storage", "torch.BFloat16Storage", STORAGE_TYPE, FIRN_BF16},
    {"torch", "LongStorage", "torch.LongStorage", STORAGE_TYPE, FIRN_I64},
    {"torch", "IntStorage", "torch.IntStorage", STORAGE_TYPE, FIRN_I32},
    {"torch", "ShortStorage", "torch.ShortStorage", STORAGE_TYPE, FIRN_I16},
    {"torch", "CharStorage", "torch.CharStorage", STORAGE_TYPE, FIRN_I8},
    {"torch", "ByteStorage", "torch.ByteStorage", STORAGE_TYPE, FIRN_U8},
    {"torch", "BoolStorage", "torch.BoolStorage", STORAGE_TYPE, FIRN_BOOL},
    {"torch", "FloatTensor", "torch.FloatTensor", TENSOR_TYPE, 0},
    {"torch", "DoubleTensor", "torch.DoubleTensor", TENSOR_TYPE, 0},
    {"torch", "HalfTensor", "torch.HalfTensor", TENSOR_TYPE, 0},
    {"torch", "LongTensor", "torch.LongTensor", TENSOR_TYPE, 0},
    {"torch.cuda", "FloatTensor", "torch.cuda.FloatTensor", TENSOR_TYPE, 0},
    {"torch.cuda", "HalfTensor", "torch.cuda.HalfTensor", TENSOR_TYPE, 0},
    {"torch.cuda", "LongTensor", "torch.cuda.LongTensor", TENSOR_TYPE, 0},
};

int firn_pickle_global(const char *module, const char *name, bool tar)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (strcmp(globals[i].module, module) == 0 && strcmp(globals[i].name, name) == 0)
            return globals[i].call == TENSOR_TYPE && !tar ? -1 : (int)i;
    return -1;
}

bool firn_pickle_dtype(const struct firn_value *value, enum firn_dtype *dtype)
{
    if (value->kind != FIRN_GLOBAL || globals[value->integer].call != STORAGE_TYPE)
        return false;
    *dtype = (enum firn_dtype)globals[value->integer].arg;
    return true;
}

/** OrderedDict(), or, as Python 2 wrote it, OrderedDict([[key, value], ...]). */
static int make_dict(const struct firn_value *args, struct firn_pool *pool,
                     struct firn_value **out, struct firn_error *err)
{
    struct firn_value *dict = *out = firn_value_new(pool, FIRN_DICT);
    if (!dict)
        return firn_fail_nomem(err, "a dict");
    dict->object = true;
    if (args->list.n == 0)
        return 0;
    const struct firn_value *pairs = args->list.item[0];
    if (args->list.n > 1 || pairs->kind != FIRN_LIST)
        return firn_fail(err, FIRN_DATA, "OrderedDict of something other than a list of pairs");
    for (size_t i = 0; i < pairs->list.n; i++) {
        const struct firn_value *pair = pairs->list.item[i];
        if ((pair->kind != FIRN_LIST && pair->kind != FIRN_TUPLE) || pair->list.n != 2)
            return firn_fail(err, FIRN_DATA, "OrderedDict of something other than pairs");
        if (firn_value_append(dict, pair->list.item[0], pool) ||
            firn_value_append(dict, pair->list.item[1], pool))
            return firn_fail_nomem(err, "a dict");
    }
    return 0;
}

/** A tuple of not negative integers; -1 if it is anything else. */
static int read_dims(const struct firn_value *tuple, int64_t dims[FIRN_MAX_NDIM])
{
    if (tuple->kind != FIRN_TUPLE || tuple->list.n > FIRN_MAX_NDIM)
        return -1;
    for (size_t i = 0; i < tuple->list.n; i++) {
        const struct firn_value *item = tuple->list.item[i];
        if (item->kind != FIRN_INTEGER || item->integer < 0)
            return -1;
        dims[i] = item->integer;
    }
    return (int)tuple->list.n;
}

/** _rebuild_tensor[_v2](storage, offset, shape, stride[, requires_grad, hooks[, metadata]]). */
static int make_tensor(const struct firn_value *args, int least, struct firn_pool *pool,
                       struct firn_value **out, struct firn_error *err)
{
    const struct firn_value **item = args->list.item;
    size_t n = args->list.n;
    if (n < (size_t)least || n > (least == 4 ? 4 : 7))
        return firn_fail(err, FIRN_DATA, "a tensor made of %zu arguments", n);
    if (item[0]->kind != FIRN_STORAGE || item[1]->kind != FIRN_INTEGER || item[1]->integer < 0)
        return firn_fail(err, FIRN_DATA, "a tensor without a storage or an offset");
    struct firn_pickled_tensor tensor = {.storage = item[0]->storage, .offset = item[1]->integer};
    tensor.ndim = read_dims(item[2], tensor.shape);
    if (tensor.ndim < 0 || read_dims(item[3], tensor.stride) != tensor.ndim)
        return firn_fail(err, FIRN_DATA, "a tensor whose shape and stride do not fit, are "
                         "negative or have more than %d dimensions", FIRN_MAX_NDIM);
    *out = firn_value_new(pool, FIRN_VIEW);
    if (*out)
        (*out)->tensor = firn_pool_alloc(pool, sizeof tensor);
    if (!*out || !(*out)->tensor)
        return firn_fail_nomem(err, "a tensor");
    *(*out)->tensor = tensor;
    return 0;
}

/** The tensor that args[0] is, as a value of its own. */
static int make_parameter(const struct firn_value *args, size_t n, struct firn_pool *pool,
                          struct firn_value **out, struct firn_error *err)
{
    if (args->list.n != n || args->list.item[0]->kind != FIRN_VIEW)
        return firn_fail(err, FIRN_DATA, "a parameter that is not made of a tensor");
    *out = firn_value_new(pool, FIRN_VIEW);
    if (!*out)
        return firn_fail_nomem(err, "a parameter");
    (*out)->tensor = args->list.item[0]->tensor;
    return 0;
}

int firn_pickle_call(int64_t global, struct firn_value *args, struct firn_pool *pool,
                     struct firn_value **out, struct firn_error *err)
{
    const struct global *g = &globals[global];
    int rc;
    switch (g->call) {
    case ORDERED_DICT:
        return make_dict(args, pool, out, err);
    case REBUILD_TENSOR:
        return make_tensor(args, g->arg, pool, out, err);
    case REBUILD_PARAMETER: /* (tensor, requires_grad, hooks) */
        return make_parameter(args, 3, pool, out, err);
    case PARAMETER: /* torch 0.1.7 to 0.3: Parameter(tensor), then BUILD with three flags */
        rc = make_parameter(args, 1, pool, out, err);
        if (rc == 0)
            (*out)->object = true;
        return rc;
    case STORAGE_TYPE:
    case TENSOR_TYPE:
        break;
    }
    return firn_fail(err, FIRN_DATA, "calls %s, which is only a name here", g->full);
}

int firn_pickle_new(int64_t global, const struct firn_value *args, struct firn_pool *pool,
                    struct firn_value **out, struct firn_error *err)
{
    if (globals[global].call != PARAMETER || args->list.n != 0)
        return firn_fail(err, FIRN_DATA, "makes an object that is not an empty Parameter");
    *out = firn_value_new(pool, FIRN_VIEW);
    if (!*out)
        return firn_fail_nomem(err, "a parameter");
    (*out)->object = true;
    return 0;
}

int firn_pickle_build(struct firn_value *object, const struct firn_value *state, bool tar,
                      struct firn_error *err)
{
    if (object->object && object->kind == FIRN_DICT && state->kind == FIRN_DICT)
        return 0; /* state_dict() has `_metadata` */
    bool parameter = object->object && object->kind == FIRN_VIEW && state->kind == FIRN_TUPLE;
    if (parameter && state->list.n == 3)
        return 0; /* (requires_grad, volatile, hooks) */
    if (parameter && tar && state->list.n == 5 && state->list.item[0]->kind == FIRN_VIEW) {
        object->tensor = state->list.item[0]->tensor; /* (data, grad, hooks, and two flags) */
        return 0;
    }
    return firn_fail(err, FIRN_DATA, "gives attributes to something other than an OrderedDict or "
                     "a Parameter");
}

/** (key, offset, size) of a legacy storage that is a part of another. */
static int read_view(const struct firn_value *view, struct firn_pickled_storage *s,
                     struct firn_error *err)
{
    if (view->kind == FIRN_NONE)
        return 0;
    if (view->kind != FIRN_TUPLE || view->list.n != 3 ||
        view->list.item[1]->kind != FIRN_INTEGER || view->list.item[2]->kind != FIRN_INTEGER)
        return firn_fail(err, FIRN_DATA, "a storage that is a malformed view");
    int64_t size = view->list.item[2]->integer;
    s->offset = view->list.item[1]->integer;
    if (s->offset < 0 || size < 0 || s->offset > s->count || size > s->count - s->offset)
        return firn_fail(err, FIRN_DATA, "a storage view outside its storage");
    return 0;
}

int firn_pickle_persistent(const struct firn_value *id, struct firn_pool *pool,
                           struct firn_value **out, struct firn_error *err)
{
    const struct firn_value **item = id->list.item;
    size_t n = id->kind == FIRN_TUPLE ? id->list.n : 0;
    /* ('storage', type, key, location, count[, view]) */
    if ((n != 5 && n != 6) || !firn_value_is(item[0], "storage"))
        return firn_fail(err, FIRN_DATA, "a persistent id that is not a storage's");
    enum firn_dtype dtype;
    if (!firn_pickle_dtype(item[1], &dtype) || item[2]->kind != FIRN_TEXT ||
        item[3]->kind != FIRN_TEXT || item[4]->kind != FIRN_INTEGER || item[4]->integer < 0)
        return firn_fail(err, FIRN_DATA, "a storage that is malformed");
    if (memchr(item[2]->text.bytes, 0, item[2]->text.size))
        return firn_fail(err, FIRN_DATA, "a storage whose key has zero bytes");
    *out = firn_value_new(pool, FIRN_STORAGE);
    struct firn_pickled_storage *s = firn_pool_alloc(pool, sizeof *s);
    if (!*out || !s)
        return firn_fail_nomem(err, "a storage");
    *s = (struct firn_pickled_storage){
        .key = item[2]->text.bytes, .dtype = dtype, .count = item[4]->integer};
    (*out)->storage = s;
    return n == 6 ? read_view(item[5], s, err) : 0;
}
