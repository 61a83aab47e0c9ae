/* imig_scan.c - the header of a revision file, statement by statement.
 *
 * Every token of the file is looked at once.  Code is in one of three places:
 *
 *     column 0, a simple statement      may give a name its value
 *     elsewhere at module level         may only read the names
 *     in a def or a class               has names of its own; `global` is refused
 *
 * docs/design/scanner.md has the whole list of what is refused, and why. */
#include "imig_scan.h"

#include <string.h>

#include "imig_alloc.h"
#include "imig_encoding.h"
#include "imig_literal.h"
#include "imig_scan_value.h"

#define NESTED_NONE SIZE_MAX
#define WHOLE_FILE SIZE_MAX
#define PYTHON_CLEANS_DOC 0x030D0000u
#define HEADER_BOUND (1u << IMIG_WORD_REVISION | 1u << IMIG_WORD_DOWN_REVISION)

void
imig_header_init(imig_header *h)
{
    *h = (imig_header){0};
}

/* Forget the last scan, keep the storage. */
static void
start_over(imig_header *h)
{
    static const imig_value absent = {IMIG_VALUE_ABSENT, 0, 0};
    h->is_static = false;
    h->reason = NULL;
    h->line = 0;
    h->revision = h->down_revision = h->branch_labels = h->depends_on = absent;
    h->doc = absent;
    h->item_count = 0;
    h->text.len = 0;
    h->text.failed = false;
}

void
imig_header_clear(imig_header *h)
{
    imig_buf_clear(&h->text);
    imig_free(h->items);
    h->items = NULL;
    h->item_capacity = 0;
    start_over(h);
}

bool
imig_scan_refuse(imig_scan_state *s, const char *reason)
{
    if (s->end == IMIG_SCAN_RUNNING) {
        s->end = IMIG_SCAN_REFUSED;
        s->header->reason = reason;
        s->where = s->token.start;
    }
    return false;
}

bool
imig_scan_at_end(const imig_scan_state *s)
{
    return s->token.kind == IMIG_TOKEN_NEWLINE || s->token.kind == IMIG_TOKEN_END ||
           (s->token.kind == IMIG_TOKEN_OP && s->token.op == ';' && s->lex.depth == 0);
}

static bool
at_line_end(const imig_scan_state *s)
{
    return s->token.kind == IMIG_TOKEN_NEWLINE || s->token.kind == IMIG_TOKEN_END;
}

bool
imig_scan_advance(imig_scan_state *s)
{
    s->after_dot = imig_scan_at_op(s, '.');
    s->before = s->word;
    imig_lex_next(&s->token, &s->lex);
    s->word = IMIG_WORD_PLAIN;
    switch (s->token.kind) {
    case IMIG_TOKEN_UNKNOWN:
        return imig_scan_refuse(s, s->token.why);
    case IMIG_TOKEN_BROKEN:
        (void)imig_scan_refuse(s, s->token.why);
        s->end = IMIG_SCAN_BROKEN;
        return false;
    default:
        return imig_scan_check(s);
    }
}

/* As imig_scan_advance, over tokens that mean nothing where no name was read before. */
static bool
advance_far(imig_scan_state *s)
{
    if (s->form_count == 0 && s->word == IMIG_WORD_PLAIN) {
        bool dot = imig_scan_at_op(s, '.');
        imig_lex_skip(&dot, &s->lex);
        s->token.kind = IMIG_TOKEN_OP;
        s->token.op = dot ? '.' : ' ';
    }
    return imig_scan_advance(s);
}

/* The rest of a simple statement that gives no name a value that matters.  `binds`: it
 * starts with a keyword, so that any name in it may be a target. `read`: one of the
 * names stood before the current token. */
