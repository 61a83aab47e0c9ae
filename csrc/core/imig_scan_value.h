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

/* Calls that only read, although they could do worse; see imig_scan_trick.c.
 *
 *     globals()[item](...)          getattr(object, "name"...)      also setattr,
 * delattr 12 3    45                    6      7      8     9
 */
typedef enum imig_scan_step {
    IMIG_STEP_OPEN,   /* 1: wants ( */
    IMIG_STEP_CLOSE,  /* 2: wants ) */
    IMIG_STEP_ITEM,   /* 3: wants [ */
    IMIG_STEP_INSIDE, /* waits for the ] of 4 */
    IMIG_STEP_CALL,   /* 5: wants ( */
    IMIG_STEP_ATTR,   /* 6: wants ( */
    IMIG_STEP_OBJECT, /* waits for the , of 7 */
    IMIG_STEP_NAME,   /* 8: wants a literal */
    IMIG_STEP_END,    /* 9: wants , or ) */
} imig_scan_step;

/* One such call that is open; `depth` is that of the bracket waited for. */
typedef struct imig_scan_form {
    uint8_t step;
    uint8_t depth;
} imig_scan_form;

#define IMIG_SCAN_FORMS 8 /* one within another; more is refused */

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
    bool tail_read;                          /* the rest has been looked at as bytes */
    uint8_t stretch; /* the one that starts at the end of this line, or has started */
    bool marked;     /* it has started */
    size_t mark;     /* where, and what was known there */
    imig_scan_facts mark_facts;
    bool in_body; /* past the first token of a line of a def or class */
    uint8_t form_count;
    imig_scan_form forms[IMIG_SCAN_FORMS];
    size_t nested; /* columns of the def or class that is open, SIZE_MAX: none */
    imig_scan_end end;
    size_t where;
} imig_scan_state;

/* End the scan as NOT_STATIC at the current token; returns false. */
bool imig_scan_refuse(imig_scan_state *s, const char *reason);

/* Refuse the current token if it leads to a module's names in a way that is no
 * assignment; sets `word`. */
bool imig_scan_check(imig_scan_state *s);

static inline bool
imig_scan_at_op(const imig_scan_state *s, char op)
{
    return s->token.kind == IMIG_TOKEN_OP && s->token.op == op;
}

/* Go to the next token; false when the file turns out broken, unknown or too clever. */
bool imig_scan_advance(imig_scan_state *s);

/* True at the end of a simple statement. */
bool imig_scan_at_end(const imig_scan_state *s);

/* Read a literal from the current token to the end of its statement.
 * On false the scan has ended: the value is no literal, or there was an error. */
bool imig_scan_value(imig_value *out, imig_scan_state *s);

/* That stretch starts at the end of the line. */
void imig_scan_stretch(imig_scan_state *s, uint8_t stretch);

/* At the end of a line: go to the end of the stretch that starts there, if it is known.
 * The current token is then the `=` before the value of *out; or *out is PLAIN, and the
 * next line is the first definition. */
bool imig_scan_recall(imig_word *out, imig_scan_state *s);

/* The stretch ends before byte `end`: remember it. */
void imig_scan_learn(imig_scan_state *s, uint8_t stretch, size_t end);

#endif /* IMIG_SCAN_VALUE_H */
