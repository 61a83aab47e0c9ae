/* imig_pq_diag.c - what an error report of the server contains. */
#include "imig_pq.h"

#include <string.h>

const imig_pq_field imig_pq_fields[] = {
    {PG_DIAG_SEVERITY, "severity"},
    {PG_DIAG_SEVERITY_NONLOCALIZED, "severity_nonlocalized"},
    {PG_DIAG_SQLSTATE, "sqlstate"},
    {PG_DIAG_MESSAGE_PRIMARY, "message_primary"},
    {PG_DIAG_MESSAGE_DETAIL, "message_detail"},
    {PG_DIAG_MESSAGE_HINT, "message_hint"},
    {PG_DIAG_STATEMENT_POSITION, "statement_position"},
    {PG_DIAG_INTERNAL_POSITION, "internal_position"},
    {PG_DIAG_INTERNAL_QUERY, "internal_query"},
    {PG_DIAG_CONTEXT, "context"},
    {PG_DIAG_SCHEMA_NAME, "schema_name"},
    {PG_DIAG_TABLE_NAME, "table_name"},
    {PG_DIAG_COLUMN_NAME, "column_name"},
    {PG_DIAG_DATATYPE_NAME, "datatype_name"},
    {PG_DIAG_CONSTRAINT_NAME, "constraint_name"},
    {PG_DIAG_SOURCE_FILE, "source_file"},
    {PG_DIAG_SOURCE_LINE, "source_line"},
    {PG_DIAG_SOURCE_FUNCTION, "source_function"},
    {0, NULL},
};

imig_str
imig_pq_result_message(const PGresult *result)
{
    imig_str message = {PQresultErrorMessage(result), 0};
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY);
    size_t skip = severity != NULL ? strlen(severity) : 0;
    if (skip != 0 && strncmp(message.ptr, severity, skip) == 0 &&
        strncmp(message.ptr + skip, ":  ", 3) == 0)
        message.ptr += skip + 3;
    message.len = strlen(message.ptr);
    while (message.len > 0 && message.ptr[message.len - 1] == '\n')
        message.len--;
    return message;
}