static bool
pass_statement(imig_scan_state *s, bool binds, bool read)
{
    while (!imig_scan_at_end(s)) {
        if (imig_word_guarded(s->word)) {
            if (binds || s->after_dot || s->word == IMIG_WORD_RESERVED)
                return imig_scan_refuse(s, "a name may get its value in another way");
            read = true;
        }
        bool assigns = imig_scan_at_op(s, '=') || imig_scan_at_op(s, IMIG_OP_UPDATE);
        if (read &&
            ((assigns && s->lex.depth == 0) || imig_scan_at_op(s, IMIG_OP_WALRUS)))
            return imig_scan_refuse(s, "a name may get its value in another way");
        if (!(read ? imig_scan_advance(s) : advance_far(s)))
            return false;
    }
    return true;
}

/* A whole logical line that may bind what it names. */
static bool
pass_line(imig_scan_state *s)
{
    while (!at_line_end(s)) {
        if (!pass_statement(s, true, false))
            return false;
        if (!at_line_end(s) && !imig_scan_advance(s))
            return false;
    }
    return true;
}

/* `global a, b` in a function or class. */
static bool
pass_global(imig_scan_state *s)
{
    while (!imig_scan_at_end(s)) {
        if (imig_word_guarded(s->word))
            return imig_scan_refuse(s, "a name is declared global");
        if (!imig_scan_advance(s))
            return false;
    }
    return true;
}

/* Where an attribute with one of the names stands in a line of a function or class. */
typedef struct attribute_place {
    bool seen;   /* in this statement: no `=` may follow */
    bool target; /* after `as` or `del` */
    bool loop;   /* between `for` and `in` */
    uint8_t loop_depth;
} attribute_place;

/* Look at the current token.  An attribute may be the module's own, which the file may
 * have imported: false where it may be a target. */
static bool
note_attribute(attribute_place *place, const imig_scan_state *s)
{
    bool assigns = imig_scan_at_op(s, '=') || imig_scan_at_op(s, IMIG_OP_UPDATE);
    if (imig_scan_at_end(s))
        *place = (attribute_place){0};
    if (s->word == IMIG_WORD_FOR) {
        place->loop = true;
        place->loop_depth = s->lex.depth;
    }
    if (s->word == IMIG_WORD_IN && s->lex.depth == place->loop_depth)
        place->loop = false;
    if (s->word == IMIG_WORD_AS || s->word == IMIG_WORD_DEL)
        place->target = true;
    if (s->after_dot && imig_word_guarded(s->word)) {
        place->seen = true;
        return !place->loop && !place->target;
    }
    return !(place->seen && assigns && s->lex.depth == 0);
}

/* The rest of a logical line in a function or class. */
static bool
pass_nested(imig_scan_state *s)
{
    attribute_place place = {0};
    s->in_body = true;
    while (!at_line_end(s)) {
        bool going;
        if (!note_attribute(&place, s))
            return imig_scan_refuse(s, "an attribute with the name may be assigned");
        if (s->word == IMIG_WORD_GLOBAL)
            going = pass_global(s);
        else if (place.seen || place.loop)
            going = imig_scan_advance(s);
        else
            going = advance_far(s);
        if (!going)
            return false;
    }
    s->in_body = false;
    return true;
}

/* A line that starts a def or class: its head runs at module level, where only a walrus
 * can bind; what follows the colon has names of its own. */
static bool
pass_definition(imig_scan_state *s)
{
    s->nested = s->lex.indent;
    if (!imig_scan_advance(s))
        return false;
    if (imig_word_guarded(s->word))
        return imig_scan_refuse(s, "a function or class has the name");
    bool after_name = false;
    while (!at_line_end(s) && !(imig_scan_at_op(s, ':') && s->lex.depth == 0)) {
        if (after_name && imig_scan_at_op(s, IMIG_OP_WALRUS))
            return imig_scan_refuse(s, "a name may get its value in another way");
        after_name = imig_word_guarded(s->word);
        if (!imig_scan_advance(s))
            return false;
    }
    return pass_nested(s);
}

static bool
pass_async(imig_scan_state *s)
{
    if (!imig_scan_advance(s))
        return false;
    return s->word == IMIG_WORD_DEF ? pass_definition(s) : pass_line(s);
}

