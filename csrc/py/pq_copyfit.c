/* pq_copyfit.c - where a field of COPY is what the value's literal would be.
 *
 * INSERT gives a literal its type, and casts it to the column's by an assignment cast;
 * COPY hands the text to the column's input function.  Where both yield the same, or
 * both an error, a value fits.  Whatever is not listed does not: 1.5 into an integer
 * is 2 for INSERT and an error for COPY, 1 into a boolean is the reverse, a timestamp
 * with zone loses the zone in a column without one. */
#include "pq_copyfit.h"

enum {
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_VARCHAR = 1043,
    OID_DATE = 1082,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
};

static bool
takes_integer(unsigned int column)
{
    switch (column) {
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_FLOAT4:
    case OID_FLOAT8:
    case OID_NUMERIC:
    case OID_TEXT:
    case OID_VARCHAR:
        return true;
    default:
        return false;
    }
}

/* Of forms that have a type, to a column of another. */
static bool
takes_cast(unsigned int column, unsigned int value)
{
    switch (value) {
    case OID_INT4:
    case OID_INT8:
        return takes_integer(column);
    case OID_NUMERIC:
        return column == OID_FLOAT8 || column == OID_FLOAT4;
    case OID_FLOAT8: /* not a number, infinity */
        return column == OID_FLOAT4;
    case OID_DATE:
        return column == OID_TIMESTAMP || column == OID_TIMESTAMPTZ;
    case OID_TIMESTAMP:
        return column == OID_TIMESTAMPTZ || column == OID_DATE;
    default:
        return false;
    }
}

/* A literal without type is read by the column's input function in INSERT too. */
static bool
scalar_fits(const imigpy_writer *w, const imigpy_form *form, unsigned int column,
            bool cast)
{
    if (form->oid == 0)
        return true;
    /* -5::t is -(5::t), which is something else at the ends of integers, for a domain,
     * and for zero. */
    if (cast && form->style == IMIGPY_BARE && w->text.ptr[0] == '-')
        return false;
    return form->oid == column || takes_cast(column, form->oid);
}

static bool
is_number(unsigned int oid)
{
    return oid == OID_INT4 || oid == OID_INT8 || oid == OID_NUMERIC;
}

/* In ARRAY[...] the elements find one type among themselves first; it is the type of
 * each where they have the same, and numeric among numbers. */
static bool
go_together(unsigned int one, unsigned int other)
{
    return one == other || (is_number(one) && is_number(other));
}

/* ARRAY['a'] is of type text[], for which there is an assignment cast to those two
 * only; written with a cast its elements are read by the input function. */
static bool
element_fits(const imigpy_writer *w, const imigpy_form *form,
             const imigpy_target *target)
{
    if (form->oid == 0)
        return target->cast || target->element == OID_TEXT ||
               target->element == OID_VARCHAR;
    return scalar_fits(w, form, target->element, false);
}

/* One dimension only: what ARRAY[ARRAY[]] is depends on the server's version. */
static int
list_fits(imigpy_writer *w, PyObject *list, const imigpy_target *target)
{
    const imigpy_form *first = NULL;
    bool fits = target->element != 0;
    for (Py_ssize_t i = 0; fits && i < PyList_GET_SIZE(list); i++) {
        PyObject *value = Py_NewRef(PyList_GET_ITEM(list, i));
        const imigpy_form *form = imigpy_adapt(w, value);
        Py_DECREF(value);
        if (form == NULL)
            return -1;
        if (form->style == IMIGPY_NULL)
            continue;
        fits = form->style != IMIGPY_LIST && form->style != IMIGPY_TUPLE &&
               element_fits(w, form, target) &&
               (first == NULL || go_together(first->oid, form->oid));
        first = form;
    }
    return fits ? 1 : 0;
}

int
imigpy_copy_fits(imigpy_writer *w, const imigpy_form *form, PyObject *value,
                 const imigpy_target *target)
{
    switch (form->style) {
    case IMIGPY_NULL:
        return 1;
    case IMIGPY_TUPLE:
        return 0;
    case IMIGPY_LIST:
        return list_fits(w, value, target);
    case IMIGPY_BARE:
    case IMIGPY_QUOTED:
        return scalar_fits(w, form, target->type, target->cast) ? 1 : 0;
    }
    return 0;
}
