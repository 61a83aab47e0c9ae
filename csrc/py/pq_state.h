/* pq_state.h - state of one `_pq` module object (one per interpreter). */
#ifndef PQ_STATE_H
#define PQ_STATE_H

#include "py_common.h"

#include "pq_values.h"

typedef struct pq_state {
    imigpy_values values;

    PyObject *errors;    /* the module ibutsu_migrate.errors */
    PyObject *class_for; /* class_for_sqlstate of ibutsu_migrate.engine.sqlstates */
    PyObject *Notify;    /* of ibutsu_migrate.engine.records */
    PyObject *Xid;       /* of ibutsu_migrate.engine.records */
    PyObject *warn_not_committed; /* of ibutsu_migrate.engine.records */
    PyObject *warn_discarded;     /* of ibutsu_migrate.engine.records */
    PyTypeObject *column;         /* Column: what cursor.description consists of */
    PyTypeObject *connection;
    PyTypeObject *cursor;
    PyTypeObject *info;

    /* What the driver has done since the module was loaded; see _pq.counters(). */
    unsigned long long connections;
    unsigned long long statements;
    unsigned long long rows;
    unsigned long long round_trips;
    unsigned long long wait_ns;
} pq_state;

/* Never NULL for our own module. */
static inline pq_state *
pq_get_state(PyObject *module)
{
    return (pq_state *)PyModule_GetState(module);
}

/* The types, made in the module's exec slot. -1 with an exception. */
IMIG_NODISCARD int imigpy_connection_setup(PyObject *module);
IMIG_NODISCARD int imigpy_cursor_setup(PyObject *module);
IMIG_NODISCARD int imigpy_info_setup(PyObject *module);
IMIG_NODISCARD int imigpy_column_setup(PyObject *module);

/* connect(options, *, json_loads, clamp_infinity) of the module. */
PyObject *imigpy_connect(PyObject *module, PyObject *args, PyObject *kwargs);
extern const char imigpy_connect_doc[];

#endif /* PQ_STATE_H */