static imig_value *
slot(imig_header *h, imig_word word)
{
    switch (word) {
    case IMIG_WORD_REVISION:
        return &h->revision;
    case IMIG_WORD_DOWN_REVISION:
        return &h->down_revision;
    case IMIG_WORD_BRANCH_LABELS:
        return &h->branch_labels;
    default:
        return &h->depends_on;
    }
}

static bool
is_mutable(const imig_value *value)
{
    return value->kind == IMIG_VALUE_LIST || value->kind == IMIG_VALUE_SET;
}

/* The value of an assignment to the names in `targets` (bits); `others`: to other names
 * as well, through which a list could be changed. */
static bool
bind(imig_scan_state *s, unsigned targets, bool others)
{
    imig_value value;
    if (targets & s->bound)
        return imig_scan_refuse(s, "a name is assigned twice");
    if (!imig_scan_value(&value, s))
        return false;
    if (others && is_mutable(&value))
        return imig_scan_refuse(s, "a list or set has another name as well");
    for (imig_word word = IMIG_WORD_REVISION; word <= IMIG_WORD_DEPENDS_ON; word++) {
        if (targets & (1u << word))
            *slot(s->header, word) = value;
    }
    s->bound |= (uint8_t)targets;
    if (targets == 1u << IMIG_WORD_REVISION)
        imig_scan_stretch(s, 1);
    else if (targets == 1u << IMIG_WORD_DOWN_REVISION)
        imig_scan_stretch(s, 2);
    return true;
}

/* The value of a name comes next; the byte after the `=` counts, which could make
 * another operator of it. */
static void
learn_before(imig_scan_state *s, imig_word target)
{
    if (target == IMIG_WORD_REVISION)
        imig_scan_learn(s, 0, s->lex.at + 1);
    else if (target == IMIG_WORD_DOWN_REVISION)
        imig_scan_learn(s, 1, s->lex.at + 1);
}

/* `name: annotation` or `name: annotation = value`; the colon is looked at. */
static bool
pass_annotated(imig_scan_state *s, imig_word target)
{
    while (!imig_scan_at_end(s) && !(imig_scan_at_op(s, '=') && s->lex.depth == 0)) {
        if (!advance_far(s))
            return false;
        if (imig_word_guarded(s->word))
            return imig_scan_refuse(s, "an annotation uses the name");
    }
    if (imig_scan_at_end(s))
        return true; /* binds nothing */
    learn_before(s, target);
    return imig_scan_advance(s) && bind(s, 1u << target, false);
}

/* The rest of a statement in which a name was the last token; `first`: and its first.
 * Two names at its start are a statement of a soft keyword, perhaps of one that is not
 * known here (3.15 has `lazy import x as y`). */
static bool
pass_after_name(imig_scan_state *s, imig_word name, bool first)
{
    bool soft = first && s->token.kind == IMIG_TOKEN_NAME;
    return pass_statement(s, soft, imig_word_watched(name));
}

/* A simple statement at column 0 that starts with a name; `targets`: what it is known
 * to assign to, before the current token. */
static bool
pass_assignment(imig_scan_state *s, unsigned targets)
{
    bool others = false;
    bool first = targets == 0;
    while (s->token.kind == IMIG_TOKEN_NAME && s->word != IMIG_WORD_NONE) {
        imig_word word = s->word;
        if (word == IMIG_WORD_RESERVED)
            return imig_scan_refuse(s, "a name may get its value in another way");
        if (!imig_scan_advance(s))
            return false;
        if (first && imig_word_watched(word) && imig_scan_at_op(s, ':'))
            return pass_annotated(s, word);
        if (!imig_scan_at_op(s, '='))
            return targets != 0 ? imig_scan_refuse(s, "a value is not a literal")
                                : pass_after_name(s, word, first);
        if (first)
            learn_before(s, word);
        if (imig_word_watched(word))
            targets |= 1u << word;
        else
            others = true;
        first = false;
        if (!imig_scan_advance(s))
            return false;
    }
    if (targets == 0)
        return pass_statement(s, false, false);
    return bind(s, targets, others);
}

