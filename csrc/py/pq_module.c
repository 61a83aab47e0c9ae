/* pq_module.c - the extension `ibutsu_migrate._pq`: the driver over libpq.
 *
 * Multi-phase initialisation, heap types, all state in pq_state. */
#include "pq_conn.h"

PyDoc_STRVAR(counters_doc, "counters()\n--\n\n"
                           "What this module has done since it was loaded, by name.");

static PyObject *
pq_counters(PyObject *module, PyObject *Py_UNUSED(unused))
{
    const pq_state *state = pq_get_state(module);
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K}", "connections", state->connections,
                         "statements", state->statements, "rows", state->rows,
                         "round_trips", state->round_trips, "wait_ns", state->wait_ns);
}

/* ---- Connection options ---- */

/* Options as a dict: all keywords with their values, or only those with a value. */
static PyObject *
options_dict(const PQconninfoOption *options, bool all)
{
    PyObject *dict = PyDict_New();
    for (; dict != NULL && options->keyword != NULL; options++) {
        if (options->val == NULL && !all)
            continue;
        PyObject *value = options->val != NULL ? PyUnicode_DecodeFSDefault(options->val)
                                               : Py_NewRef(Py_None);
        if (value == NULL || PyDict_SetItemString(dict, options->keyword, value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

PyDoc_STRVAR(keywords_doc, "keywords()\n--\n\n"
                           "The options that libpq knows, a tuple of str.");

static PyObject *
pq_keywords(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    PQconninfoOption *options = PQconndefaults();
    if (options == NULL)
        return PyErr_NoMemory();
    PyObject *dict = options_dict(options, true);
    PQconninfoFree(options);
    PyObject *keys = dict != NULL ? PySequence_Tuple(dict) : NULL;
    Py_XDECREF(dict);
    return keys;
}

/* A part of the connection string that libpq quotes in its message may be a part of the
 * password. */
static void
raise_unparsable(const pq_state *state, char *message)
{
    imig_buf safe = IMIG_BUF_INIT;
    bool inside = false;
    for (const char *at = message; *at != '\0' && *at != '\n'; at++) {
        if (*at == '"')
            imig_buf_str(&safe, inside ? "\"" : "\"...");
        else if (!inside)
            imig_buf_byte(&safe, *at);
        inside = (*at == '"') != inside;
    }
    (void)imigpy_raise_named(state, "ProgrammingError",
                             "the connection string cannot be read: %s",
                             safe.data != NULL && !safe.failed ? safe.data : "");
    imig_buf_clear(&safe);
}

PyDoc_STRVAR(parse_doc, "parse_conninfo(text, /)\n--\n\n"
                        "The options in a connection string or URI, a dict.");

static PyObject *
pq_parse_conninfo(PyObject *module, PyObject *text)
{
    char *message = NULL;
    const char *conninfo = PyUnicode_AsUTF8(text);
    if (conninfo == NULL)
        return NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);
    if (options == NULL) {
        if (message == NULL)
            return PyErr_NoMemory();
        raise_unparsable(pq_get_state(module), message);
        PQfreemem(message);
        return NULL;
    }
    PyObject *dict = options_dict(options, false);
    PQconninfoFree(options);
    return dict;
}

PyDoc_STRVAR(libpq_version_doc, "libpq_version()\n--\n\n"
                                "Version of the libpq in use; 150004 is 15.4.");

static PyObject *
pq_libpq_version(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return PyLong_FromLong(PQlibVersion());
}

static PyMethodDef pq_methods[] = {
    {"connect", (PyCFunction)(void (*)(void))imigpy_connect,
     METH_VARARGS | METH_KEYWORDS, imigpy_connect_doc},
    {"counters", pq_counters, METH_NOARGS, counters_doc},
    {"keywords", pq_keywords, METH_NOARGS, keywords_doc},
    {"parse_conninfo", pq_parse_conninfo, METH_O, parse_doc},
    {"libpq_version", pq_libpq_version, METH_NOARGS, libpq_version_doc},
    {NULL, NULL, 0, NULL},
};

/* ---- State ---- */

static PyObject *
attribute(const char *module, const char *name)
{
    PyObject *found = NULL, *loaded = PyImport_ImportModule(module);
    if (loaded != NULL)
        found = PyObject_GetAttrString(loaded, name);
    Py_XDECREF(loaded);
    return found;
}

static int
find_classes(pq_state *state)
{
    static const char RECORDS[] = "ibutsu_migrate.engine.records";
    state->errors = PyImport_ImportModule("ibutsu_migrate.errors");
    if (state->errors == NULL)
        return -1;
    state->class_for =
        attribute("ibutsu_migrate.engine.sqlstates", "class_for_sqlstate");
    if (state->class_for == NULL)
        return -1;
    if ((state->Notify = attribute(RECORDS, "Notify")) == NULL)
        return -1;
    if ((state->Xid = attribute(RECORDS, "Xid")) == NULL)
        return -1;
    state->warn_not_committed = attribute(RECORDS, "warn_not_committed");
    if (state->warn_not_committed == NULL)
        return -1;
    state->warn_discarded = attribute(RECORDS, "warn_discarded");
    return state->warn_discarded != NULL ? 0 : -1;
}

static int
pq_exec(PyObject *module)
{
    pq_state *state = pq_get_state(module);
    if (PQlibVersion() < 140000) {
        PyErr_Format(PyExc_ImportError, "libpq 14 or newer is needed, this is %d",
                     PQlibVersion() / 10000);
        return -1;
    }
    if (imigpy_values_init(&state->values) < 0 || imigpy_values_add(module) < 0)
        return -1;
    if (find_classes(state) < 0)
        return -1;
    if (imigpy_column_setup(module) < 0 || imigpy_info_setup(module) < 0)
        return -1;
    if (imigpy_cursor_setup(module) < 0)
        return -1;
    return imigpy_connection_setup(module);
}

static int
pq_traverse(PyObject *module, visitproc visit, void *arg)
{
    pq_state *state = pq_get_state(module);
    if (state == NULL)
        return 0;
    Py_VISIT(state->errors);
    Py_VISIT(state->class_for);
    Py_VISIT(state->Notify);
    Py_VISIT(state->Xid);
    Py_VISIT(state->warn_not_committed);
    Py_VISIT(state->warn_discarded);
    Py_VISIT(state->column);
    Py_VISIT(state->connection);
    Py_VISIT(state->cursor);
    Py_VISIT(state->info);
    return imigpy_values_traverse(&state->values, visit, arg);
}

static int
pq_clear(PyObject *module)
{
    pq_state *state = pq_get_state(module);
    if (state == NULL)
        return 0;
    Py_CLEAR(state->errors);
    Py_CLEAR(state->class_for);
    Py_CLEAR(state->Notify);
    Py_CLEAR(state->Xid);
    Py_CLEAR(state->warn_not_committed);
    Py_CLEAR(state->warn_discarded);
    Py_CLEAR(state->column);
    Py_CLEAR(state->connection);
    Py_CLEAR(state->cursor);
    Py_CLEAR(state->info);
    imigpy_values_clear(&state->values);
    return 0;
}

static void
pq_free(void *module)
{
    (void)pq_clear((PyObject *)module);
}

static PyModuleDef_Slot pq_slots[] = {
    {Py_mod_exec, (void *)pq_exec},
#if PY_VERSION_HEX >= 0x030D0000
    /* datetime's C part can be loaded beside another one from 3.13 on. */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef pq_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ibutsu_migrate._pq",
    .m_doc = "PostgreSQL through libpq, in C.",
    .m_size = sizeof(pq_state),
    .m_methods = pq_methods,
    .m_slots = pq_slots,
    .m_traverse = pq_traverse,
    .m_clear = pq_clear,
    .m_free = pq_free,
};

PyMODINIT_FUNC PyInit__pq(void);

PyMODINIT_FUNC
PyInit__pq(void)
{
    return PyModuleDef_Init(&pq_module);
}
