/* py_common.h - Python.h for every binding file, and the shims we need ourselves.
 *
 * Include this first: Python.h must come before libc's headers. */
#ifndef PY_COMMON_H
#define PY_COMMON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "imig_error.h"

#if PY_VERSION_HEX < 0x030B0000
#error "ibutsu-migrate needs Python 3.11 or newer"
#endif

/* Raise the Python exception that belongs to a core status.  GIL held.
 * Always returns NULL, so that callers can `return imigpy_raise(&err);`. */
PyObject *imigpy_raise(const imig_error *err);

#endif /* PY_COMMON_H */
