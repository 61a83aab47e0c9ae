/* fuzz_sql.c - the SQL classifier on any bytes, and what its facts must never say
 * together. The first byte chooses standard_conforming_strings. */
#include <stdlib.h>
#include <string.h>

#include "imig_sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                \
    do {                                                                               \
        if (!(condition))                                                              \
            abort();                                                                   \
    } while (0)

static void
check(const imig_sql_facts *f, size_t len)
{
    MUST(f->verb_offset <= len);
    MUST(f->name_offset <= len && f->name_len <= len - f->name_offset);
    MUST((f->statements == 0) == (f->verb == IMIG_SQL_NONE));
    MUST((f->verb == IMIG_SQL_NONE) == (f->main_verb == IMIG_SQL_NONE));
    MUST(!f->unsure || (f->statements >= 2 && f->returns_rows));
    MUST(!f->deferrable ||
         (f->statements == 1 && !f->returns_rows && !f->transaction_control &&
          !f->own_transaction && !f->changes_text_settings));
    MUST(*imig_sql_verb_name(f->verb) != '?');
    MUST(*imig_sql_object_name(f->object) != '?');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t len = size - 1;
    char *sql = malloc(len != 0 ? len : 1);
    if (sql == NULL)
        return 0;
    memcpy(sql, data + 1, len);
    imig_sql_facts facts;
    imig_sql_look(&facts, sql, len, (data[0] & 1) != 0);
    check(&facts, len);
    free(sql);
    return 0;
}
