/* pq_values.c - what the conversions need of other modules. */
#include "pq_datetime.h"

typedef struct import_line {
    size_t offset; /* of the reference in imigpy_values */
    const char *module;
    const char *name;
} import_line;

#define LINE(member, module) {offsetof(imigpy_values, member), module, #member}

static const import_line imports[] = {
    LINE(Decimal, "decimal"),
    LINE(UUID, "uuid"),
    {offsetof(imigpy_values, json_loads), "json", "loads"},
    LINE(Range, "ibutsu_migrate.engine.ranges"),
    LINE(Multirange, "ibutsu_migrate.engine.ranges"),
    LINE(simplify, "ibutsu_migrate.engine.adapt"),
    LINE(DataError, "ibutsu_migrate.errors"),
    LINE(ProgrammingError, "ibutsu_migrate.errors"),
    LINE(NotSupportedError, "ibutsu_migrate.errors"),
};

static const char *const names[IMIGPY_NAMES] = {
    [IMIGPY_NAME_INT] = "int",     [IMIGPY_NAME_LOWER] = "lower",
    [IMIGPY_NAME_UPPER] = "upper", [IMIGPY_NAME_BOUNDS] = "bounds",
    [IMIGPY_NAME_EMPTY] = "empty", [IMIGPY_NAME_OFFSET] = "utcoffset",
};

#define IMPORTS (sizeof imports / sizeof *imports)

static PyObject **
member(imigpy_values *v, const import_line *line)
{
    return (PyObject **)(void *)((char *)v + line->offset);
}

static int
import_one(PyObject **out, const import_line *line)
{
    PyObject *module = PyImport_ImportModule(line->module);
    if (module == NULL)
        return -1;
    *out = PyObject_GetAttrString(module, line->name);
    Py_DECREF(module);
    return *out != NULL ? 0 : -1;
}

/* A descriptor through which a slot of UUID objects is set. */
static int
import_uuid_slot(PyObject **out, PyObject *class, const char *name)
{
    *out = PyObject_GetAttrString(class, name);
    if (*out == NULL)
        return -1;
    if (Py_TYPE(*out)->tp_descr_set != NULL)
        return 0;
    PyErr_Format(PyExc_ImportError, "uuid.UUID.%s is no slot", name);
    return -1;
}

/* What UUID objects are made with, see make_uuid. */
static int
import_uuid(imigpy_values *v)
{
    PyObject *safe = NULL;
    const import_line line = {0, "uuid", "SafeUUID"};
    if (import_uuid_slot(&v->uuid_int, v->UUID, "int") < 0 ||
        import_uuid_slot(&v->uuid_is_safe, v->UUID, "is_safe") < 0 ||
        import_one(&safe, &line) < 0)
        return -1;
    v->uuid_unknown = PyObject_GetAttrString(safe, "unknown");
    Py_DECREF(safe);
    v->no_args = PyTuple_New(0);
    return v->uuid_unknown != NULL && v->no_args != NULL ? 0 : -1;
}

int
imigpy_values_init(imigpy_values *v)
{
    for (size_t i = 0; i < IMPORTS; i++) {
        if (import_one(member(v, &imports[i]), &imports[i]) < 0)
            return -1;
    }
    for (size_t i = 0; i < IMIGPY_NAMES; i++) {
        v->names[i] = PyUnicode_InternFromString(names[i]);
        if (v->names[i] == NULL)
            return -1;
    }
    if (import_uuid(v) < 0)
        return -1;
    v->datetime = PyCapsule_Import(PyDateTime_CAPSULE_NAME, 0);
    return v->datetime != NULL ? 0 : -1;
}

int
imigpy_values_traverse(imigpy_values *v, visitproc visit, void *arg)
{
    for (size_t i = 0; i < IMPORTS; i++)
        Py_VISIT(*member(v, &imports[i]));
    for (size_t i = 0; i < IMIGPY_NAMES; i++)
        Py_VISIT(v->names[i]);
    Py_VISIT(v->uuid_int);
    Py_VISIT(v->uuid_is_safe);
    Py_VISIT(v->uuid_unknown);
    Py_VISIT(v->no_args);
    Py_VISIT(v->last_zone);
    return 0;
}

void
imigpy_values_clear(imigpy_values *v)
{
    for (size_t i = 0; i < IMPORTS; i++)
        Py_CLEAR(*member(v, &imports[i]));
    for (size_t i = 0; i < IMIGPY_NAMES; i++)
        Py_CLEAR(v->names[i]);
    Py_CLEAR(v->uuid_int);
    Py_CLEAR(v->uuid_is_safe);
    Py_CLEAR(v->uuid_unknown);
    Py_CLEAR(v->no_args);
    Py_CLEAR(v->last_zone);
    v->datetime = NULL;
}

void
imigpy_codec_init(imigpy_codec *c, imigpy_values *values)
{
    *c = (imigpy_codec){.values = values, .standard_conforming_strings = true};
}
