/* core_graph_ask.c - questions to a finished `_core.Graph`.
 *
 * Node lists come as Python lists of ints.  The GIL is held: an answer takes
 * milliseconds at ten thousand revisions. */
#include "core_graph.h"

#include "imig_alloc.h"
#include "imig_plan.h"

static graph_object *
as_graph(PyObject *self)
{
    return (graph_object *)self;
}

/* The graph of a call with `want` arguments, or NULL with an exception. */
static const imig_graph *
asked(PyObject *self, Py_ssize_t count, Py_ssize_t want)
{
    if (count != want) {
        PyErr_Format(PyExc_TypeError, "takes %zd arguments", want);
        return NULL;
    }
    return imigpy_graph_asked(as_graph(self));
}

/* Append the nodes of a list of ints.  -1 with an exception. */
static int
read_nodes(imig_vec *out, const imig_graph *g, PyObject *list)
{
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "nodes must be a list");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        Py_ssize_t node = PyLong_AsSsize_t(PyList_GET_ITEM(list, i));
        if (node == -1 && PyErr_Occurred())
            return -1;
        if (node < 0 || (size_t)node >= g->count) {
            PyErr_SetString(PyExc_IndexError, "no such node");
            return -1;
        }
        imig_vec_push(out, (uint32_t)node);
    }
    if (out->failed)
        PyErr_NoMemory();
    return out->failed ? -1 : 0;
}

static imig_nodes
nodes_of(const imig_vec *vec)
{
    return (imig_nodes){vec->items, vec->count};
}

