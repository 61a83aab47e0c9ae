/* core_graph.c - the type `_core.Graph`: filling it, and what one revision is.
 *
 * Nodes are ints, in the order in which they were added.  Whoever holds the graph maps
 * them to Revision objects; C makes strings only for what is asked. */
#include "core_graph.h"

#include "imig_folder.h"
#include "imig_labels.h"
#include "imig_load.h"

static graph_object *
as_graph(PyObject *self)
{
    return (graph_object *)self;
}

static int
graph_traverse(PyObject *op, visitproc visit, void *arg)
{
    graph_object *self = as_graph(op);
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->label_set);
    Py_VISIT(self->child_set);
    Py_VISIT(self->ids);
    return 0;
}

static int
graph_clear(PyObject *op)
{
    graph_object *self = as_graph(op);
    Py_CLEAR(self->label_set);
    Py_CLEAR(self->child_set);
    Py_CLEAR(self->ids);
    return 0;
}

static void
graph_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    (void)graph_clear(op);
    imig_graph_clear(&as_graph(op)->graph);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
graph_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *label_set, *child_set;
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "Graph() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OO:Graph", &label_set, &child_set))
        return NULL;
    graph_object *self = as_graph(type->tp_alloc(type, 0));
    if (self == NULL)
        return NULL;
    imig_graph_init(&self->graph);
    self->label_set = Py_NewRef(label_set);
    self->child_set = Py_NewRef(child_set);
    return (PyObject *)self;
}

static Py_ssize_t
graph_length(PyObject *op)
{
    return (Py_ssize_t)as_graph(op)->graph.count;
}

const imig_graph *
imigpy_graph_asked(graph_object *self)
{
    if (!self->graph.finished || self->ids == NULL) {
        PyErr_SetString(PyExc_ValueError, "the graph is not finished");
        return NULL;
    }
    return &self->graph;
}

/* The graph while it may still be filled, or NULL with an exception. */
static imig_graph *
filled(graph_object *self)
{
    if (self->busy || self->graph.finished) {
        PyErr_SetString(PyExc_ValueError, "the graph is finished or being filled");
        return NULL;
    }
    return &self->graph;
}

/* ---- filling ---------------------------------------------------------------- */

/* All paths in one block, each with its NUL.  GIL held.  -1 with an exception. */
static int
join_paths(imig_buf *out, PyObject *paths)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(paths); i++) {
        PyObject *path;
        if (!PyUnicode_FSConverter(PyList_GET_ITEM(paths, i), &path))
            return -1;
        imig_buf_add(out, PyBytes_AS_STRING(path), (size_t)PyBytes_GET_SIZE(path) + 1);
        Py_DECREF(path);
    }
    if (out->failed)
        PyErr_NoMemory();
    return out->failed ? -1 : 0;
}

/* Either the paths or the folder. */
typedef struct scan_work {
    imig_graph *graph;
    imig_loader loader;
    imig_buf paths;
    const char *root;
    imig_folder folder;
    size_t count;
    imig_vec to_import;
    size_t not_static;
} scan_work;

static imig_status
no_memory(imig_error *err)
{
    return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
}

static imig_status
scan_one(scan_work *work, const char *path, imig_error *err)
{
    imig_loaded how;
    uint32_t node = work->graph->count;
    imig_status st = imig_load_file(&how, work->graph, &work->loader, path, err);
    if (st == IMIG_OK && how != IMIG_LOADED)
        imig_vec_push(&work->to_import, node);
    if (st == IMIG_OK && how == IMIG_LOADED_NOT_STATIC)
        work->not_static++;
    return st;
}

static imig_status
scan_paths_nogil(scan_work *work, imig_error *err)
{
    imig_str all = {work->paths.data, work->paths.len};
    imig_status st = IMIG_OK;
    if (!imig_arena_copy(&all, &work->graph->text, all))
        return no_memory(err);
    for (const char *path = all.ptr; path < all.ptr + all.len && st == IMIG_OK;
         path += strlen(path) + 1)
        st = scan_one(work, path, err);
    return st;
}

