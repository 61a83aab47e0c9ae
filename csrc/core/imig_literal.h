/* imig_literal.h - the text of one Python string literal. */
#ifndef IMIG_LITERAL_H
#define IMIG_LITERAL_H

#include "imig_base.h"
#include "imig_buf.h"

/* Append, as UTF-8, the text of the literal whose body (without prefix and quotes) is
 * bytes[0 .. len).  NULL when done, else why it cannot be: text that UTF-8 cannot hold,
 * an escape that Python refuses, a \N{name} that is not in our table.  Memory trouble
 * shows in out->failed only. */
const char *imig_literal_add(imig_buf *out, const char *bytes, size_t len, bool raw,
                             bool latin1);

/* The code point that \N{name} stands for, 0 when our table has not got it.  The table
 * holds the names of ASCII, Latin, Greek, Cyrillic, punctuation and currencies. */
uint32_t imig_name_lookup(const char *name, size_t len);

/* A docstring (the end of `doc` from `start` on) as CPython 3.13 stores it: tabs
 * expanded, common indentation taken away.  Memory trouble shows in doc->failed. */
void imig_doc_clean(imig_buf *doc, size_t start);

#endif /* IMIG_LITERAL_H */
