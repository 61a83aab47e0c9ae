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
    [IMIGPY_NAME_INT] = "int",          [IMIGPY_NAME_IS_SAFE] = "is_safe",
    [IMIGPY_NAME_LOWER] = "lower",      [IMIGPY_NAME_UPPER] = "upper",
    [IMIGPY_NAME_BOUNDS] = "bounds",    [IMIGPY_NAME_EMPTY] = "empty",
    [IMIGPY_NAME_OFFSET] = "utcoffset",
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

/* uuid.SafeUUID.unknown, which UUID objects made without uuid.UUID() need too. */
static int
import_uuid_safety(imigpy_values *v)
{
    PyObject *safe = NULL;
    const import_line line = {0, "uuid", "SafeUUID"};
    if (import_one(&safe, &line) < 0)
        return -1;
    v->uuid_safety = PyObject_GetAttrString(safe, "unknown");
    Py_DECREF(safe);
    return v->uuid_safety != NULL ? 0 : -1;
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
    if (import_uuid_safety(v) < 0)
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
    Py_VISIT(v->uuid_safety);
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
    Py_CLEAR(v->uuid_safety);
    Py_CLEAR(v->last_zone);
    v->datetime = NULL;
}

void
imigpy_codec_init(imigpy_codec *c, imigpy_values *values)
{
    *c = (imigpy_codec){.values = values, .standard_conforming_strings = true};
}
