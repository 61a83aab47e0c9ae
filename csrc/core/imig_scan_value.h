/* imig_scan_value.h - what the files of the scanner share. */
#ifndef IMIG_SCAN_VALUE_H
#define IMIG_SCAN_VALUE_H

#include "imig_lex.h"
#include "imig_scan.h"
#include "imig_word.h"

typedef enum imig_scan_end {
    IMIG_SCAN_RUNNING,
    IMIG_SCAN_REFUSED,     /* NOT_STATIC, for header->reason at byte `where` */
    IMIG_SCAN_NOT_LITERAL, /* REFUSED, which a docstring need not mind */
    IMIG_SCAN_BROKEN,      /* no Python compiles the file; reason and place likewise */
    IMIG_SCAN_NOMEM,
} imig_scan_end;

/* Steps through `globals()[...](...)`: Alembic's multidb template calls its functions
 * so.  Any other use of globals() is refused. */
typedef enum imig_scan_globals {
    IMIG_SCAN_GLOBALS_NONE,
    IMIG_SCAN_GLOBALS_NAME,   /* globals */
    IMIG_SCAN_GLOBALS_OPEN,   /* globals( */
    IMIG_SCAN_GLOBALS_CALL,   /* globals() */
    IMIG_SCAN_GLOBALS_INSIDE, /* globals()[... */
    IMIG_SCAN_GLOBALS_ITEM,   /* globals()[...] */
} imig_scan_globals;

/* One scan.  Its functions return false once `end` says that it is over. */
typedef struct imig_scan_state {
    imig_header *header;
    imig_lex lex;
    imig_token token; /* the one looked at */
    imig_word word;   /* of a NAME */
    bool after_dot;   /* the token before it was a point */
    imig_word before; /* word of the token before it, PLAIN when it was no name */
    bool latin1;
    bool saw_sys; /* both: sys.modules may be used */
    bool saw_modules;
    uint8_t bound;                           /* bit 1 << word: the name has its value */
    uint8_t mentions[IMIG_WORD_WATCHED + 1]; /* by word; 2 means two or more */
    imig_scan_globals globals;
    uint8_t globals_depth; /* brackets open within those of INSIDE */
    bool in_body;          /* past the first token of a line of a def or class */
    size_t nested; /* columns of the def or class that is open, SIZE_MAX: none */
    imig_scan_end end;
    size_t where;
} imig_scan_state;

/* End the scan as NOT_STATIC at the current token; returns false. */
bool imig_scan_refuse(imig_scan_state *s, const char *reason);

/* Go to the next token; false when the file turns out broken, unknown or too clever. */
bool imig_scan_advance(imig_scan_state *s);

/* True at the end of a simple statement. */
bool imig_scan_at_end(const imig_scan_state *s);

/* Read a literal from the current token to the end of its statement.
 * On false the scan has ended: the value is no literal, or there was an error. */
bool imig_scan_value(imig_value *out, imig_scan_state *s);

#endif /* IMIG_SCAN_VALUE_H */
