/* pq_conn_attr.c - attributes of a connection, and what the server reports of itself.
 */
#include "pq_conn.h"

/* ---- Encodings ---- */

/* PostgreSQL's names that are not Python's, without case, '-' and '_'.
 * Source: PostgreSQL, "Character Set Support"; psycopg2's encodings table. */
static const struct {
    const char *server, *python;
} ENCODINGS[] = {
    {"ABC", "cp1258"},
    {"ALT", "cp866"},
    {"BIG5", "big5"},
    {"EUCCN", "euccn"},
    {"EUCJIS2004", "euc_jis_2004"},
    {"EUCJP", "euc_jp"},
    {"EUCKR", "euc_kr"},
    {"GB18030", "gb18030"},
    {"GBK", "gbk"},
    {"ISO88591", "iso8859_1"},
    {"ISO885913", "iso8859_13"},
    {"ISO885914", "iso8859_14"},
    {"ISO885915", "iso8859_15"},
    {"ISO88592", "iso8859_2"},
    {"ISO88593", "iso8859_3"},
    {"ISO88595", "iso8859_5"},
    {"ISO88596", "iso8859_6"},
    {"ISO88597", "iso8859_7"},
    {"ISO88598", "iso8859_8"},
    {"ISO88599", "iso8859_9"},
    {"JOHAB", "johab"},
    {"KOI8", "koi8_r"},
    {"KOI8R", "koi8_r"},
    {"KOI8U", "koi8_u"},
    {"LATIN1", "iso8859_1"},
    {"LATIN10", "iso8859_16"},
    {"LATIN2", "iso8859_2"},
    {"LATIN3", "iso8859_3"},
    {"LATIN4", "iso8859_4"},
    {"LATIN5", "iso8859_9"},
    {"LATIN6", "iso8859_10"},
    {"LATIN7", "iso8859_13"},
    {"LATIN8", "iso8859_14"},
    {"LATIN9", "iso8859_15"},
    {"MSKANJI", "cp932"},
    {"SHIFTJIS", "cp932"},
    {"SHIFTJIS2004", "shift_jis_2004"},
    {"SJIS", "cp932"},
    {"TCVN", "cp1258"},
    {"UHC", "cp949"},
    {"VSCII", "cp1258"},
    {"WIN", "cp1251"},
    {"WIN1250", "cp1250"},
    {"WIN1251", "cp1251"},
    {"WIN1252", "cp1252"},
    {"WIN1253", "cp1253"},
    {"WIN1254", "cp1254"},
    {"WIN1255", "cp1255"},
    {"WIN1256", "cp1256"},
    {"WIN1257", "cp1257"},
    {"WIN1258", "cp1258"},
    {"WIN866", "cp866"},
    {"WIN874", "cp874"},
    {"WIN949", "cp949"},
};

enum { ENCODING_NAME = 24 };

/* "Shift_JIS" -> "SHIFTJIS" */
static void
plain_name(char *out, const char *name)
{
    size_t n = 0;
    for (; *name != '\0' && n < ENCODING_NAME - 1; name++) {
        if (*name == '-' || *name == '_')
            continue;
        out[n++] = *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
    }
    out[n] = '\0';
}

static void
set_encoding(imigpy_codec *codec, const char *name)
{
    char plain[ENCODING_NAME];
    plain_name(plain, name);
    codec->ascii_server = strcmp(plain, "SQLASCII") == 0;
    codec->py_encoding = NULL;
    if (codec->ascii_server || strcmp(plain, "UTF8") == 0 ||
        strcmp(plain, "UNICODE") == 0)
        return;
    for (size_t i = 0; i < sizeof ENCODINGS / sizeof *ENCODINGS; i++)
        if (strcmp(ENCODINGS[i].server, plain) == 0)
            codec->py_encoding = ENCODINGS[i].python;
    /* EUC_TW and MULE_INTERNAL: no codec, which is an error where one is needed. */
    if (codec->py_encoding == NULL)
        codec->py_encoding = "x-postgresql-without-codec";
}

void
imigpy_conn_read_settings(imigpy_conn *self)
{
    const PGconn *pg = imig_pq_raw(self->pq);
    const char *value;
    if (pg == NULL)
        return;
    if ((value = PQparameterStatus(pg, "client_encoding")) != NULL)
        set_encoding(&self->codec, value);
    if ((value = PQparameterStatus(pg, "standard_conforming_strings")) != NULL)
        self->codec.standard_conforming_strings = strcmp(value, "on") == 0;
    if ((value = PQparameterStatus(pg, "DateStyle")) != NULL)
        self->codec.foreign_datestyle = strncmp(value, "ISO", 3) != 0;
    if ((value = PQparameterStatus(pg, "IntervalStyle")) != NULL)
        self->codec.foreign_intervalstyle = strcmp(value, "postgres") != 0;
}

