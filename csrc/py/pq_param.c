/* pq_param.c - Python values as parameters that the server binds.
 *
 * Types are those that the value's literal would have: a statement must not depend on
 * which way its values went. */
#include "pq_adapt.h"

/* bytes go as they are. */
static int
add_binary(imig_buf *out, PyObject *value)
{
    PyObject *bytes = PyBytes_FromObject(value);
    if (bytes == NULL)
        return -1;
    imig_buf_add(out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    if (!out->failed)
        return 0;
    PyErr_NoMemory();
    return -1;
}

static int
write_param(imigpy_writer *w, PyObject *value, unsigned int *oid)
{
    const imigpy_form *form = imigpy_adapt(w, value);
    if (form == NULL)
        return -1;
    if (form->style == IMIGPY_TUPLE)
        return imigpy_refuse(w, w->codec->values->ProgrammingError,
                             "a tuple cannot be bound; for an array use a list");
    if (form->style != IMIGPY_LIST) {
        *oid = form->oid;
        imig_buf_add(&w->utf8, w->text.ptr, w->text.len);
        return 0;
    }
    const imigpy_form *element;
    if (imigpy_write_array_text(w, value, &element) < 0)
        return -1;
    *oid = element != NULL ? element->array_oid : 0;
    return 0;
}

int
imigpy_param(const imigpy_codec *c, PyObject *value, unsigned int *oid, int *format,
             imig_buf *out, bool *is_null)
{
    *oid = 0;
    *format = 0;
    *is_null = value == Py_None;
    if (*is_null)
        return 0;
    if (PyBytes_Check(value) || PyByteArray_Check(value) || PyMemoryView_Check(value)) {
        *oid = 17;
        *format = 1;
        return add_binary(out, value);
    }
    imigpy_writer w = IMIGPY_WRITER_INIT(c);
    imigpy_writer_begin(&w, out);
    const int done = imigpy_writer_end(&w, out, write_param(&w, value, oid));
    imigpy_writer_clear(&w);
    return done;
}