static imig_status
scan_folder_nogil(scan_work *work, imig_error *err)
{
    const imig_folder *folder = &work->folder;
    imig_status st =
        imig_folder_list(&work->folder, &work->graph->text, work->root, err);
    work->loader.folder = folder->fd;
    work->loader.prefix = folder->prefix;
    work->count = folder->plain ? folder->count : 0;
    for (size_t i = 0; i < work->count && st == IMIG_OK; i++)
        st = scan_one(work, folder->files[i].path, err);
    return st;
}

static PyObject *
list_of(const imig_vec *vec)
{
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

PyDoc_STRVAR(scan_doc, "scan($self, paths, without_doc, /)\n--\n\n"
                       "Read revision files and add a node for each; see _core.pyi.");

/* Do the work without the GIL; the nodes to import, NULL with an exception. */
static PyObject *
scan(graph_object *self, scan_work *work, bool without_doc,
     imig_status (*run)(scan_work *, imig_error *))
{
    core_state *state = PyType_GetModuleState(Py_TYPE(self));
    imig_error err;
    imig_status st;
    imig_loader_init(&work->loader);
    work->loader.header.python = PY_VERSION_HEX;
    work->loader.header.without_doc = without_doc;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS
        st = run(work, &err);
    Py_END_ALLOW_THREADS
    self->busy = false;
    if (st == IMIG_OK && work->to_import.failed)
        st = no_memory(&err);
    imig_loader_clear(&work->loader);
    if (st != IMIG_OK)
        return imigpy_raise(&err);
    state->files_scanned += work->count;
    state->files_not_static += work->not_static;
    return list_of(&work->to_import);
}

static PyObject *
graph_scan(PyObject *op, PyObject *const *args, Py_ssize_t count)
{
    graph_object *self = as_graph(op);
    PyObject *found = NULL;
    scan_work work = {.paths = IMIG_BUF_INIT, .to_import = IMIG_VEC_INIT};
    if (count != 2 || !PyList_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "scan() takes a list of paths and a bool");
        return NULL;
    }
    if ((work.graph = filled(self)) == NULL || join_paths(&work.paths, args[0]) < 0)
        goto out;
    work.count = (size_t)PyList_GET_SIZE(args[0]);
    found = scan(self, &work, args[1] == Py_True, scan_paths_nogil);
out:
    imig_vec_clear(&work.to_import);
    imig_buf_clear(&work.paths);
    return found;
}

PyDoc_STRVAR(scan_folder_doc,
             "scan_folder($self, folder, without_doc, /)\n--\n\n"
             "As scan(), of all revision files of a folder; see _core.pyi.");

static PyObject *
graph_scan_folder(PyObject *op, PyObject *const *args, Py_ssize_t count)
{
    graph_object *self = as_graph(op);
    PyObject *found = NULL;
    PyObject *root = NULL;
    scan_work work = {.folder = IMIG_FOLDER_INIT, .to_import = IMIG_VEC_INIT};
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "scan_folder() takes a folder and a bool");
        return NULL;
    }
    if ((work.graph = filled(self)) == NULL || !PyUnicode_FSConverter(args[0], &root))
        return NULL;
    work.root = PyBytes_AS_STRING(root);
    found = scan(self, &work, args[1] == Py_True, scan_folder_nogil);
    if (found != NULL && !work.folder.plain) {
        Py_DECREF(found);
        found = Py_NewRef(Py_None);
    }
    imig_folder_clear(&work.folder);
    imig_vec_clear(&work.to_import);
    Py_DECREF(root);
    return found;
}

/* Borrow the UTF-8 of every str of a tuple.  1, 0 for what no graph can hold (not a
 * str, surrogates), -1 with an exception. */
static int
borrow_names(imig_str *out, PyObject *names)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        Py_ssize_t len;
        if (!PyUnicode_Check(name))
            return 0;
        out[i].ptr = PyUnicode_AsUTF8AndSize(name, &len);
        if (out[i].ptr == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
                return -1;
            PyErr_Clear();
            return 0;
        }
        out[i].len = (size_t)len;
    }
    return 1;
}

