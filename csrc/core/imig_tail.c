/* imig_tail.c - four bytes out of each word that matters, all sought at once.
 *
 * Shift-or over 16 patterns of four bytes each.  A state has one bit for each byte of
 * each pattern; it is 0 where the pattern matches up to there:
 *
 *     state = state << 16 | misses[byte]      bit 16 * place + pattern
 *
 * so that a 0 among the highest 16 bits ends a match.  Where one does, the names around
 * it are looked at: `execute` has `exec` in it and is no word that matters. */
#include "imig_tail.h"

#include "imig_word.h"

#define PATTERNS 16
#define PLACES 4
#define BLOCK ((size_t)16)
#define ENDS (UINT64_C(0xFFFF) << 48)

/* One of the bytes at each place.  tests/unit/test_scan_tail.py holds them against the
 * words of imig_word.c. */
static const char *const patterns[][PLACES] = {
    {"v", "i", "s", "i"},      /* revision, down_revision */
    {"h", "_", "l", "a"},      /* branch_labels */
    {"d", "s", "_", "o"},      /* depends_on */
    {"a", "t", "t", "r"},      /* getattr, __setattr__, __getattribute__, ... */
    {"e", "xv", "ea", "cl"},   /* exec, eval */
    {"v", "a", "r", "s"},      /* vars */
    {"c", "a", "l", "s"},      /* locals, f_locals */
    {"l", "o", "b", "a"},      /* globals, f_globals, __globals__ */
    {"m", "p", "o", "r"},      /* import, import_module, __import__ */
    {"o", "d", "u", "l"},      /* modules, getmodule */
    {"u", "i", "l", "t"},      /* builtins, __builtins__ */
    {"c", "t", "y", "p"},      /* ctypes */
    {"c", "_", "s", "o"},      /* _alembic_source_encoding */
    {"_", "_", "cdls", "iop"}, /* __code__, __dict__, __doc__, __loader__, __spec__ */
    {"_", "or", "be", "fj"},   /* get_objects, get_referrers */
};

/* The last pattern: any byte beyond ASCII, at any place. */
#define WIDE (PATTERNS - 1)

void
imig_tail_init(imig_tail *tail)
{
    for (size_t byte = 0; byte < 256; byte++) {
        uint64_t wide_ends = UINT64_C(1) << (16 * (PLACES - 1) + WIDE);
        uint64_t wide = wide_ends | wide_ends >> 16 | wide_ends >> 32 | wide_ends >> 48;
        tail->misses[byte] = ~wide;
        if (byte < 0x80)
            tail->misses[byte] |= wide_ends;
    }
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        for (size_t place = 0; place < PLACES; place++) {
            for (const char *c = patterns[i][place]; *c != '\0'; c++)
                tail->misses[(unsigned char)*c] &= ~(UINT64_C(1) << (16 * place + i));
        }
    }
}

static bool
in_name(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
}

/* `import` before a star, which nothing but white space and continued lines part. */
static bool
imports_all(const char *bytes, size_t len, size_t at)
{
    while (at < len && (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\f' ||
                        bytes[at] == '\\' || bytes[at] == '\r' || bytes[at] == '\n'))
        at++;
    return at < len && bytes[at] == '*';
}

/* Whether the name bytes[from .. to) is a word that matters without another one. */
static bool
matters(const char *bytes, size_t len, size_t from, size_t to)
{
    imig_word word = imig_word_of(bytes + from, to - from);
    if (word == IMIG_WORD_IMPORT)
        return imports_all(bytes, len, to);
    return word >= IMIG_WORD_REVISION && word <= IMIG_WORD_MODULES &&
           word != IMIG_WORD_SYS; /* which needs `modules` */
}

/* Look at all names that stand in bytes[from .. to), or reach into it.  One that is
 * longer than any word may be seen in parts: no word is missed by that. */
static bool
has_word(const char *bytes, size_t len, size_t from, size_t to)
{
    for (size_t i = 0; i < IMIG_WORD_LONGEST && from > 0 && in_name(bytes[from - 1]);
         i++)
        from--;
    while (from < to) {
        size_t end = from;
        if ((unsigned char)bytes[from] >= 0x80)
            return true;
        while (end < len && end - from <= IMIG_WORD_LONGEST && in_name(bytes[end]))
            end++;
        if (matters(bytes, len, from, end))
            return true;
        from = end > from ? end : from + 1;
    }
    return false;
}

/* Take bytes[from .. to) into the state; true where a pattern ends. */
static inline bool
match(uint64_t *state, const imig_tail *tail, const char *bytes, size_t from, size_t to)
{
    uint64_t now = *state;
    uint64_t all = ~UINT64_C(0);
    for (size_t at = from; at < to; at++) {
        now = now << 16 | tail->misses[(unsigned char)bytes[at]];
        all &= now;
    }
    *state = now;
    return (~all & ENDS) != 0;
}

bool
imig_tail_silent(const imig_tail *tail, const char *bytes, size_t len)
{
    /* Two halves side by side, for the steps of one have to wait for each other.  A
     * state of zeros takes anything to have stood before it. */
    size_t half = len / 2 / BLOCK * BLOCK;
    uint64_t first = 0;
    uint64_t second = 0;
    for (size_t at = 0; at < half; at += BLOCK) {
        size_t other = at + half;
        bool one = match(&first, tail, bytes, at, at + BLOCK);
        bool two = match(&second, tail, bytes, other, other + BLOCK);
        if (one && has_word(bytes, len, at, at + BLOCK))
            return false;
        if (two && has_word(bytes, len, other, other + BLOCK))
            return false;
    }
    return !match(&second, tail, bytes, 2 * half, len) ||
           !has_word(bytes, len, 2 * half, len);
}
