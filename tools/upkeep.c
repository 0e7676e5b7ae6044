/* SPDX-License-Identifier: MIT */
#include "upkeep.h"

#include "cli.h"

int firn_upkeep_json(const struct firn_upkeep *u)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_int(&j, "photographs", (int64_t)u->photographs);
    firn_json_int(&j, "gone", (int64_t)u->gone);
    firn_json_int(&j, "forgotten", (int64_t)u->forgotten);
    firn_json_int(&j, "lost", (int64_t)u->lost);
    firn_json_int(&j, "unnamed", (int64_t)u->unnamed);
    firn_json_bool(&j, "ledger_damaged", u->ledger_damaged);
    firn_json_int(&j, "conflicts", (int64_t)u->conflicts);
    firn_json_int(&j, "damaged", (int64_t)u->damaged);
    firn_json_int(&j, "rows_before", (int64_t)u->rows_before);
    firn_json_int(&j, "rows", (int64_t)u->rows);
    firn_json_int(&j, "segments_before", (int64_t)u->segments_before);
    firn_json_int(&j, "segments", (int64_t)u->segments);
    firn_json_int(&j, "bytes_before", (int64_t)u->bytes_before);
    firn_json_int(&j, "bytes", (int64_t)u->bytes);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

void firn_upkeep_photograph(void *user, const char *path, const char *what)
{
    (void)user;
    firn_cli_warn("%s: %s", path, what);
}