/* args: id, down, depend, labels as tuples of str (id in a tuple of one). */
static int
put(imig_graph *g, uint32_t node, PyObject *const *args)
{
    imig_rev rev = {0};
    imig_error err;
    imig_status st;
    Py_ssize_t total = 0;
    for (int i = 0; i < 4; i++) {
        if (!PyTuple_Check(args[i])) {
            PyErr_SetString(PyExc_TypeError, "names must be tuples");
            return -1;
        }
        total += PyTuple_GET_SIZE(args[i]);
    }
    imig_str *names = PyMem_New(imig_str, (size_t)total + 1);
    if (names == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    imig_str *at = names;
    int plain = PyTuple_GET_SIZE(args[0]) == 1;
    for (int i = 0; i < 4 && plain == 1; i++) {
        plain = borrow_names(at, args[i]);
        at += PyTuple_GET_SIZE(args[i]);
    }
    if (plain == 1) {
        rev.id = names[0];
        rev.down = names + 1;
        rev.down_count = (uint32_t)PyTuple_GET_SIZE(args[1]);
        rev.depend = rev.down + rev.down_count;
        rev.depend_count = (uint32_t)PyTuple_GET_SIZE(args[2]);
        rev.labels = rev.depend + rev.depend_count;
        rev.label_count = (uint32_t)PyTuple_GET_SIZE(args[3]);
        plain = imig_rev_is_plain(&rev);
    }
    if (plain == 1) {
        st = node == g->count ? imig_graph_add(g, &rev, &err)
                              : imig_graph_fill(g, node, &rev, &err);
        if (st != IMIG_OK) {
            imigpy_raise(&err);
            plain = -1;
        }
    }
    PyMem_Free(names);
    return plain;
}

PyDoc_STRVAR(put_doc, "put($self, node, id, down, depend, labels, /)\n--\n\n"
                      "Give a node its names; see _core.pyi.");

static PyObject *
graph_put(PyObject *op, PyObject *const *args, Py_ssize_t count)
{
    imig_graph *g = filled(as_graph(op));
    if (g == NULL)
        return NULL;
    if (count != 5) {
        PyErr_SetString(PyExc_TypeError, "put() takes five arguments");
        return NULL;
    }
    Py_ssize_t node = PyLong_AsSsize_t(args[0]);
    if (node == -1 && PyErr_Occurred())
        return NULL;
    if (node < 0 || (size_t)node > g->count) {
        PyErr_SetString(PyExc_IndexError, "no such node");
        return NULL;
    }
    int plain = put(g, (uint32_t)node, args + 1);
    return plain < 0 ? NULL : PyBool_FromLong(plain);
}

static PyObject *
all_ids(const imig_graph *g)
{
    PyObject *ids = PyTuple_New((Py_ssize_t)g->count);
    for (uint32_t node = 0; ids != NULL && node < g->count; node++) {
        imig_str id = g->nodes[node].id;
        PyObject *text = PyUnicode_DecodeUTF8(id.ptr, (Py_ssize_t)id.len, NULL);
        if (text == NULL)
            Py_CLEAR(ids);
        else
            PyTuple_SET_ITEM(ids, (Py_ssize_t)node, text);
    }
    return ids;
}

PyDoc_STRVAR(finish_doc, "finish($self, /)\n--\n\n"
                         "Make the edges; None, or what is wrong: see _core.pyi.");

static PyObject *
graph_finish(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    graph_object *self = as_graph(op);
    core_state *state = PyType_GetModuleState(Py_TYPE(op));
    imig_graph *g = filled(self);
    imig_error err;
    imig_flaw flaw;
    if (g == NULL)
        return NULL;
    imig_status st = imig_graph_finish(&flaw, g, &err);
    switch (st) {
    case IMIG_OK:
        state->graphs_built++;
        if ((self->ids = all_ids(g)) == NULL)
            return NULL;
        Py_RETURN_NONE;
    case IMIG_E_DUPLICATE:
        return Py_BuildValue("sIs", "duplicate", flaw.node, err.message);
    case IMIG_E_MISSING:
        return Py_BuildValue("sIs", "missing", flaw.node, err.message);
    case IMIG_E_CYCLE:
        return Py_BuildValue("sIs", "cycle", flaw.node, err.message);
    default:
        return imigpy_raise(&err);
    }
}

/* ---- one revision ----------------------------------------------------------- */

PyObject *
imigpy_graph_ids(const graph_object *self, imig_nodes nodes)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)nodes.count);
    for (size_t i = 0; tuple != NULL && i < nodes.count; i++) {
        PyObject *id = PyTuple_GET_ITEM(self->ids, (Py_ssize_t)nodes.items[i]);
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, Py_NewRef(id));
    }
    return tuple;
}

