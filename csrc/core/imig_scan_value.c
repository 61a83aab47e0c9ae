/* imig_scan_value.c - a literal on the right of `=`: strings, None, and one level of
 * tuple, list or set, in any number of parentheses.  No recursion: open brackets are
 * on a stack as deep as the lexer's. */
#include "imig_scan_value.h"

#include "imig_alloc.h"
#include "imig_literal.h"

/* One open bracket and what stands in it so far. */
typedef struct frame {
    char bracket; /* 0: the statement itself, where commas make a tuple too */
    bool comma;
    imig_value items; /* those before the last comma */
} frame;

typedef struct value_reader {
    imig_scan_state *s;
    bool have; /* `value` is the element since the last comma */
    imig_value value;
    uint32_t depth;
    frame frames[IMIG_LEX_BRACKETS + 1];
} value_reader;

static bool
nomem(imig_scan_state *s)
{
    s->end = IMIG_SCAN_NOMEM;
    return false;
}

static bool
no_literal(imig_scan_state *s, const char *reason)
{
    (void)imig_scan_refuse(s, reason);
    s->end = IMIG_SCAN_NOT_LITERAL;
    return false;
}

static bool
not_literal(imig_scan_state *s)
{
    return no_literal(s, "a value is not a literal");
}

/* Make room for one item more and return it, NULL when out of memory. */
static imig_str *
new_item(imig_header *h)
{
    if (h->item_count == h->item_capacity) {
        uint32_t capacity = h->item_capacity != 0 ? h->item_capacity * 2 : 8;
        imig_str *grown = imig_realloc_array(h->items, capacity, sizeof *grown);
        if (grown == NULL)
            return NULL;
        h->items = grown;
        h->item_capacity = capacity;
    }
    return &h->items[h->item_count++];
}

/* Adjacent string literals, one value.  Only the length of the item is set here: its
 * text may still move (see place_items in imig_scan.c). */
static bool
read_strings(value_reader *v)
{
    imig_scan_state *s = v->s;
    imig_header *h = s->header;
    size_t start = h->text.len;
    v->value = (imig_value){IMIG_VALUE_STR, h->item_count, 1};
    v->have = true;
    do {
        if (s->token.prefix & IMIG_PREFIX_BYTES)
            return no_literal(s, "a value is bytes");
        const char *why =
            imig_literal_add(&h->text, s->lex.bytes + s->token.start, s->token.len,
                             (s->token.prefix & IMIG_PREFIX_RAW) != 0, s->latin1);
        if (h->text.failed)
            return nomem(s);
        if (why != NULL)
            return imig_scan_refuse(s, why);
        if (!imig_scan_advance(s))
            return false;
    } while (s->token.kind == IMIG_TOKEN_STRING);
    imig_str *item = new_item(h);
    if (item == NULL)
        return nomem(s);
    *item = (imig_str){NULL, h->text.len - start};
    return true;
}

static bool
open_bracket(value_reader *v)
{
    frame *f = &v->frames[++v->depth];
    *f = (frame){v->s->token.op, false, {IMIG_VALUE_ABSENT, 0, 0}};
    return imig_scan_advance(v->s);
}

/* Move the element before a comma or a closing bracket to the items of its bracket. */
static bool
take_element(value_reader *v, frame *f)
{
    if (v->value.kind != IMIG_VALUE_STR)
        return not_literal(v->s);
    if (f->items.count == 0)
        f->items.first = v->value.first;
    f->items.count++;
    v->have = false;
    return true;
}

static bool
read_comma(value_reader *v)
{
    frame *f = &v->frames[v->depth];
    if (!v->have)
        return not_literal(v->s);
    f->comma = true;
    return take_element(v, f) && imig_scan_advance(v->s);
}

/* Make `value` of the innermost bracket, or of the statement, and leave it. */
static bool
finish_frame(value_reader *v)
{
    frame *f = &v->frames[v->depth];
    bool round = f->bracket == '(' || f->bracket == 0;
    if (round && !f->comma && v->have)
        return true; /* parentheses only: the value in them is the value */
    if (v->have && !take_element(v, f))
        return false;
    v->value = f->items;
    if (round)
        v->value.kind = IMIG_VALUE_TUPLE;
    else if (f->bracket == '[')
        v->value.kind = IMIG_VALUE_LIST;
    else if (v->value.count != 0)
        v->value.kind = IMIG_VALUE_SET;
    else
        return not_literal(v->s); /* {} is a dictionary */
    return true;
}

static bool
close_bracket(value_reader *v)
{
    if (v->depth == 0)
        return not_literal(v->s);
    if (!finish_frame(v))
        return false;
    v->have = true;
    v->depth--;
    return imig_scan_advance(v->s);
}

static bool
read_operator(value_reader *v)
{
    switch (v->s->token.op) {
    case '(':
    case '[':
    case '{':
        return v->have ? not_literal(v->s) : open_bracket(v);
    case ')':
    case ']':
    case '}':
        return close_bracket(v);
    case ',':
        return read_comma(v);
    default:
        return not_literal(v->s);
    }
}

static bool
read_element(value_reader *v)
{
    imig_scan_state *s = v->s;
    if (s->token.kind == IMIG_TOKEN_OP)
        return read_operator(v);
    if (v->have)
        return not_literal(s);
    if (s->token.kind == IMIG_TOKEN_STRING)
        return read_strings(v);
    if (s->token.kind == IMIG_TOKEN_FSTRING)
        return no_literal(s, "a value is an f-string");
    if (s->token.kind != IMIG_TOKEN_NAME || s->word != IMIG_WORD_NONE)
        return not_literal(s);
    v->value = (imig_value){IMIG_VALUE_NONE, 0, 0};
    v->have = true;
    return imig_scan_advance(s);
}

bool
imig_scan_value(imig_value *out, imig_scan_state *s)
{
    value_reader v;
    v.s = s;
    v.have = false;
    v.depth = 0;
    v.frames[0] = (frame){0, false, {IMIG_VALUE_ABSENT, 0, 0}};
    while (!imig_scan_at_end(s)) {
        if (!read_element(&v))
            return false;
    }
    if (!v.have && !v.frames[0].comma)
        return not_literal(s);
    if (!finish_frame(&v))
        return false;
    *out = v.value;
    return true;
}