/* ---- Settings of transactions ---- */

static int
may_change(imigpy_conn *self, const char *what)
{
    if (imigpy_conn_check(self) < 0)
        return -1;
    if (self->busy || self->begun ||
        PQtransactionStatus(imig_pq_raw(self->pq)) != PQTRANS_IDLE) {
        (void)imigpy_raise_named(self->state, "ProgrammingError",
                                 "%s cannot be set within a transaction", what);
        return -1;
    }
    return 0;
}

static PyObject *
get_autocommit(PyObject *conn, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((imigpy_conn *)conn)->autocommit);
}

static int
no_deleting(PyObject *value)
{
    if (value != NULL)
        return 0;
    PyErr_SetString(PyExc_AttributeError, "cannot be deleted");
    return -1;
}

static int
set_autocommit(PyObject *conn, PyObject *value, void *Py_UNUSED(closure))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    int on = no_deleting(value) < 0 ? -1 : PyObject_IsTrue(value);
    if (on < 0 || imigpy_conn_check(self) < 0)
        return -1;
    if (self->autocommit != (on != 0) && may_change(self, "autocommit") < 0)
        return -1;
    self->autocommit = on != 0;
    return 0;
}

static PyObject *
get_pipeline(PyObject *conn, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((imigpy_conn *)conn)->pipeline);
}

/* What is queued already stays so. */
static int
set_pipeline(PyObject *conn, PyObject *value, void *Py_UNUSED(closure))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    int on = no_deleting(value) < 0 ? -1 : PyObject_IsTrue(value);
    if (on < 0 || imigpy_conn_check(self) < 0)
        return -1;
    if (on)
        imigpy_queue_watch(self);
    self->pipeline = on != 0;
    return 0;
}

static const char *const LEVELS[] = {NULL, "READ COMMITTED", "REPEATABLE READ",
                                     "SERIALIZABLE", "READ UNCOMMITTED"};
enum { LEVEL_COUNT = 5 };

/* A level by name, in any case, or by psycopg2's number. Borrowed text or NULL. */
static const char *
level_named(const imigpy_conn *self, PyObject *value)
{
    if (PyUnicode_Check(value)) {
        const char *text = PyUnicode_AsUTF8(value);
        if (text == NULL)
            return NULL;
        for (int i = 1; i < LEVEL_COUNT; i++)
            if (PyOS_stricmp(text, LEVELS[i]) == 0)
                return LEVELS[i];
    } else if (PyLong_Check(value)) {
        long n = PyLong_AsLong(value);
        if (n == -1 && PyErr_Occurred())
            return NULL;
        if (n > 0 && n < LEVEL_COUNT)
            return LEVELS[n];
    }
    (void)imigpy_raise_named(self->state, "ProgrammingError",
                             "%R is not an isolation level", value);
    return NULL;
}

static PyObject *
get_isolation(PyObject *conn, void *Py_UNUSED(closure))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    return Py_NewRef(self->isolation != NULL ? self->isolation : Py_None);
}

static int
set_isolation(PyObject *conn, PyObject *value, void *Py_UNUSED(closure))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    PyObject *level = NULL;
    if (no_deleting(value) < 0 || may_change(self, "isolation_level") < 0)
        return -1;
    if (value != Py_None) {
        const char *name = level_named(self, value);
        if (name == NULL || (level = PyUnicode_FromString(name)) == NULL)
            return -1;
    }
    Py_XSETREF(self->isolation, level);
    return 0;
}

static int *
flag(PyObject *conn, void *closure)
{
    imigpy_conn *self = (imigpy_conn *)conn;
    return strcmp(closure, "deferrable") == 0 ? &self->deferrable : &self->read_only;
}

static PyObject *
get_flag(PyObject *conn, void *closure)
{
    int value = *flag(conn, closure);
    return value == IMIGPY_UNSET ? Py_NewRef(Py_None) : PyBool_FromLong(value);
}

static int
set_flag(PyObject *conn, PyObject *value, void *closure)
{
    int wanted = IMIGPY_UNSET;
    if (no_deleting(value) < 0 || may_change((imigpy_conn *)conn, closure) < 0)
        return -1;
    if (value != Py_None && (wanted = PyObject_IsTrue(value)) < 0)
        return -1;
    *flag(conn, closure) = wanted;
    return 0;
}

/* ---- Types that have an OID of their own in each database ---- */

static PyObject *
get_hstore_oids(PyObject *conn, void *Py_UNUSED(closure))
{
    const imigpy_codec *codec = &((imigpy_conn *)conn)->codec;
    return Py_BuildValue("(II)", codec->hstore_oid, codec->hstore_array_oid);
}

