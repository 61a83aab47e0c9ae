/* imig_word.h - which names of a revision file the scanner looks at. */
#ifndef IMIG_WORD_H
#define IMIG_WORD_H

#include "imig_base.h"

typedef enum imig_word {
    IMIG_WORD_PLAIN,

    /* What Alembic reads; in this order, so that they index arrays. */
    IMIG_WORD_REVISION,
    IMIG_WORD_DOWN_REVISION,
    IMIG_WORD_BRANCH_LABELS,
    IMIG_WORD_DEPENDS_ON,

    /* __doc__, __getattr__ (PEP 562) and _alembic_source_encoding (Script.doc): bound
     * by a module they change what Alembic reads. */
    IMIG_WORD_RESERVED,

    /* Ways to a module's names that are no assignment. */
    IMIG_WORD_TRICK,      /* functions: exec(), eval() */
    IMIG_WORD_ATTR,       /* getattr(), setattr(), delattr(): with a literal they are
                           * what the literal says */
    IMIG_WORD_LOCALS,     /* locals() and vars(): the module's at module level only */
    IMIG_WORD_GLOBALS,    /* globals()[...](...) only reads */
    IMIG_WORD_TRICK_ATTR, /* attributes, and names too: f_globals, __globals__, ... */
    IMIG_WORD_SYS,        /* together with `modules` */
    IMIG_WORD_MODULES,

    IMIG_WORD_NONE, /* None */
    IMIG_WORD_AS,
    IMIG_WORD_IN,

    /* From here on: what a statement may start with. */
    IMIG_WORD_DEF,
    IMIG_WORD_CLASS,
    IMIG_WORD_ASYNC,
    IMIG_WORD_GLOBAL,
    IMIG_WORD_IMPORT,
    IMIG_WORD_FOR,
    IMIG_WORD_DEL,
    IMIG_WORD_COMPOUND, /* starts a statement that holds statements: if, try, ... */
    IMIG_WORD_SIMPLE,   /* starts a statement that may bind: del, match, type, ... */
} imig_word;

#define IMIG_WORD_WATCHED 4
#define IMIG_WORD_LONGEST 24

static inline bool
imig_word_watched(imig_word word)
{
    return word >= IMIG_WORD_REVISION && word <= IMIG_WORD_DEPENDS_ON;
}

/* True for the names that a module must not bind in any way that is not understood. */
static inline bool
imig_word_guarded(imig_word word)
{
    return word >= IMIG_WORD_REVISION && word <= IMIG_WORD_RESERVED;
}

imig_word imig_word_of(const char *name, size_t len);

extern const uint32_t imig_word_letters[IMIG_WORD_LONGEST + 1];

/* False for most names that are no word that matters within a statement; for speed. */
static inline bool
imig_word_possible(const char *name, size_t len)
{
    unsigned char first = (unsigned char)name[0];
    return len <= IMIG_WORD_LONGEST && first >= '_' &&
           (imig_word_letters[len] >> (first & 31) & 1) != 0;
}

/* True when no name with these bytes beyond ASCII can be one of the words above: Python
 * normalises names by NFKC, which turns a few letters into ASCII ones. */
bool imig_word_harmless(const char *name, size_t len, bool latin1);

#endif /* IMIG_WORD_H */