static bool
starts_statement(imig_word word)
{
    return word >= IMIG_WORD_DEF;
}

/* One simple statement of a line at module level; `top`: at column 0. */
static bool
pass_simple(imig_scan_state *s, bool top)
{
    if (starts_statement(s->word))
        return pass_statement(s, true, false);
    if (s->token.kind != IMIG_TOKEN_NAME || s->word == IMIG_WORD_RESERVED)
        return pass_statement(s, false, false);
    if (top)
        return pass_assignment(s, 0);
    imig_word first = s->word;
    return imig_scan_advance(s) && pass_after_name(s, first, true);
}

/* What follows the `;` in a line of simple statements, if that is the current token. */
static bool
pass_rest(imig_scan_state *s, bool top)
{
    while (!at_line_end(s)) {
        if (!imig_scan_advance(s) || !pass_simple(s, top))
            return false;
    }
    return true;
}

static bool
pass_module_line(imig_scan_state *s)
{
    bool top = s->lex.indent == 0;
    switch (s->word) {
    case IMIG_WORD_DEF:
    case IMIG_WORD_CLASS:
        return pass_definition(s);
    case IMIG_WORD_ASYNC:
        return pass_async(s);
    case IMIG_WORD_COMPOUND:
    case IMIG_WORD_FOR:
        return pass_line(s);
    default:
        break;
    }
    return pass_simple(s, top) && pass_rest(s, top);
}

/* Go to the first token of the next logical line and see where it stands. */
static bool
next_line(imig_scan_state *s)
{
    if (!imig_scan_advance(s))
        return false;
    if (s->nested != NESTED_NONE && s->lex.indent <= s->nested)
        s->nested = NESTED_NONE;
    return true;
}

/* As next_line, over stretches that are known. */
static bool
next_new_line(imig_scan_state *s)
{
    imig_word word;
    while (s->token.kind == IMIG_TOKEN_NEWLINE && imig_scan_recall(&word, s)) {
        if (word == IMIG_WORD_PLAIN)
            break;
        if (!imig_scan_advance(s) || !pass_assignment(s, 1u << word) ||
            !pass_rest(s, true))
            return false;
    }
    return s->token.kind == IMIG_TOKEN_END || next_line(s);
}

static void
keep_doc(imig_header *h, imig_value value)
{
    if (h->without_doc || value.kind != IMIG_VALUE_STR) {
        h->item_count = 0;
        h->text.len = 0;
        return;
    }
    if (h->python >= PYTHON_CLEANS_DOC)
        imig_doc_clean(&h->text, 0);
    h->items[value.first].len = h->text.len;
    h->doc = value;
}

/* A first statement that may be the docstring.  If it is not, it is read again as any
 * statement is. */
static bool
pass_docstring(imig_scan_state *s)
{
    imig_scan_state before = *s;
    imig_value value;
    if (imig_scan_value(&value, s)) {
        keep_doc(s->header, value);
        imig_scan_stretch(s, 0);
        if (s->header->text.failed)
            s->end = IMIG_SCAN_NOMEM;
        return s->end == IMIG_SCAN_RUNNING;
    }
    if (s->end != IMIG_SCAN_NOT_LITERAL)
        return false;
    *s = before;
    keep_doc(s->header, (imig_value){IMIG_VALUE_NONE, 0, 0});
    return true;
}

/* At the first definition after the header, once: true when nothing from here on can
 * matter.  `sys` alone does not. */
