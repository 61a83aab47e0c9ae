/* core_scan.c - scan_file() and scan_source(): the header of a revision file as Python
 * values, or a NotStatic that says why the file must be imported.
 *
 * Each call has a header of its own; reading and scanning run without the GIL. */
#include "core_scan.h"

#include <errno.h>
#include <structmember.h>

#include "imig_file.h"
#include "imig_scan.h"

/* ---- NotStatic -------------------------------------------------------------- */

typedef struct not_static {
    PyObject_HEAD PyObject
        *reason; /* str: no reference cycle can come of it, hence no GC */
    unsigned int line;
} not_static;

static PyObject *
not_static_new(const core_state *state, const char *reason, uint32_t line)
{
    PyTypeObject *type = (PyTypeObject *)state->not_static;
    not_static *self = (not_static *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->line = line;
    self->reason = PyUnicode_FromString(reason);
    if (self->reason == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void
not_static_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    Py_CLEAR(((not_static *)op)->reason);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
not_static_repr(PyObject *op)
{
    not_static *self = (not_static *)op;
    return PyUnicode_FromFormat("<NotStatic: %U, line %u>", self->reason, self->line);
}

static int
not_static_bool(PyObject *Py_UNUSED(op))
{
    return 0;
}

static PyMemberDef not_static_members[] = {
    {"reason", T_OBJECT_EX, offsetof(not_static, reason), READONLY,
     PyDoc_STR("Why the file has to be imported.")},
    {"line", T_UINT, offsetof(not_static, line), READONLY,
     PyDoc_STR("1-based line that the reason is about, 0 for the whole file.")},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(not_static_doc,
             "A file whose header only importing can tell; false as a condition.");

static PyType_Slot not_static_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)not_static_doc},
    {Py_tp_dealloc, (void *)not_static_dealloc},
    {Py_tp_repr, (void *)not_static_repr},
    {Py_nb_bool, (void *)not_static_bool},
    {Py_tp_members, not_static_members},
    {0, NULL},
};

static PyType_Spec not_static_spec = {
    .name = "ibutsu_migrate._core.NotStatic",
    .basicsize = sizeof(not_static),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = not_static_slots,
};

/* ---- values ----------------------------------------------------------------- */

static PyObject *
text_of(const imig_str *item)
{
    return PyUnicode_DecodeUTF8(item->ptr, (Py_ssize_t)item->len, "strict");
}

/* A tuple, which PySequence_List and PySet_New make the others from. */
static PyObject *
tuple_of(const imig_header *h, const imig_value *value)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)value->count);
    for (uint32_t i = 0; tuple != NULL && i < value->count; i++) {
        PyObject *item = text_of(&h->items[value->first + i]);
        if (item == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, item);
    }
    return tuple;
}

static PyObject *
value_of(const imig_header *h, const imig_value *value)
{
    if (value->kind == IMIG_VALUE_NONE)
        Py_RETURN_NONE;
    if (value->kind == IMIG_VALUE_STR)
        return text_of(&h->items[value->first]);
    PyObject *tuple = tuple_of(h, value);
    if (tuple == NULL || value->kind == IMIG_VALUE_TUPLE)
        return tuple;
    PyObject *made =
        value->kind == IMIG_VALUE_LIST ? PySequence_List(tuple) : PySet_New(tuple);
    Py_DECREF(tuple);
    return made;
}

static int
add_value(PyObject *dict, const char *name, const imig_header *h,
          const imig_value *value)
{
    if (value->kind == IMIG_VALUE_ABSENT)
        return 0;
    PyObject *made = value_of(h, value);
    int failed = made == NULL ? -1 : PyDict_SetItemString(dict, name, made);
    Py_XDECREF(made);
    return failed;
}

