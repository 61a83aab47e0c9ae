/* core_module.c - the extension `ibutsu_migrate._core`: scanner and revision graph.
 *
 * Multi-phase initialisation, heap types, all state in core_state. */
#include "core_graph.h"
#include "core_scan.h"
#include "core_sql.h"
#include "core_state.h"

PyDoc_STRVAR(counters_doc, "counters()\n--\n\n"
                           "What this module has done since it was loaded, by name.");

static PyObject *
core_counters(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    const core_state *state = core_get_state(module);
    return Py_BuildValue("{s:K,s:K,s:K,s:K}", "files_scanned", state->files_scanned,
                         "files_not_static", state->files_not_static, "graphs_built",
                         state->graphs_built, "plans_made", state->plans_made);
}

static PyMethodDef core_methods[] = {
    {"counters", core_counters, METH_NOARGS, counters_doc},
    {NULL, NULL, 0, NULL},
};

static int
core_exec(PyObject *module)
{
    if (imigpy_scan_setup(module) < 0)
        return -1;
    if (imigpy_sql_setup(module) < 0)
        return -1;
    return imigpy_graph_setup(module);
}

static int
core_traverse(PyObject *module, visitproc visit, void *arg)
{
    core_state *state = core_get_state(module);
    if (state != NULL)
        Py_VISIT(state->not_static);
    return 0;
}

static int
core_clear(PyObject *module)
{
    core_state *state = core_get_state(module);
    if (state != NULL)
        Py_CLEAR(state->not_static);
    return 0;
}

static void
core_free(void *module)
{
    (void)core_clear((PyObject *)module);
}

static PyModuleDef_Slot core_slots[] = {
    {Py_mod_exec, (void *)core_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ibutsu_migrate._core",
    .m_doc = "Revision files and revision graph in C.",
    .m_size = sizeof(core_state),
    .m_methods = core_methods,
    .m_slots = core_slots,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