static PyObject *
edge_ids(const graph_object *self, const imig_edges *edges, uint32_t node)
{
    return imigpy_graph_ids(
        self, (imig_nodes){imig_edges_of(edges, node), imig_edges_count(edges, node)});
}

static PyObject *
text(imig_str value)
{
    return PyUnicode_DecodeUTF8(value.ptr, (Py_ssize_t)value.len, NULL);
}

static PyObject *
declared(const imig_graph *g, imig_span span)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)span.count);
    for (uint32_t i = 0; tuple != NULL && i < span.count; i++) {
        PyObject *name = text(g->names[span.first + i]);
        if (name == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, name);
    }
    return tuple;
}

/* As alembic.script.revision.tuple_rev_as_scalar. */
static PyObject *
as_scalar(PyObject *tuple)
{
    PyObject *scalar = tuple;
    if (tuple == NULL || PyTuple_GET_SIZE(tuple) > 1)
        return tuple;
    scalar = PyTuple_GET_SIZE(tuple) == 0 ? Py_None : PyTuple_GET_ITEM(tuple, 0);
    Py_INCREF(scalar);
    Py_DECREF(tuple);
    return scalar;
}

static PyObject *
labels_of(graph_object *self, uint32_t node)
{
    const imig_graph *g = &self->graph;
    imig_vec names = IMIG_VEC_INIT;
    PyObject *found = NULL, *tuple = NULL;
    if (!imig_labels_of(&names, g, node)) {
        PyErr_NoMemory();
        goto out;
    }
    if (names.count == 0) {
        found = PySet_New(NULL);
        goto out;
    }
    if ((tuple = PyTuple_New((Py_ssize_t)names.count)) == NULL)
        goto out;
    for (size_t i = 0; i < names.count; i++) {
        PyObject *name = text(g->names[names.items[i]]);
        if (name == NULL)
            goto out;
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, name);
    }
    found = PyObject_CallOneArg(self->label_set, tuple);
out:
    Py_XDECREF(tuple);
    imig_vec_clear(&names);
    return found;
}

static PyObject *
children_of(const graph_object *self, const imig_edges *edges, uint32_t node)
{
    PyObject *tuple = edge_ids(self, edges, node);
    if (tuple == NULL)
        return NULL;
    PyObject *set = PyTuple_GET_SIZE(tuple) < 2
                        ? PyFrozenSet_New(tuple)
                        : PyObject_CallOneArg(self->child_set, tuple);
    Py_DECREF(tuple);
    return set;
}

/* dict[key] = value, taking the value.  -1 with an exception, also when it is NULL. */
static int
set_take(PyObject *dict, const char *key, PyObject *value)
{
    if (value == NULL)
        return -1;
    int failed = PyDict_SetItemString(dict, key, value);
    Py_DECREF(value);
    return failed;
}