static int
set_hstore_oids(PyObject *conn, PyObject *value, void *Py_UNUSED(closure))
{
    imigpy_codec *codec = &((imigpy_conn *)conn)->codec;
    unsigned int oid, array_oid;
    if (no_deleting(value) < 0)
        return -1;
    if (!PyTuple_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "hstore_oids is a tuple of two integers");
        return -1;
    }
    if (!PyArg_ParseTuple(value, "II;hstore_oids is a tuple of two integers", &oid,
                          &array_oid))
        return -1;
    codec->hstore_oid = oid;
    codec->hstore_array_oid = array_oid;
    return 0;
}

/* ---- Looking ---- */

static PyObject *
get_closed(PyObject *conn, void *Py_UNUSED(closure))
{
    const imigpy_conn *self = (imigpy_conn *)conn;
    if (self->pq != NULL && !self->close_wanted)
        return PyLong_FromLong(imig_pq_is_ours(self->pq) ? 0 : 1);
    return PyLong_FromLong(self->lost ? 2 : 1);
}

static PyObject *
get_list(PyObject *conn, void *closure)
{
    imigpy_conn *self = (imigpy_conn *)conn;
    /* Statements that are queued have not said all yet. */
    if (imigpy_queue_has_news(self) && !self->busy) {
        if (imigpy_conn_enter(self) < 0)
            return NULL;
        int outcome = imigpy_queue_sync(self, NULL);
        imigpy_conn_leave(self);
        if (outcome < 0)
            return NULL;
    }
    PyObject *list = strcmp(closure, "notices") == 0 ? self->notices : self->notifies;
    return Py_NewRef(list != NULL ? list : Py_None);
}

static PyObject *
get_dsn(PyObject *conn, void *Py_UNUSED(closure))
{
    const imigpy_conn *self = (imigpy_conn *)conn;
    return self->dsn != NULL ? Py_NewRef(self->dsn) : PyUnicode_FromString("");
}

static int
set_dsn(PyObject *conn, PyObject *value, void *Py_UNUSED(closure))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    if (no_deleting(value) < 0)
        return -1;
    if (!PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "dsn is str");
        return -1;
    }
    Py_XSETREF(self->dsn, Py_NewRef(value));
    return 0;
}

static PyObject *
get_encoding(PyObject *conn, void *Py_UNUSED(closure))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    if (imigpy_conn_check(self) < 0)
        return NULL;
    const char *name = PQparameterStatus(imig_pq_raw(self->pq), "client_encoding");
    return PyUnicode_FromString(name != NULL ? name : "");
}

static PyObject *
get_info(PyObject *conn, void *Py_UNUSED(closure))
{
    return imigpy_info_new((imigpy_conn *)conn);
}

/* PEP 249, optional: the exceptions as attributes of the connection. */
static PyObject *
get_error(PyObject *conn, void *closure)
{
    return PyObject_GetAttrString(((imigpy_conn *)conn)->state->errors, closure);
}

#define ERROR(name)                                                                    \
    {                                                                                  \
        #name, get_error, NULL, NULL, (char[])                                         \
        {                                                                              \
            #name                                                                      \
        }                                                                              \
    }

PyGetSetDef imigpy_conn_getset[] = {
    {"autocommit", get_autocommit, set_autocommit, "No BEGIN of our own.", NULL},
    {"pipeline", get_pipeline, set_pipeline,
     "Whether execute() may leave statements without rows in a queue.", NULL},
    {"isolation_level", get_isolation, set_isolation,
     "Of the transactions to come; None is the server's default.", NULL},
    {"read_only", get_flag, set_flag,
     "Of the transactions to come; None is the server's default.",
     (char[]){"read_only"}},
    {"deferrable", get_flag, set_flag,
     "Of the transactions to come; None is the server's default.",
     (char[]){"deferrable"}},
    {"hstore_oids", get_hstore_oids, set_hstore_oids,
     "OIDs of hstore and hstore[], whose values are then dicts; 0 is unknown.", NULL},
    {"closed", get_closed, NULL, "0 open, 1 closed, 2 lost.", NULL},
    {"notices", get_list, NULL, "The newest 50 messages of the server.",
     (char[]){"notices"}},
    {"notifies", get_list, NULL, "What NOTIFY sent.", (char[]){"notifies"}},
    {"dsn", get_dsn, set_dsn, "Options of the connection, password hidden.", NULL},
    {"encoding", get_encoding, NULL, "The server's name of client_encoding.", NULL},
    {"info", get_info, NULL, "What is known of session and server.", NULL},
    ERROR(Warning),
    ERROR(Error),
    ERROR(InterfaceError),
    ERROR(DatabaseError),
    ERROR(DataError),
    ERROR(OperationalError),
    ERROR(IntegrityError),
    ERROR(InternalError),
    ERROR(ProgrammingError),
    ERROR(NotSupportedError),
    {NULL, NULL, NULL, NULL, NULL},
};