static PyObject *
list_of(const imig_vec *vec)
{
    if (vec->failed)
        return PyErr_NoMemory();
    PyObject *list = PyList_New((Py_ssize_t)vec->count);
    for (size_t i = 0; list != NULL && i < vec->count; i++) {
        PyObject *item = PyLong_FromUnsignedLong(vec->items[i]);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

/* The UTF-8 of a str; 0 when it has none (surrogates), -1 with an exception. */
static int
borrow(imig_str *out, PyObject *value)
{
    Py_ssize_t len;
    out->ptr = PyUnicode_AsUTF8AndSize(value, &len);
    if (out->ptr != NULL) {
        out->len = (size_t)len;
        return 1;
    }
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return -1;
    PyErr_Clear();
    return 0;
}

PyObject *
imigpy_graph_find(PyObject *self, PyObject *id)
{
    const imig_graph *g = imigpy_graph_asked(as_graph(self));
    imig_str name;
    uint32_t node;
    if (g == NULL)
        return NULL;
    int known = borrow(&name, id);
    if (known < 0)
        return NULL;
    if (known == 0 || (!imig_strmap_get(&node, &g->ids, name) &&
                       !imig_strmap_get(&node, &g->labels, name)))
        return PyLong_FromLong(-1);
    return PyLong_FromUnsignedLong(node);
}

/* More than three characters: _revision_for_ident takes no shorter ones for a partial
 * identifier's whole.  Characters, not bytes. */
static bool
is_long(imig_str name)
{
    size_t characters = 0;
    for (size_t i = 0; i < name.len && characters < 4; i++)
        characters += ((unsigned char)name.ptr[i] & 0xC0) != 0x80;
    return characters > 3;
}

/* Append the name to the list if it starts so.  -1 with an exception. */
static int
add_if(PyObject *list, imig_str name, imig_str prefix)
{
    if (name.len < prefix.len || memcmp(name.ptr, prefix.ptr, prefix.len) != 0 ||
        !is_long(name))
        return 0;
    PyObject *text = PyUnicode_DecodeUTF8(name.ptr, (Py_ssize_t)name.len, NULL);
    if (text == NULL)
        return -1;
    int failed = PyList_Append(list, text);
    Py_DECREF(text);
    return failed;
}

PyObject *
imigpy_graph_starting_with(PyObject *self, PyObject *value)
{
    const imig_graph *g = imigpy_graph_asked(as_graph(self));
    imig_str prefix;
    int known = g != NULL ? borrow(&prefix, value) : -1;
    PyObject *list = known >= 0 ? PyList_New(0) : NULL;
    if (list == NULL || known == 0)
        return list;
    for (uint32_t node = 0; node < g->count; node++) {
        if (add_if(list, g->nodes[node].id, prefix) < 0)
            goto failed;
    }
    for (uint32_t node = 0; node < g->count; node++) {
        imig_span labels = g->nodes[node].labels;
        for (uint32_t i = 0; i < labels.count; i++) {
            if (add_if(list, g->names[labels.first + i], prefix) < 0)
                goto failed;
        }
    }
    return list;
failed:
    Py_DECREF(list);
    return NULL;
}

PyObject *
imigpy_graph_ends(PyObject *self, PyObject *real)
{
    const imig_graph *g = imigpy_graph_asked(as_graph(self));
    imig_vec found = IMIG_VEC_INIT;
    if (g == NULL)
        return NULL;
    imig_ends(&found, g, real == Py_True ? &g->all_next : &g->next);
    PyObject *list = list_of(&found);
    imig_vec_clear(&found);
    return list;
}

PyObject *
imigpy_graph_bases(PyObject *self, PyObject *real)
{
    const imig_graph *g = imigpy_graph_asked(as_graph(self));
    imig_vec found = IMIG_VEC_INIT;
    if (g == NULL)
        return NULL;
    imig_bases(&found, g, real == Py_True);
    PyObject *list = list_of(&found);
    imig_vec_clear(&found);
    return list;
}

/* The edges that a name of one of _core.pyi's Edges means; NULL with an exception. */
static const imig_edges *
edges_named(const imig_graph *g, PyObject *name)
{
    if (PyUnicode_Check(name)) {
        if (PyUnicode_CompareWithASCIIString(name, "needs") == 0)
            return &g->needs;
        if (PyUnicode_CompareWithASCIIString(name, "versioned") == 0)
            return &g->versioned;
        if (PyUnicode_CompareWithASCIIString(name, "next") == 0)
            return &g->next;
        if (PyUnicode_CompareWithASCIIString(name, "all_next") == 0)
            return &g->all_next;
    }
    PyErr_SetString(PyExc_ValueError, "no such edges");
    return NULL;
}

/* (target, others) of an overlap. */
static PyObject *
overlap_tuple(const imig_overlap *overlap)
{
    PyObject *others = list_of(&overlap->others);
    return others != NULL ? Py_BuildValue("IN", overlap->target, others) : NULL;
}

PyObject *
imigpy_graph_walk(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const imig_graph *g = asked(self, count, 3);
    const imig_edges *edges = g != NULL ? edges_named(g, args[0]) : NULL;
    imig_vec targets = IMIG_VEC_INIT, found = IMIG_VEC_INIT;
    imig_overlap overlap = IMIG_OVERLAP_INIT;
    imig_error err;
    PyObject *answer = NULL, *list = NULL;
    if (edges == NULL || read_nodes(&targets, g, args[1]) < 0)
        goto out;
    if (imig_walk(&found, args[2] == Py_True ? &overlap : NULL, g, edges,
                  nodes_of(&targets), &err) != IMIG_OK) {
        imigpy_raise(&err);
        goto out;
    }
    if ((list = list_of(&found)) == NULL)
        goto out;
    if (overlap.target == IMIG_NO_NODE) {
        answer = Py_BuildValue("NO", list, Py_None);
    } else {
        PyObject *met = overlap_tuple(&overlap);
        if (met != NULL)
            answer = Py_BuildValue("NN", list, met);
        else
            Py_DECREF(list);
    }
out:
    imig_vec_clear(&overlap.others);
    imig_vec_clear(&found);
    imig_vec_clear(&targets);
    return answer;
}

PyObject *
imigpy_graph_related(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const imig_graph *g = asked(self, count, 2);
    imig_vec targets = IMIG_VEC_INIT;
    imig_error err;
    PyObject *marks = NULL;
    if (g == NULL || read_nodes(&targets, g, args[0]) < 0)
        goto out;
    bool all = args[1] == Py_True;
    if ((marks = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)g->count)) == NULL)
        goto out;
    uint8_t *bytes = (uint8_t *)PyBytes_AS_STRING(marks);
    memset(bytes, 0, g->count);
    if (imig_mark(bytes, 1, all ? &g->all_next : &g->next, nodes_of(&targets), &err) !=
            IMIG_OK ||
        imig_mark(bytes, 2, all ? &g->needs : &g->versioned, nodes_of(&targets),
                  &err) != IMIG_OK) {
        Py_CLEAR(marks);
        imigpy_raise(&err);
    }
out:
    imig_vec_clear(&targets);
    return marks;
}

