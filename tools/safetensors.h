/* SPDX-License-Identifier: MIT */
/** The head of a .safetensors file: a length, then JSON. */
#ifndef FIRN_TOOLS_SAFETENSORS_H
#define FIRN_TOOLS_SAFETENSORS_H

#include "firn/json.h"
#include "output.h"

/** One tensor: [rows][dim], or [rows] where dim is 0, at bytes begin..end behind the head. */
void firn_safetensors_tensor(struct firn_json *j, const char *name, const char *type, size_t rows,
                             int dim, uint64_t begin, uint64_t end);

/** Writes the length and the head, padded to 8, and frees it. FIRN_NOMEM, FIRN_CANTCREATE. */
int firn_safetensors_begin(struct firn_output *out, struct firn_json *head,
                           struct firn_error *err);

#endif
