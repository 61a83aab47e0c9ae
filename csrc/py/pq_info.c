/* pq_info.c - ConnectionInfo: what is known of the session, without asking. */
#include "pq_conn.h"

typedef struct info_object {
    PyObject_HEAD imigpy_conn *conn;
} info_object;

PyObject *
imigpy_info_new(imigpy_conn *conn)
{
    PyTypeObject *type = conn->state->info;
    info_object *self = (info_object *)type->tp_alloc(type, 0);
    if (self != NULL)
        self->conn = (imigpy_conn *)Py_NewRef(conn);
    return (PyObject *)self;
}

/* No tp_clear: a cycle through the connection is broken by what that holds itself. */
static int
info_traverse(info_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->conn);
    return 0;
}

static void
info_dealloc(info_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->conn);
    type->tp_free(self);
    Py_DECREF(type);
}

/* libpq's connection for looking, or NULL with InterfaceError. */
static const PGconn *
look(PyObject *info)
{
    imigpy_conn *conn = ((info_object *)info)->conn;
    return imigpy_conn_check(conn) == 0 ? imig_pq_raw(conn->pq) : NULL;
}

/* PQTRANS_UNKNOWN on a closed connection: asking is no error. */
static PyObject *
get_transaction_status(PyObject *info, void *Py_UNUSED(closure))
{
    const imigpy_conn *conn = ((info_object *)info)->conn;
    if (conn->pq == NULL || imig_pq_raw(conn->pq) == NULL)
        return PyLong_FromLong(PQTRANS_UNKNOWN);
    /* libpq would say that it is active; what is queued is queued in a transaction. */
    if (imigpy_queue_is_open(conn))
        return PyLong_FromLong(conn->queue.failed != NULL ? PQTRANS_INERROR
                                                          : PQTRANS_INTRANS);
    return PyLong_FromLong(PQtransactionStatus(imig_pq_raw(conn->pq)));
}

static PyObject *
get_number(PyObject *info, void *closure)
{
    const PGconn *pg = look(info);
    if (pg == NULL)
        return NULL;
    if (strcmp(closure, "server_version") == 0)
        return PyLong_FromLong(PQserverVersion(pg));
    if (strcmp(closure, "protocol_version") == 0)
        return PyLong_FromLong(PQprotocolVersion(pg));
    return PyLong_FromLong(PQbackendPID(pg));
}

static PyObject *
get_text(PyObject *info, void *closure)
{
    static const struct {
        const char *name;
        char *(*look)(const PGconn *);
    } TEXTS[] = {
        {"host", PQhost}, {"hostaddr", PQhostaddr}, {"port", PQport},
        {"dbname", PQdb}, {"user", PQuser},         {"options", PQoptions},
    };
    const PGconn *pg = look(info);
    const char *text = NULL;
    if (pg == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        if (strcmp(closure, TEXTS[i].name) == 0)
            text = TEXTS[i].look(pg);
    return PyUnicode_DecodeUTF8(text != NULL ? text : "",
                                text != NULL ? (Py_ssize_t)strlen(text) : 0, "replace");
}

static PyObject *
get_ssl(PyObject *info, void *Py_UNUSED(closure))
{
    imigpy_conn *conn = ((info_object *)info)->conn;
    if (look(info) == NULL)
        return NULL;
    return PyBool_FromLong(PQsslInUse(imig_pq_raw(conn->pq)));
}

PyDoc_STRVAR(parameter_status_doc, "parameter_status($self, name, /)\n--\n\n"
                                   "A setting that the server reports, or None.");

static PyObject *
info_parameter_status(PyObject *info, PyObject *name)
{
    const char *key = PyUnicode_AsUTF8(name);
    const PGconn *pg = key != NULL ? look(info) : NULL;
    if (pg == NULL)
        return NULL;
    const char *value = PQparameterStatus(pg, key);
    if (value == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(value, (Py_ssize_t)strlen(value), "replace");
}

static PyMethodDef info_methods[] = {
    {"parameter_status", info_parameter_status, METH_O, parameter_status_doc},
    {NULL, NULL, 0, NULL},
};

#define TEXT(name, doc)                                                                \
    {                                                                                  \
        #name, get_text, NULL, doc, (char[])                                           \
        {                                                                              \
            #name                                                                      \
        }                                                                              \
    }
#define NUMBER(name, doc)                                                              \
    {                                                                                  \
        #name, get_number, NULL, doc, (char[])                                         \
        {                                                                              \
            #name                                                                      \
        }                                                                              \
    }

static PyGetSetDef info_getset[] = {
    {"transaction_status", get_transaction_status, NULL, "libpq's PQTRANS_ number.",
     NULL},
    {"ssl_in_use", get_ssl, NULL, "Whether the connection is encrypted by TLS.", NULL},
    NUMBER(server_version, "150004 is 15.4."),
    NUMBER(protocol_version, "3."),
    NUMBER(backend_pid, "Process of the server."),
    TEXT(host, "Name or socket folder."),
    TEXT(hostaddr, "Numeric address."),
    TEXT(port, "Port, as text."),
    TEXT(dbname, "Database."),
    TEXT(user, "User."),
    TEXT(options, "Command-line options given to the server."),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot info_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"What is known of session and server."},
    {Py_tp_dealloc, (void *)info_dealloc},
    {Py_tp_traverse, (void *)info_traverse},
    {Py_tp_methods, info_methods},
    {Py_tp_getset, info_getset},
    {0, NULL},
};

static PyType_Spec info_spec = {
    .name = "ibutsu_migrate._pq.ConnectionInfo",
    .basicsize = sizeof(info_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = info_slots,
};

int
imigpy_info_setup(PyObject *module)
{
    pq_state *state = pq_get_state(module);
    state->info = (PyTypeObject *)PyType_FromModuleAndSpec(module, &info_spec, NULL);
    if (state->info == NULL)
        return -1;
    return PyModule_AddType(module, state->info);
}
