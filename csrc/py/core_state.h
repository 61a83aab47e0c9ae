/* core_state.h - state of one `_core` module object (one per interpreter). */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "py_common.h"

typedef struct core_state {
    /* What the C side has done since the module was loaded; see _core.counters(). */
    unsigned long long files_scanned;
    unsigned long long files_not_static;
    unsigned long long graphs_built;
    unsigned long long plans_made;
    PyObject *not_static; /* the type NotStatic */
} core_state;

/* Never NULL for our own module. */
static inline core_state *
core_get_state(PyObject *module)
{
    return (core_state *)PyModule_GetState(module);
}

#endif /* CORE_STATE_H */