PyObject *
imigpy_graph_tips(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const imig_graph *g = asked(self, count, 2);
    imig_vec targets = IMIG_VEC_INIT, all = IMIG_VEC_INIT, found = IMIG_VEC_INIT;
    imig_error err;
    PyObject *answer = NULL;
    if (g == NULL || read_nodes(&targets, g, args[0]) < 0)
        goto out;
    bool below = args[1] == Py_True;
    if ((below &&
         imig_walk(&all, NULL, g, &g->needs, nodes_of(&targets), &err) != IMIG_OK) ||
        imig_tips(&found, g, nodes_of(below ? &all : &targets), &err) != IMIG_OK) {
        imigpy_raise(&err);
        goto out;
    }
    answer = list_of(&found);
out:
    imig_vec_clear(&found);
    imig_vec_clear(&all);
    imig_vec_clear(&targets);
    return answer;
}

/* The answer of a plan: a list, None out of range, (target, others) of an overlap,
 * AssertionError where Alembic has one. */
static PyObject *
plan_answer(PyObject *self, imig_status st, const imig_vec *found,
            const imig_overlap *overlap, const imig_error *err)
{
    core_state *state = PyType_GetModuleState(Py_TYPE(self));
    switch (st) {
    case IMIG_OK:
        state->plans_made++;
        return list_of(found);
    case IMIG_E_RANGE:
        Py_RETURN_NONE;
    case IMIG_E_ARGUMENT:
        if (overlap != NULL && overlap->target != IMIG_NO_NODE)
            return overlap_tuple(overlap);
        PyErr_SetString(PyExc_AssertionError, err->message);
        return NULL;
    default:
        return imigpy_raise(err);
    }
}

PyObject *
imigpy_graph_order(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const imig_graph *g = asked(self, count, 2);
    imig_vec nodes = IMIG_VEC_INIT, heads = IMIG_VEC_INIT, found = IMIG_VEC_INIT;
    imig_error err;
    PyObject *answer = NULL;
    uint8_t *marks = NULL;
    if (g == NULL || read_nodes(&nodes, g, args[0]) < 0 ||
        read_nodes(&heads, g, args[1]) < 0)
        goto out;
    if ((marks = imig_alloc_zeroed(g->count, 1)) == NULL) {
        PyErr_NoMemory();
        goto out;
    }
    for (size_t i = 0; i < nodes.count; i++)
        marks[nodes.items[i]] = 1;
    imig_status st = imig_order(&found, g, marks, 1, nodes_of(&heads), &err);
    answer = plan_answer(self, st, &found, NULL, &err);
out:
    imig_free(marks);
    imig_vec_clear(&found);
    imig_vec_clear(&heads);
    imig_vec_clear(&nodes);
    return answer;
}

PyObject *
imigpy_graph_upgrade(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const imig_graph *g = asked(self, count, 4);
    imig_vec in[3] = {IMIG_VEC_INIT, IMIG_VEC_INIT, IMIG_VEC_INIT};
    imig_vec found = IMIG_VEC_INIT;
    imig_overlap overlap = IMIG_OVERLAP_INIT;
    imig_error err;
    PyObject *answer = NULL;
    for (int i = 0; i < 3; i++) {
        if (g == NULL || read_nodes(&in[i], g, args[i]) < 0)
            goto out;
    }
    imig_upgrade ask = {nodes_of(&in[0]), nodes_of(&in[1]), nodes_of(&in[2]),
                        args[3] == Py_True};
    imig_status st = imig_plan_upgrade(&found, &overlap, g, &ask, &err);
    answer = plan_answer(self, st, &found, &overlap, &err);
out:
    imig_vec_clear(&overlap.others);
    imig_vec_clear(&found);
    for (int i = 0; i < 3; i++)
        imig_vec_clear(&in[i]);
    return answer;
}

PyObject *
imigpy_graph_downgrade(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const imig_graph *g = asked(self, count, 3);
    imig_vec roots = IMIG_VEC_INIT, current = IMIG_VEC_INIT, found = IMIG_VEC_INIT;
    imig_error err;
    PyObject *answer = NULL;
    if (g == NULL || read_nodes(&roots, g, args[0]) < 0 ||
        read_nodes(&current, g, args[1]) < 0)
        goto out;
    imig_downgrade ask = {nodes_of(&roots), nodes_of(&current), args[2] == Py_True};
    imig_status st = imig_plan_downgrade(&found, g, &ask, &err);
    answer = plan_answer(self, st, &found, NULL, &err);
out:
    imig_vec_clear(&found);
    imig_vec_clear(&current);
    imig_vec_clear(&roots);
    return answer;
}
