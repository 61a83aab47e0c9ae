/* pq_module.c - the extension `ibutsu_migrate._pq`: the driver over libpq.
 *
 * Multi-phase initialisation, heap types, all state in pq_state. */
#include "pq_state.h"

static PyMethodDef pq_methods[] = {
    {NULL, NULL, 0, NULL},
};

static int
pq_exec(PyObject *module)
{
    if (imigpy_values_init(&pq_get_state(module)->values) < 0)
        return -1;
    return imigpy_values_add(module);
}

static int
pq_traverse(PyObject *module, visitproc visit, void *arg)
{
    pq_state *state = pq_get_state(module);
    return state != NULL ? imigpy_values_traverse(&state->values, visit, arg) : 0;
}

static int
pq_clear(PyObject *module)
{
    pq_state *state = pq_get_state(module);
    if (state != NULL)
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