static PyObject *
fields(graph_object *self, uint32_t node)
{
    const imig_graph *g = &self->graph;
    const imig_node *each = &g->nodes[node];
    PyObject *dict = PyDict_New();
    if (dict == NULL)
        return NULL;
    PyObject *id = PyTuple_GET_ITEM(self->ids, (Py_ssize_t)node);
    if (PyDict_SetItemString(dict, "revision", id) < 0 ||
        set_take(dict, "down_revision", as_scalar(declared(g, each->down))) < 0 ||
        set_take(dict, "dependencies", as_scalar(declared(g, each->depend))) < 0 ||
        set_take(dict, "_orig_branch_labels", declared(g, each->labels)) < 0 ||
        set_take(dict, "branch_labels", labels_of(self, node)) < 0 ||
        set_take(dict, "nextrev", children_of(self, &g->next, node)) < 0 ||
        set_take(dict, "_all_nextrev", children_of(self, &g->all_next, node)) < 0 ||
        set_take(dict, "_resolved_dependencies", edge_ids(self, &g->resolved, node)) <
            0 ||
        set_take(dict, "_normalized_resolved_dependencies",
                 edge_ids(self, &g->normal, node)) < 0)
        Py_CLEAR(dict);
    return dict;
}

/* The node a Python int names, or -1 with an exception. */
static int64_t
node_of(const imig_graph *g, PyObject *index)
{
    Py_ssize_t node = PyLong_AsSsize_t(index);
    if (node == -1 && PyErr_Occurred())
        return -1;
    if (node < 0 || (size_t)node >= g->count) {
        PyErr_SetString(PyExc_IndexError, "no such node");
        return -1;
    }
    return node;
}

/* As node_of, of a graph that need not be finished. */
static int64_t
node_asked(const graph_object *self, PyObject *index)
{
    if (!self->busy)
        return node_of(&self->graph, index);
    PyErr_SetString(PyExc_ValueError, "the graph is being filled");
    return -1;
}

PyDoc_STRVAR(fields_doc, "fields($self, node, /)\n--\n\n"
                         "What a Revision object of that node holds, by attribute.");

static PyObject *
graph_fields(PyObject *op, PyObject *index)
{
    graph_object *self = as_graph(op);
    const imig_graph *g = imigpy_graph_asked(self);
    int64_t node = g != NULL ? node_of(g, index) : -1;
    return node < 0 ? NULL : fields(self, (uint32_t)node);
}

PyDoc_STRVAR(declared_doc, "declared($self, node, /)\n--\n\n"
                           "Id, down_revision, depends_on, branch_labels as declared.");

static PyObject *
graph_declared(PyObject *op, PyObject *index)
{
    const imig_graph *g = &as_graph(op)->graph;
    int64_t node = node_asked(as_graph(op), index);
    if (node < 0)
        return NULL;
    const imig_node *each = &g->nodes[node];
    return Py_BuildValue("(NNNN)", text(each->id), declared(g, each->down),
                         declared(g, each->depend), declared(g, each->labels));
}

PyDoc_STRVAR(labels_doc, "labels($self, /)\n--\n\n"
                         "All branch labels, in the order of the nodes.");

static PyObject *
graph_labels(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    const imig_graph *g = imigpy_graph_asked(as_graph(op));
    PyObject *list = g != NULL ? PyList_New(0) : NULL;
    for (uint32_t node = 0; list != NULL && node < g->count; node++) {
        imig_span labels = g->nodes[node].labels;
        for (uint32_t i = 0; list != NULL && i < labels.count; i++) {
            PyObject *name = text(g->names[labels.first + i]);
            if (name == NULL || PyList_Append(list, name) < 0)
                Py_CLEAR(list);
            Py_XDECREF(name);
        }
    }
    return list;
}

PyDoc_STRVAR(doc_doc, "doc($self, node, /)\n--\n\n"
                      "The docstring of the node's file, or None.");

static PyObject *
graph_doc(PyObject *op, PyObject *index)
{
    const imig_graph *g = &as_graph(op)->graph;
    int64_t node = node_asked(as_graph(op), index);
    if (node < 0)
        return NULL;
    if (g->nodes[node].doc.ptr == NULL)
        Py_RETURN_NONE;
    return text(g->nodes[node].doc);
}

PyDoc_STRVAR(path_doc, "path($self, node, /)\n--\n\n"
                       "The path that the node was scanned from, or None.");

