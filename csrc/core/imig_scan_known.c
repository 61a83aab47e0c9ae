/* imig_scan_known.c - stretches of a file that the scanner has read in another one.
 *
 * Reading is a function of what the scan knows and of the bytes.  A stretch starts
 * after the end of a line, where all that it knows is in imig_scan_facts, and ends
 * where that is so again. */
#include <string.h>

#include "imig_scan_value.h"

void
imig_known_init(imig_known *known)
{
    *known = (imig_known){0};
    imig_tail_init(&known->tail);
}

void
imig_known_clear(imig_known *known)
{
    for (size_t i = 0; i < IMIG_STRETCHES; i++)
        imig_buf_clear(&known->stretches[i].text);
}

static imig_scan_facts
facts_of(const imig_scan_state *s)
{
    imig_scan_facts facts = {
        .bound = s->bound,
        .saw_sys = s->saw_sys,
        .saw_modules = s->saw_modules,
        .latin1 = s->latin1,
        .branch_labels = (uint8_t)s->header->branch_labels.kind,
        .depends_on = (uint8_t)s->header->depends_on.kind,
    };
    memcpy(facts.mentions, s->mentions, sizeof facts.mentions);
    return facts;
}

static void
take_facts(imig_scan_state *s, const imig_scan_facts *facts)
{
    s->bound = facts->bound;
    s->saw_sys = facts->saw_sys;
    s->saw_modules = facts->saw_modules;
    memcpy(s->mentions, facts->mentions, sizeof facts->mentions);
    s->header->branch_labels.kind = (imig_value_kind)facts->branch_labels;
    s->header->depends_on.kind = (imig_value_kind)facts->depends_on;
}

static bool
is_at(const imig_stretch *k, const imig_scan_state *s, const imig_scan_facts *now)
{
    size_t len = k->text.len;
    return len != 0 && len <= s->lex.len - s->lex.at &&
           memcmp(&k->before, now, sizeof *now) == 0 &&
           memcmp(k->text.data, s->lex.bytes + s->lex.at, len) == 0;
}

void
imig_scan_stretch(imig_scan_state *s, uint8_t stretch)
{
    s->stretch = stretch;
    s->marked = false;
}

bool
imig_scan_recall(imig_word *out, imig_scan_state *s)
{
    static const imig_word ends_before[] = {IMIG_WORD_REVISION, IMIG_WORD_DOWN_REVISION,
                                            IMIG_WORD_PLAIN};
    uint8_t at = s->stretch;
    if (at >= IMIG_STRETCHES || s->marked || s->header->known == NULL)
        return false;
    imig_stretch *k = &s->header->known->stretches[at];
    s->marked = true;
    s->mark = s->lex.at;
    s->mark_facts = facts_of(s);
    if (!is_at(k, s, &s->mark_facts))
        return false;
    bool at_value = ends_before[at] != IMIG_WORD_PLAIN;
    take_facts(s, &k->after);
    s->lex.at += k->text.len - (at_value ? 1 : 0);
    s->lex.indent = 0;
    s->lex.line_start = !at_value;
    s->token.kind = at_value ? IMIG_TOKEN_OP : IMIG_TOKEN_NEWLINE;
    s->token.op = '=';
    s->word = IMIG_WORD_PLAIN;
    s->stretch = IMIG_STRETCHES;
    *out = ends_before[at];
    return true;
}

static bool
has_no_value(const imig_value *value)
{
    return value->kind == IMIG_VALUE_ABSENT || value->kind == IMIG_VALUE_NONE;
}

void
imig_scan_learn(imig_scan_state *s, uint8_t stretch, size_t end)
{
    if (s->stretch != stretch || !s->marked || s->header->known == NULL)
        return;
    imig_stretch *k = &s->header->known->stretches[stretch];
    s->stretch = IMIG_STRETCHES;
    if (end > s->lex.len || end - s->mark > IMIG_STRETCH_LONGEST ||
        !has_no_value(&s->header->branch_labels) ||
        !has_no_value(&s->header->depends_on))
        return;
    k->text.len = 0;
    imig_buf_add(&k->text, s->lex.bytes + s->mark, end - s->mark);
    if (k->text.failed)
        imig_buf_clear(&k->text); /* then it is read again */
    k->before = s->mark_facts;
    k->after = facts_of(s);
}