static PyObject *
header_dict(const imig_header *h)
{
    PyObject *dict = PyDict_New();
    if (dict == NULL)
        return NULL;
    if (add_value(dict, "revision", h, &h->revision) < 0 ||
        add_value(dict, "down_revision", h, &h->down_revision) < 0 ||
        add_value(dict, "branch_labels", h, &h->branch_labels) < 0 ||
        add_value(dict, "depends_on", h, &h->depends_on) < 0 ||
        add_value(dict, "doc", h, &h->doc) < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *
outcome(core_state *state, const imig_header *h)
{
    state->files_scanned++;
    if (h->is_static)
        return header_dict(h);
    state->files_not_static++;
    return not_static_new(state, h->reason, h->line);
}

/* Set what the header must know of this interpreter.  -1 with an exception. */
static int
init_header(imig_header *h)
{
    PyObject *flags = PySys_GetObject("flags"); /* borrowed */
    PyObject *optimize = NULL;
    imig_header_init(h);
    h->python = PY_VERSION_HEX;
    if (flags != NULL)
        optimize = PyObject_GetAttrString(flags, "optimize");
    if (optimize == NULL)
        return -1;
    long level = PyLong_AsLong(optimize);
    Py_DECREF(optimize);
    if (level == -1 && PyErr_Occurred())
        return -1;
    h->without_doc = level >= 2;
    return 0;
}

/* ---- functions -------------------------------------------------------------- */

static PyObject *
raise_for_file(const core_state *state, const imig_error *err, PyObject *path)
{
    switch (err->status) {
    case IMIG_E_IO:
        errno = err->sys_errno;
        return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
    case IMIG_E_LIMIT:
        return not_static_new(state, "the file is larger than 64 MiB", 0);
    default:
        return imigpy_raise(err);
    }
}

PyDoc_STRVAR(scan_file_doc,
             "scan_file($module, path, /)\n--\n\n"
             "The header of a revision file by name, without importing it.");

static PyObject *
core_scan_file(PyObject *module, PyObject *path)
{
    core_state *state = core_get_state(module);
    PyObject *encoded = NULL;
    PyObject *result = NULL;
    imig_buf bytes = IMIG_BUF_INIT;
    imig_header header;
    imig_error err;
    imig_status status;
    if (init_header(&header) < 0 || !PyUnicode_FSConverter(path, &encoded))
        return NULL;
    const char *name = PyBytes_AS_STRING(encoded);
    Py_BEGIN_ALLOW_THREADS
        status = imig_file_read(&bytes, name, IMIG_SCAN_LIMIT, &err);
        if (status == IMIG_OK)
            status = imig_scan(&header, bytes.data, bytes.len, &err);
    Py_END_ALLOW_THREADS
    if (status == IMIG_OK)
        result = outcome(state, &header);
    else
        result = raise_for_file(state, &err, path);
    imig_header_clear(&header);
    imig_buf_clear(&bytes);
    Py_DECREF(encoded);
    return result;
}

/* One file's bytes into the header.  False with an exception, of the buffer. */
static bool
scan_bytes(imig_status *out, imig_header *header, PyObject *data, imig_error *err)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return false;
    Py_BEGIN_ALLOW_THREADS
        *out = imig_scan(header, view.buf, (size_t)view.len, err);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    return true;
}

PyDoc_STRVAR(scan_source_doc, "scan_source($module, data, /, *before)\n--\n\n"
                              "The header of a revision file from its bytes.");

static PyObject *
core_scan_source(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    core_state *state = core_get_state(module);
    PyObject *result = NULL;
    imig_known known;
    imig_header header;
    imig_error err = {.status = IMIG_OK};
    imig_status status = IMIG_OK;
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "scan_source() takes a file's bytes");
        return NULL;
    }
    if (init_header(&header) < 0)
        return NULL;
    imig_known_init(&known);
    if (count > 1)
        header.known = &known;
    for (Py_ssize_t i = 1; i < count && status == IMIG_OK; i++) {
        if (!scan_bytes(&status, &header, args[i], &err))
            goto out;
    }
    if (status == IMIG_OK && !scan_bytes(&status, &header, args[0], &err))
        goto out;
    if (status == IMIG_OK)
        result = outcome(state, &header);
    else
        result = raise_for_file(state, &err, Py_None);
out:
    imig_header_clear(&header);
    imig_known_clear(&known);
    return result;
}

static PyMethodDef scan_methods[] = {
    {"scan_file", core_scan_file, METH_O, scan_file_doc},
    {"scan_source", (PyCFunction)(void (*)(void))core_scan_source, METH_FASTCALL,
     scan_source_doc},
    {NULL, NULL, 0, NULL},
};

int
imigpy_scan_setup(PyObject *module)
{
    core_state *state = core_get_state(module);
    state->not_static = PyType_FromModuleAndSpec(module, &not_static_spec, NULL);
    if (state->not_static == NULL)
        return -1;
    if (PyModule_AddObjectRef(module, "NotStatic", state->not_static) < 0)
        return -1;
    return PyModule_AddFunctions(module, scan_methods);
}
