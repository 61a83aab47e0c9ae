/* pq_state.h - state of one `_pq` module object (one per interpreter). */
#ifndef PQ_STATE_H
#define PQ_STATE_H

#include "py_common.h"

#include "pq_values.h"

typedef struct pq_state {
    imigpy_values values;
} pq_state;

/* Never NULL for our own module. */
static inline pq_state *
pq_get_state(PyObject *module)
{
    return (pq_state *)PyModule_GetState(module);
}

#endif /* PQ_STATE_H */
