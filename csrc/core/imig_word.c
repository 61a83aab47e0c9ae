/* imig_word.c - which names of a revision file the scanner looks at.
 *
 * docs/design/scanner.md says why each of them is here. */
#include "imig_word.h"

#include <string.h>

#include "imig_encoding.h"

typedef struct entry {
    const char *text;
    imig_word word;
} entry;

static const entry len2[] = {
    {"if", IMIG_WORD_COMPOUND}, {"in", IMIG_WORD_IN}, {"as", IMIG_WORD_AS}, {NULL, 0}};
static const entry len3[] = {
    {"def", IMIG_WORD_DEF}, {"for", IMIG_WORD_FOR}, {"try", IMIG_WORD_COMPOUND},
    {"del", IMIG_WORD_DEL}, {"sys", IMIG_WORD_SYS}, {NULL, 0},
};
static const entry len4[] = {
    {"None", IMIG_WORD_NONE},
    {"from", IMIG_WORD_SIMPLE},
    {"with", IMIG_WORD_COMPOUND},
    {"else", IMIG_WORD_COMPOUND},
    {"elif", IMIG_WORD_COMPOUND},
    {"exec", IMIG_WORD_TRICK},
    {"eval", IMIG_WORD_TRICK},
    {"vars", IMIG_WORD_LOCALS},
    {"case", IMIG_WORD_COMPOUND},
    {"type", IMIG_WORD_SIMPLE},
    {NULL, 0},
};
static const entry len5[] = {
    {"class", IMIG_WORD_CLASS},
    {"async", IMIG_WORD_ASYNC},
    {"while", IMIG_WORD_COMPOUND},
    {"match", IMIG_WORD_COMPOUND},
    {"raise", IMIG_WORD_SIMPLE},
    {"yield", IMIG_WORD_SIMPLE},
    {NULL, 0},
};
static const entry len6[] = {
    {"import", IMIG_WORD_IMPORT},     {"global", IMIG_WORD_GLOBAL},
    {"return", IMIG_WORD_SIMPLE},     {"assert", IMIG_WORD_SIMPLE},
    {"except", IMIG_WORD_COMPOUND},   {"locals", IMIG_WORD_LOCALS},
    {"ctypes", IMIG_WORD_TRICK_ATTR}, {NULL, 0},
};
static const entry len7[] = {
    {"finally", IMIG_WORD_COMPOUND}, {"globals", IMIG_WORD_GLOBALS},
    {"setattr", IMIG_WORD_ATTR},     {"delattr", IMIG_WORD_ATTR},
    {"getattr", IMIG_WORD_ATTR},     {"modules", IMIG_WORD_MODULES},
    {"__doc__", IMIG_WORD_RESERVED}, {NULL, 0},
};
static const entry len8[] = {
    {"revision", IMIG_WORD_REVISION},   {"builtins", IMIG_WORD_TRICK_ATTR},
    {"__dict__", IMIG_WORD_TRICK_ATTR}, {"__code__", IMIG_WORD_TRICK_ATTR},
    {"__spec__", IMIG_WORD_TRICK_ATTR}, {"f_locals", IMIG_WORD_TRICK_ATTR},
    {"nonlocal", IMIG_WORD_SIMPLE},     {NULL, 0},
};
static const entry len9[] = {
    {"f_globals", IMIG_WORD_TRICK_ATTR},
    {"getmodule", IMIG_WORD_TRICK_ATTR},
    {NULL, 0},
};
static const entry len10[] = {
    {"depends_on", IMIG_WORD_DEPENDS_ON},
    {"__import__", IMIG_WORD_TRICK_ATTR},
    {"__loader__", IMIG_WORD_TRICK_ATTR},
    {NULL, 0},
};
static const entry len11[] = {
    {"__getattr__", IMIG_WORD_RESERVED},   {"__globals__", IMIG_WORD_TRICK_ATTR},
    {"__setattr__", IMIG_WORD_TRICK_ATTR}, {"__delattr__", IMIG_WORD_TRICK_ATTR},
    {"get_objects", IMIG_WORD_TRICK_ATTR}, {NULL, 0},
};
static const entry len12[] = {{"__builtins__", IMIG_WORD_TRICK_ATTR}, {NULL, 0}};
static const entry len13[] = {
    {"down_revision", IMIG_WORD_DOWN_REVISION},
    {"branch_labels", IMIG_WORD_BRANCH_LABELS},
    {"import_module", IMIG_WORD_TRICK_ATTR},
    {"get_referrers", IMIG_WORD_TRICK_ATTR},
    {NULL, 0},
};
static const entry len16[] = {{"__getattribute__", IMIG_WORD_TRICK_ATTR}, {NULL, 0}};
static const entry len24[] = {{"_alembic_source_encoding", IMIG_WORD_RESERVED},
                              {NULL, 0}};

