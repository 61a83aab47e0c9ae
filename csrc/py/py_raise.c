/* py_raise.c - imig_error to Python exception. */
#include "py_common.h"

static PyObject *
exception_for(imig_status status)
{
    switch (status) {
    case IMIG_E_NOMEM:
        return PyExc_MemoryError;
    case IMIG_E_MISSING:
        return PyExc_KeyError;
    case IMIG_E_IO:
        return PyExc_OSError;
    case IMIG_E_LIMIT:
        return PyExc_OverflowError;
    default:
        return PyExc_ValueError;
    }
}

PyObject *
imigpy_raise(const imig_error *err)
{
    if (err->status == IMIG_E_NOMEM)
        return PyErr_NoMemory();
    PyErr_SetString(exception_for(err->status), err->message);
    return NULL;
}
