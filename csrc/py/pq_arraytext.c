/* pq_arraytext.c - lists as the text of an array: {1,NULL,{"a b"}}.
 *
 * As PostgreSQL's array_in reads it. Every element but NULL and numbers is quoted,
 * which is always allowed. */
#include "pq_adapt.h"

#include <string.h>

static void
add_quoted(imig_buf *out, imig_str s)
{
    imig_buf_byte(out, '"');
    const char *end = s.ptr + s.len;
    const char *start = s.ptr;
    for (const char *at = s.ptr; at < end; at++) {
        if (*at != '"' && *at != '\\')
            continue;
        imig_buf_add(out, start, (size_t)(at - start));
        imig_buf_byte(out, '\\');
        start = at;
    }
    imig_buf_add(out, start, (size_t)(end - start));
    imig_buf_byte(out, '"');
}

static const imigpy_form *
wider(const imigpy_form *a, const imigpy_form *b)
{
    /* int4, int8, numeric, float8: the wider one, as ARRAY[...] of them is. */
    static const unsigned int order[] = {23, 20, 1700, 701};
    const size_t count = sizeof order / sizeof *order;
    size_t of_a = count, of_b = count;
    for (size_t i = 0; i < count; i++) {
        if (a->oid == order[i])
            of_a = i;
        if (b->oid == order[i])
            of_b = i;
    }
    if (of_a == count || of_b == count)
        return NULL;
    return of_a > of_b ? a : b;
}

typedef struct elements {
    const imigpy_form *form; /* that all so far share */
    bool mixed;              /* there is none */
    bool any;                /* a value or NULL stands in one of the lists */
} elements;

static void
note_form(elements *e, const imigpy_form *form)
{
    if (e->form == NULL)
        e->form = form;
    else if (e->form != form)
        e->form = wider(e->form, form);
    e->mixed = e->mixed || e->form == NULL || form->oid == 0;
}

static int write_list(imigpy_writer *w, PyObject *list, elements *e, int depth);

static int
write_element(imigpy_writer *w, PyObject *value, elements *e, int depth)
{
    const imigpy_form *form = imigpy_adapt(w, value);
    if (form == NULL)
        return -1;
    e->any = e->any || form->style != IMIGPY_LIST;
    switch (form->style) {
    case IMIGPY_NULL:
        imig_buf_str(&w->utf8, "NULL");
        return 0;
    case IMIGPY_LIST:
        return write_list(w, value, e, depth + 1);
    case IMIGPY_TUPLE:
        return imigpy_refuse(w, w->codec->values->ProgrammingError,
                             "can't adapt a tuple within a list");
    case IMIGPY_BARE:
        note_form(e, form);
        imigpy_add_number(&w->utf8, w->text);
        return 0;
    case IMIGPY_QUOTED:
        note_form(e, form);
        add_quoted(&w->utf8, w->text);
        return 0;
    }
    return 0;
}

/* Recursion is bounded by PostgreSQL's own limit. */
static int
write_list(imigpy_writer *w, PyObject *list, elements *e, int depth)
{
    if (depth > IMIGPY_MAX_DIMENSIONS)
        return imigpy_refuse(w, w->codec->values->DataError,
                             "an array has at most 6 dimensions");
    imig_buf_byte(&w->utf8, '{');
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyObject *value = Py_NewRef(PyList_GET_ITEM(list, i));
        if (i > 0)
            imig_buf_byte(&w->utf8, ',');
        const int done = write_element(w, value, e, depth);
        Py_DECREF(value);
        if (done < 0)
            return -1;
    }
    imig_buf_byte(&w->utf8, '}');
    return 0;
}

int
imigpy_write_array_text(imigpy_writer *w, PyObject *list, const imigpy_form **element)
{
    elements e = {NULL, false, false};
    const size_t start = w->utf8.len;
    const int done = write_list(w, list, &e, 1);
    if (done == 0 && !e.any && !w->utf8.failed) {
        /* The server refuses {{},{}}; as ARRAY[ARRAY[],ARRAY[]] it is empty. */
        w->utf8.len = start;
        imig_buf_str(&w->utf8, "{}");
    }
    *element = e.mixed ? NULL : e.form;
    return done;
}
