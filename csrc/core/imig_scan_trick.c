/* imig_scan_trick.c - the ways to a module's names that are no assignment.
 *
 * A file that names one of them is NOT_STATIC, wherever it names it, but for the calls
 * that only read: Alembic's multidb template calls functions by globals()[...](...),
 * and getattr() with a literal is as good as the attribute. */
#include "imig_scan_value.h"

#include <string.h>

#define USES_TRICK "exec(), globals() or the like is used"

/* The name that a literal gives to getattr() is none that matters.  Escapes are not
 * read: whoever writes them here hides something. */
static bool
names_plain_attribute(const imig_scan_state *s)
{
    const char *name = s->lex.bytes + s->token.start;
    if (s->token.kind != IMIG_TOKEN_STRING || s->token.prefix & IMIG_PREFIX_BYTES)
        return false;
    if (s->token.len != 0 && memchr(name, '\\', s->token.len) != NULL)
        return false;
    imig_word word = imig_word_of(name, s->token.len);
    return word == IMIG_WORD_PLAIN || word >= IMIG_WORD_NONE;
}

static bool
open_form(imig_scan_state *s, imig_scan_step step)
{
    if (s->form_count == IMIG_SCAN_FORMS)
        return imig_scan_refuse(s, USES_TRICK);
    s->forms[s->form_count++].step = (uint8_t)step;
    return true;
}

/* Take the token after `globals`, `getattr` and so on. */
static bool
step_form(imig_scan_state *s)
{
    imig_scan_form *f = &s->forms[s->form_count - 1];
    static const char wanted[] = {'(', ')', '[', 0, '(', '('};
    bool ends = imig_scan_at_op(s, ',') || imig_scan_at_op(s, ')');
    switch ((imig_scan_step)f->step) {
    case IMIG_STEP_INSIDE:
        if (s->lex.depth < f->depth)
            f->step++;
        return true;
    case IMIG_STEP_OBJECT:
        if (s->lex.depth < f->depth)
            return imig_scan_refuse(s, USES_TRICK);
        if (imig_scan_at_op(s, ',') && s->lex.depth == f->depth)
            f->step++;
        return true;
    case IMIG_STEP_NAME:
        f->step++;
        return names_plain_attribute(s) || imig_scan_refuse(s, USES_TRICK);
    case IMIG_STEP_END:
        s->form_count--;
        return ends || imig_scan_refuse(s, USES_TRICK);
    default:
        if (!imig_scan_at_op(s, wanted[f->step]))
            return imig_scan_refuse(s, USES_TRICK);
        if (f->step == IMIG_STEP_CALL)
            s->form_count--;
        f->depth = s->lex.depth;
        f->step++;
        return true;
    }
}

static bool
check_word(imig_scan_state *s)
{
    switch (s->word) {
    case IMIG_WORD_TRICK:
        return s->after_dot || imig_scan_refuse(s, USES_TRICK);
    case IMIG_WORD_LOCALS:
        return s->after_dot || s->in_body || imig_scan_refuse(s, USES_TRICK);
    case IMIG_WORD_GLOBALS:
        return s->after_dot || open_form(s, IMIG_STEP_OPEN);
    case IMIG_WORD_ATTR:
        return s->after_dot || open_form(s, IMIG_STEP_ATTR);
    case IMIG_WORD_TRICK_ATTR:
        return imig_scan_refuse(s, "the interpreter's internals are used");
    case IMIG_WORD_SYS:
        s->saw_sys = true;
        break;
    case IMIG_WORD_MODULES:
        s->saw_modules = true;
        break;
    default:
        if (imig_word_watched(s->word) && !s->after_dot && s->mentions[s->word] < 2)
            s->mentions[s->word]++;
        return true;
    }
    return !(s->saw_sys && s->saw_modules) ||
           imig_scan_refuse(s, "sys.modules is used");
}

bool
imig_scan_check(imig_scan_state *s)
{
    if (s->form_count != 0 && !step_form(s))
        return false;
    if (s->token.kind == IMIG_TOKEN_NAME) {
        const char *name = s->lex.bytes + s->token.start;
        if (s->token.wide && !imig_word_harmless(name, s->token.len, s->latin1))
            return imig_scan_refuse(s, "a name has letters that Python may normalise");
        s->word = imig_word_of(name, s->token.len);
        return s->word == IMIG_WORD_PLAIN || check_word(s);
    }
    if (s->before == IMIG_WORD_IMPORT && imig_scan_at_op(s, '*'))
        return imig_scan_refuse(s, "a star import may bind any name");
    return true;
}