static bool
is_over(imig_scan_state *s)
{
    bool defines = s->word == IMIG_WORD_DEF || s->word == IMIG_WORD_CLASS ||
                   s->word == IMIG_WORD_ASYNC || imig_scan_at_op(s, '@');
    size_t at = s->token.start;
    if (!defines || s->tail_read || s->header->known == NULL || s->saw_modules ||
        (s->bound & HEADER_BOUND) != HEADER_BOUND)
        return false;
    s->tail_read = true;
    if (at > 0 && s->lex.bytes[at - 1] == '\n')
        imig_scan_learn(s, 2, at);
    return imig_tail_silent(&s->header->known->tail, s->lex.bytes + at,
                            s->lex.len - at);
}

/* The file's statements, up to its end or to what ends the scan. */
static void
pass_file(imig_scan_state *s)
{
    if (!next_line(s))
        return;
    if ((s->token.kind == IMIG_TOKEN_STRING || imig_scan_at_op(s, '(')) &&
        !pass_docstring(s))
        return;
    if (imig_scan_at_op(s, ';') && !imig_scan_advance(s))
        return;
    do {
        bool nested = s->nested != NESTED_NONE;
        if (is_over(s))
            return;
        if (!(nested ? pass_nested(s) : pass_module_line(s)))
            return;
        if (s->token.kind == IMIG_TOKEN_END)
            return;
    } while (next_new_line(s));
}

/* Items know their lengths; give them their places, now that the text stays put. */
static void
place_items(imig_header *h)
{
    size_t at = 0;
    for (uint32_t i = 0; i < h->item_count; i++) {
        /* No text at all, where every item is empty. */
        h->items[i].ptr = h->text.data != NULL ? h->text.data + at : "";
        at += h->items[i].len;
    }
}

/* Refuse lists and sets that other code of the file could change. */
static void
check_mutable(imig_scan_state *s)
{
    for (imig_word word = IMIG_WORD_REVISION; word <= IMIG_WORD_DEPENDS_ON; word++) {
        if (s->mentions[word] > 1 && is_mutable(slot(s->header, word))) {
            (void)imig_scan_refuse(s, "a list or set is used elsewhere as well");
            s->where = WHOLE_FILE;
        }
    }
}

static imig_status
finish(imig_scan_state *s, imig_error *err)
{
    imig_header *h = s->header;
    if (s->end == IMIG_SCAN_RUNNING)
        check_mutable(s);
    if (s->end == IMIG_SCAN_NOMEM)
        return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
    /* What no Python imports has no values to differ from: the header stands, so that
     * the file stops only the command that needs the rest of it. */
    h->is_static =
        s->end == IMIG_SCAN_RUNNING ||
        (s->end == IMIG_SCAN_BROKEN && (s->bound & HEADER_BOUND) == HEADER_BOUND);
    if (h->reason != NULL && s->where != WHOLE_FILE)
        h->line = imig_lex_line(s->lex.bytes, s->where);
    if (h->is_static)
        place_items(h);
    return IMIG_OK;
}

imig_status
imig_scan(imig_header *out, const char *bytes, size_t len, imig_error *err)
{
    imig_scan_state s;
    imig_encoding encoding = {0, false};
    start_over(out);
    if (len > IMIG_SCAN_LIMIT)
        return imig_error_set(err, IMIG_E_LIMIT, "larger than %zu bytes",
                              IMIG_SCAN_LIMIT);
    memset(&s, 0, sizeof s);
    s.header = out;
    s.nested = NESTED_NONE;
    s.stretch = IMIG_STRETCHES;
    s.token.kind = IMIG_TOKEN_NEWLINE;
    const char *nul = len != 0 ? memchr(bytes, '\0', len) : NULL;
    bool readable = imig_encoding_detect(&encoding, bytes, len);
    imig_lex_init(&s.lex, bytes, len, encoding.start);
    s.latin1 = encoding.latin1;
    if (nul != NULL) {
        s.token.start = (size_t)(nul - bytes);
        (void)imig_scan_refuse(&s, "the file has a NUL byte");
    } else if (!readable) {
        (void)imig_scan_refuse(&s, "the encoding is neither UTF-8 nor Latin-1");
    } else {
        pass_file(&s);
    }
    return finish(&s, err);
}