static const entry *const by_length[IMIG_WORD_LONGEST + 1] = {
    NULL,  NULL, len2, len3,  len4, len5, len6, len7, len8, len9, len10, len11, len12,
    len13, NULL, NULL, len16, NULL, NULL, NULL, NULL, NULL, NULL, NULL,  len24,
};

#define BIT(letter) (UINT32_C(1) << ((letter) & 31))

/* First letters by length, of the words above but for those that matter only where they
 * start a statement. */
const uint32_t imig_word_letters[IMIG_WORD_LONGEST + 1] = {
    [2] = BIT('a'),
    [3] = BIT('s') | BIT('f') | BIT('d'),
    [4] = BIT('e') | BIT('v'),
    [6] = BIT('g') | BIT('c') | BIT('l') | BIT('i'),
    [7] = BIT('g') | BIT('s') | BIT('d') | BIT('m') | BIT('_'),
    [8] = BIT('r') | BIT('b') | BIT('f') | BIT('_'),
    [9] = BIT('f') | BIT('g'),
    [10] = BIT('d') | BIT('_'),
    [11] = BIT('g') | BIT('_'),
    [12] = BIT('_'),
    [13] = BIT('d') | BIT('b') | BIT('i') | BIT('g'),
    [16] = BIT('_'),
    [24] = BIT('_'),
};

/* First letters by length, of the others. */
static const uint32_t starters[IMIG_WORD_LONGEST + 1] = {
    [2] = BIT('i'),
    [3] = BIT('t'),
    [4] = BIT('N') | BIT('f') | BIT('w') | BIT('e') | BIT('c') | BIT('t'),
    [5] = BIT('c') | BIT('a') | BIT('w') | BIT('m') | BIT('r') | BIT('y'),
    [6] = BIT('r') | BIT('a') | BIT('e'),
    [7] = BIT('f'),
    [8] = BIT('n'),
};

imig_word
imig_word_of(const char *name, size_t len)
{
    if (len > IMIG_WORD_LONGEST || len == 0)
        return IMIG_WORD_PLAIN;
    uint32_t letters = imig_word_letters[len] | starters[len];
    if ((letters >> (name[0] & 31) & 1) == 0)
        return IMIG_WORD_PLAIN;
    for (const entry *e = by_length[len]; e->text != NULL; e++) {
        if (e->text[0] == name[0] && memcmp(e->text, name, len) == 0)
            return e->word;
    }
    return IMIG_WORD_PLAIN;
}

typedef struct range {
    uint32_t first;
    uint32_t last;
} range;

/* Letters whose NFKC form keeps something beyond ASCII; tests/unit/test_scan_names.py
 * asks Python's own tables.  Scripts that are not listed are only slower. */
static const range harmless[] = {
    {0x00B5, 0x00B5}, {0x00C0, 0x00D6}, {0x00D8, 0x00F6}, {0x00F8, 0x0131},
    {0x0134, 0x013E}, {0x0141, 0x0148}, {0x014A, 0x017E}, {0x0370, 0x037D},
    {0x037F, 0x052F}, {0x05D0, 0x05EA}, {0x0620, 0x064A}, {0x0904, 0x0939},
    {0x0E01, 0x0E30}, {0x1E00, 0x1E99}, {0x1EA0, 0x1EF9}, {0x3041, 0x3096},
    {0x30A1, 0x30FA}, {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3},
};

static bool
harmless_code(uint32_t code)
{
    if (code < 0x80)
        return true;
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        if (code >= harmless[i].first && code <= harmless[i].last)
            return true;
    }
    return false;
}

bool
imig_word_harmless(const char *name, size_t len, bool latin1)
{
    size_t step;
    for (size_t at = 0; at < len; at += step) {
        uint32_t code = (unsigned char)name[at];
        step = latin1 ? 1 : imig_utf8_next(&code, name + at, len - at);
        if (step == 0 || !harmless_code(code))
            return false;
    }
    return true;
}