static PyObject *
graph_path(PyObject *op, PyObject *index)
{
    const imig_graph *g = &as_graph(op)->graph;
    int64_t node = node_asked(as_graph(op), index);
    if (node < 0)
        return NULL;
    if (g->nodes[node].path == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefault(g->nodes[node].path);
}

static PyObject *
graph_get_ids(PyObject *op, void *Py_UNUSED(closure))
{
    graph_object *self = as_graph(op);
    return imigpy_graph_asked(self) != NULL ? Py_NewRef(self->ids) : NULL;
}

/* ---- type ------------------------------------------------------------------- */

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef graph_methods[] = {
    {"scan", FAST(graph_scan), METH_FASTCALL, scan_doc},
    {"scan_folder", FAST(graph_scan_folder), METH_FASTCALL, scan_folder_doc},
    {"put", FAST(graph_put), METH_FASTCALL, put_doc},
    {"finish", graph_finish, METH_NOARGS, finish_doc},
    {"fields", graph_fields, METH_O, fields_doc},
    {"declared", graph_declared, METH_O, declared_doc},
    {"labels", graph_labels, METH_NOARGS, labels_doc},
    {"doc", graph_doc, METH_O, doc_doc},
    {"path", graph_path, METH_O, path_doc},
    {"find", imigpy_graph_find, METH_O,
     "find($self, id, /)\n--\n\n"
     "The node with that id or label, or -1."},
    {"starting_with", imigpy_graph_starting_with, METH_O,
     "starting_with($self, prefix, /)\n--\n\n"
     "Ids and labels of four characters or more that start so."},
    {"ends", imigpy_graph_ends, METH_O,
     "ends($self, real, /)\n--\n\n"
     "Nodes that nothing comes after."},
    {"bases", imigpy_graph_bases, METH_O,
     "bases($self, real, /)\n--\n\n"
     "Nodes that come after nothing."},
    {"walk", FAST(imigpy_graph_walk), METH_FASTCALL,
     "walk($self, edges, targets, check, /)\n--\n\n"
     "What can be reached, in Alembic's order; see _core.pyi."},
    {"related", FAST(imigpy_graph_related), METH_FASTCALL,
     "related($self, targets, dependencies, /)\n--\n\n"
     "A byte per node: not 0 above, at and below the targets."},
    {"tips", FAST(imigpy_graph_tips), METH_FASTCALL,
     "tips($self, targets, ancestors, /)\n--\n\n"
     "Targets (and their ancestors) that have none of them above."},
    {"order", FAST(imigpy_graph_order), METH_FASTCALL,
     "order($self, nodes, heads, /)\n--\n\n"
     "Nodes in Alembic's topological order."},
    {"upgrade", FAST(imigpy_graph_upgrade), METH_FASTCALL,
     "upgrade($self, targets, current, include, implicit_base, /)\n--\n\n"
     "What to upgrade, newest first; see _core.pyi."},
    {"downgrade", FAST(imigpy_graph_downgrade), METH_FASTCALL,
     "downgrade($self, roots, current, implicit_base, /)\n--\n\n"
     "What to downgrade, newest first; see _core.pyi."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef graph_getset[] = {
    {"ids", graph_get_ids, NULL, "Ids by node, once finished.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(graph_type_doc, "Graph(label_set, child_set, /)\n--\n\n"
                             "Revisions and how they follow one another.");

static PyType_Slot graph_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)graph_type_doc},
    {Py_tp_new, (void *)graph_new},
    {Py_tp_dealloc, (void *)graph_dealloc},
    {Py_tp_traverse, (void *)graph_traverse},
    {Py_tp_clear, (void *)graph_clear},
    {Py_tp_methods, graph_methods},
    {Py_tp_getset, graph_getset},
    {Py_sq_length, (void *)graph_length},
    {0, NULL},
};

static PyType_Spec graph_spec = {
    .name = "ibutsu_migrate._core.Graph",
    .basicsize = sizeof(graph_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = graph_slots,
};

int
imigpy_graph_setup(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &graph_spec, NULL);
    if (type == NULL)
        return -1;
    int failed = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return failed;
}
