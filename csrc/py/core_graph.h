/* core_graph.h - the type `_core.Graph`, shared by its two files. */
#ifndef CORE_GRAPH_H
#define CORE_GRAPH_H

#include "core_state.h"

#include "imig_graph.h"
#include "imig_resolve.h"

typedef struct graph_object {
    PyObject_HEAD imig_graph graph;
    PyObject *label_set; /* makes the set of a revision's labels from a tuple */
    PyObject *child_set; /* makes the set of a revision's children from a tuple */
    PyObject *ids;       /* finished: tuple of str, by node */
    bool busy;           /* scanning without the GIL */
} graph_object;

/* The graph, or NULL with an exception: it is not finished, or is being filled. */
const imig_graph *imigpy_graph_asked(graph_object *self);

/* New reference to a tuple of the nodes' ids.  The graph must be finished. */
PyObject *imigpy_graph_ids(const graph_object *self, imig_nodes nodes);

/* Questions to a finished graph: methods, in core_graph_ask.c. */
PyObject *imigpy_graph_find(PyObject *self, PyObject *id);
PyObject *imigpy_graph_starting_with(PyObject *self, PyObject *prefix);
PyObject *imigpy_graph_ends(PyObject *self, PyObject *real);
PyObject *imigpy_graph_bases(PyObject *self, PyObject *real);
PyObject *imigpy_graph_walk(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *imigpy_graph_related(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *imigpy_graph_tips(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *imigpy_graph_order(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *imigpy_graph_upgrade(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *imigpy_graph_downgrade(PyObject *self, PyObject *const *args,
                                 Py_ssize_t count);

/* Make the type and put it into the module and its state.  0, or -1 with exception. */
int imigpy_graph_setup(PyObject *module);

#endif /* CORE_GRAPH_H */
