/* pq_cursor_many.c - executemany(): as execute() in a loop, but for the waiting.
 *
 * Within a transaction the statements are one segment of a pipeline, merged with their
 * values as ever.  A statement that is parsed once for all is not what psycopg2 sends:
 * a bound parameter has no type where a literal has one, and the reverse. */
#include "pq_conn.h"

/* More than may be without an answer at a time. */
enum { RING = 2 * IMIG_PQ_MOST_QUEUED };
/* Statements between looks at socket and signals. */
enum { STRIDE = 32 };

typedef struct many {
    imigpy_cursor *cursor;
    PyObject *sql;
    imigpy_pending *ring[RING]; /* queued, oldest at `first` */
    size_t first, count;
    imigpy_pending *last; /* that was done; held */
    Py_ssize_t total;     /* rows that were changed; -1: none told */
    Py_ssize_t tried;     /* parameter sets so far */
    Py_ssize_t done;      /* ... of which it is known that all went well */
} many;

static void
add_rows(many *m, Py_ssize_t rows)
{
    if (rows >= 0)
        m->total = (m->total > 0 ? m->total : 0) + rows;
    m->done++;
}

/* Take the oldest outcomes over. */
static void
settle(many *m)
{
    while (m->count > 0 && m->ring[m->first]->fate != IMIGPY_QUEUED) {
        imigpy_pending *p = m->ring[m->first];
        m->first = (m->first + 1) % RING;
        m->count--;
        if (p->fate == IMIGPY_DONE) {
            add_rows(m, p->rowcount);
            imigpy_pending_release(m->last);
            m->last = p;
        } else {
            imigpy_pending_release(p);
        }
    }
}

/* Await what is queued. The exception that is raised stays, unless a statement failed
 * that was before it. */
static int
await(many *m)
{
    imigpy_conn *conn = m->cursor->conn;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int outcome = 0;
    if (m->count > 0 && conn->pq != NULL && imigpy_queue_is_busy(conn)) {
        outcome = imigpy_conn_enter(conn);
        if (outcome == 0) {
            outcome = imigpy_queue_sync(conn, (PyObject *)m->cursor);
            imigpy_conn_leave(conn);
        }
    }
    settle(m);
    if (outcome == 0) {
        PyErr_Restore(type, value, traceback);
        return type == NULL ? 0 : -1;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return -1;
}

/* Which parameters they were, as a note on the exception. */
static void
name_parameters(const many *m)
{
    PyObject *type, *error, *traceback;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *note =
        PyUnicode_FromFormat("executemany(): parameter set %zd", m->done + 1);
    PyObject *added =
        note != NULL ? PyObject_CallMethod(error, "add_note", "O", note) : NULL;
    if (added == NULL)
        PyErr_Clear(); /* the error itself matters more */
    Py_XDECREF(added);
    Py_XDECREF(note);
    PyErr_Restore(type, error, traceback);
}

/* Queue a statement: 1, 0 where it is not one to be queued, -1. */
static int
enqueue(many *m, const imig_buf *text)
{
    imigpy_conn *conn = m->cursor->conn;
    imig_sql_facts facts;
    if (imigpy_conn_enter(conn) < 0)
        return -1;
    imig_sql_look(&facts, text->data, text->len,
                  conn->codec.standard_conforming_strings);
    int outcome = imigpy_queue_may_batch(conn, &facts) ? 1 : 0;
    PyObject *query = NULL;
    imigpy_pending *p = NULL;
    if (outcome == 1) {
        query = PyBytes_FromStringAndSize(text->data, (Py_ssize_t)text->len);
        p = query != NULL ? imigpy_queue_add_one(conn, query, ++m->tried % STRIDE == 0)
                          : NULL;
        outcome = p != NULL ? 1 : -1;
    }
    Py_XDECREF(query);
    imigpy_conn_leave(conn);
    if (p != NULL) {
        m->ring[(m->first + m->count) % RING] = p;
        m->count++;
    }
    settle(m);
    return outcome;
}

static int
run_each(many *m, PyObject *params)
{
    imig_buf text = IMIG_BUF_INIT;
    int outcome = imigpy_cursor_check(m->cursor);
    if (outcome == 0)
        outcome = imigpy_cursor_merge(m->cursor, &text, m->sql, params);
    if (outcome == 0)
        outcome = enqueue(m, &text);
    imig_buf_clear(&text);
    if (outcome != 0)
        return outcome < 0 ? -1 : 0;
    if (await(m) < 0 || imigpy_cursor_run(m->cursor, m->sql, params) < 0)
        return -1;
    add_rows(m, m->cursor->rowcount);
    imigpy_pending_release(m->last);
    m->last = NULL;
    return 0;
}

/* What the cursor says afterwards is of the last statement, but for the count. */
static int
report(many *m)
{
    imigpy_cursor *self = m->cursor;
    /* PEP 249 leaves rows of executemany undefined; as psycopg2, there are none. */
    imigpy_result *result = self->result;
    self->result = NULL;
    imigpy_result_release(result);
    self->rowcount = m->total;
    if (m->last == NULL)
        return 0;
    PyObject *status = PyUnicode_FromString(m->last->tag);
    if (status == NULL)
        return -1;
    Py_XSETREF(self->status, status);
    Py_XSETREF(self->query, Py_NewRef(m->last->query));
    return 0;
}

static int
run_all(many *m, PyObject *each)
{
    PyObject *params;
    int outcome = 0;
    while (outcome == 0 && (params = PyIter_Next(each)) != NULL) {
        outcome = run_each(m, params);
        Py_DECREF(params);
    }
    if (await(m) < 0) {
        name_parameters(m);
        return -1;
    }
    return report(m);
}

PyObject *
imigpy_cursor_executemany(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"sql", "seq_of_params", NULL};
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    PyObject *sql, *all;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:executemany",
                                     IMIGPY_NAMES(names), &sql, &all))
        return NULL;
    if (imigpy_cursor_check(self) < 0 ||
        imigpy_cursor_check_plain(self, "executemany") < 0)
        return NULL;
    imigpy_cursor_reset(self);
    PyObject *each = PyObject_GetIter(all);
    many *m = PyMem_Calloc(1, sizeof *m);
    int outcome = -1;
    if (m == NULL && each != NULL)
        PyErr_NoMemory();
    if (m != NULL && each != NULL) {
        m->cursor = self;
        m->sql = sql;
        m->total = -1;
        outcome = run_all(m, each);
    }
    Py_XDECREF(each);
    for (; m != NULL && m->count > 0; m->count--, m->first = (m->first + 1) % RING)
        imigpy_pending_release(m->ring[m->first]);
    if (m != NULL)
        imigpy_pending_release(m->last);
    PyMem_Free(m);
    if (outcome < 0)
        return NULL;
    Py_RETURN_NONE;
}
