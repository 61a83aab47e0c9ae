/* imig_lex_fstring.c - f-strings (and t-strings), as PEP 701 reads them.
 *
 * The text between the braces is skipped here; what is within them is read by
 * imig_lex.c as any code is.  Source: tok_get_fstring_mode, CPython 3.12 to 3.14. */
#include "imig_lex.h"

static imig_fstring *
innermost(imig_lex *lex)
{
    return &lex->fstrings[lex->fstring_count - 1];
}

bool
imig_lex_fstring_expr(const imig_lex *lex)
{
    if (lex->fstring_count == 0)
        return false;
    const imig_fstring *f = &lex->fstrings[lex->fstring_count - 1];
    return f->exprs != 0 && f->depth[f->exprs - 1] == lex->depth;
}

static char
peek(const imig_lex *lex, size_t at)
{
    return at < lex->len ? lex->bytes[at] : '\0';
}

/* The f-string whose opening quote is at lex->at; its prefix is in out->prefix. */
void
imig_lex_fstring_open(imig_token *out, imig_lex *lex)
{
    if (lex->fstring_count == IMIG_LEX_FSTRINGS) {
        imig_lex_stop(out, IMIG_TOKEN_UNKNOWN, lex, "f-strings are nested too deeply");
        return;
    }
    imig_fstring *f = &lex->fstrings[lex->fstring_count++];
    f->quote = lex->bytes[lex->at];
    f->triple =
        peek(lex, lex->at + 1) == f->quote && peek(lex, lex->at + 2) == f->quote;
    f->raw = (out->prefix & IMIG_PREFIX_RAW) != 0;
    f->exprs = 0;
    lex->at += f->triple ? 3 : 1;
    lex->in_text = true;
    out->kind = IMIG_TOKEN_FSTRING;
}

static void
open_brace(imig_token *out, imig_lex *lex)
{
    imig_fstring *f = innermost(lex);
    if (f->exprs == IMIG_LEX_NESTING || !imig_lex_push(lex, '{')) {
        imig_lex_stop(out, IMIG_TOKEN_UNKNOWN, lex, "an f-string is nested too deeply");
        return;
    }
    f->depth[f->exprs++] = lex->depth;
    lex->in_text = false;
    lex->at++;
    out->kind = IMIG_TOKEN_OP;
    out->op = '{';
}

/* The brace that ends a format specification and its expression. */
static void
close_brace(imig_token *out, imig_lex *lex)
{
    innermost(lex)->exprs--;
    lex->depth--;
    lex->at++;
    out->kind = IMIG_TOKEN_OP;
    out->op = '}';
}

static void
close_string(imig_token *out, imig_lex *lex)
{
    if (innermost(lex)->exprs != 0) {
        imig_lex_stop(out, IMIG_TOKEN_UNKNOWN, lex,
                      "an f-string ends within its braces");
        return;
    }
    lex->at += innermost(lex)->triple ? 3 : 1;
    lex->fstring_count--;
    lex->in_text = false;
    out->kind = IMIG_TOKEN_FSTRING;
}

/* Step over a backslash and what it escapes.  A brace is never escaped: `\{` starts an
 * expression; `\N{` does not, and sets *named until the brace that ends the name. */
static void
skip_escape(imig_lex *lex, bool *named)
{
    char next = peek(lex, lex->at + 1);
    if (next == '{' || next == '}') {
        lex->at += 1;
    } else if (next == 'N' && peek(lex, lex->at + 2) == '{' && !innermost(lex)->raw) {
        *named = true;
        lex->at += 3;
    } else if (next == '\r' && peek(lex, lex->at + 2) == '\n') {
        lex->at += 3;
    } else {
        lex->at += 2;
    }
}

static bool
at_end_quote(const imig_lex *lex, const imig_fstring *f)
{
    return lex->bytes[lex->at] == f->quote &&
           (!f->triple ||
            (peek(lex, lex->at + 1) == f->quote && peek(lex, lex->at + 2) == f->quote));
}

void
imig_lex_fstring_text(imig_token *out, imig_lex *lex)
{
    const imig_fstring *f = innermost(lex);
    bool in_spec = f->exprs != 0;
    bool named = false;
    out->start = lex->at;
    while (lex->at < lex->len) {
        char byte = lex->bytes[lex->at];
        bool twice = !in_spec && peek(lex, lex->at + 1) == byte;
        if (byte == '\\') {
            skip_escape(lex, &named);
        } else if (at_end_quote(lex, f)) {
            close_string(out, lex);
            return;
        } else if (byte == '{' && !twice) {
            open_brace(out, lex);
            return;
        } else if (byte == '}' && named) {
            named = false;
            lex->at++;
        } else if (byte == '}' && in_spec) {
            close_brace(out, lex);
            return;
        } else if ((byte == '}' && !twice) ||
                   ((byte == '\n' || byte == '\r') && !f->triple)) {
            /* Versions differ on a line end in a format specification. */
            imig_lex_stop(out, IMIG_TOKEN_UNKNOWN, lex, "an f-string is not closed");
            return;
        } else {
            lex->at += byte == '{' || byte == '}' ? 2 : 1;
        }
    }
    imig_lex_stop(out, IMIG_TOKEN_BROKEN, lex, "an f-string is not closed");
}
