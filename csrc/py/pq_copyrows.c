/* pq_copyrows.c - rows that are Python objects, through COPY.
 *
 * engine/bulk.py asks the catalogue and writes the COPY statement; here each value is
 * looked at on its way.  The first that INSERT might store differently ends it all: the
 * COPY is made to fail, and the caller inserts as if nothing had been tried. */
#include "pq_conn.h"

#include <time.h>

#include "imig_alloc.h"
#include "pq_copyfit.h"

enum {
    CHUNK = 65536,       /* bytes that are sent at a time */
    TURN = 8 * CHUNK,    /* ... and looked at between two looks around */
    LONGEST = 0x3fffffff /* of a row: PostgreSQL's MaxAllocSize */
};

typedef struct rows_job {
    imigpy_copy copy;
    imigpy_writer writer; /* writer.utf8: rows that were not sent yet */
    imigpy_target *targets;
    Py_ssize_t count;
    PyObject *rows; /* list or tuple */
    bool looking;   /* nothing is sent */
    size_t looked;  /* bytes since others had their turn */
    Py_ssize_t sent;
} rows_job;

/* Outcomes of a value, a row, all rows; -1 is an exception. */
enum { UNFIT = 0, FIT = 1 };

/* Out of what a value raised: an exception that stays, or UNFIT, since INSERT will
 * raise it again with the words it has for it. */
static int
judge(void)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception) ||
        PyErr_ExceptionMatches(PyExc_MemoryError))
        return -1;
    PyErr_Clear();
    return UNFIT;
}

static int
add_value(rows_job *job, const imigpy_target *target, PyObject *value)
{
    imigpy_writer *w = &job->writer;
    const imigpy_form *form = imigpy_adapt(w, value);
    if (form == NULL)
        return judge();
    const int fits = imigpy_copy_fits(w, form, value, target);
    if (fits != FIT)
        return fits < 0 ? judge() : UNFIT;
    return imigpy_write_copy(w, form, value) < 0 ? judge() : FIT;
}

/* A value of a row, new reference; NULL with or without an exception: there is none. */
static PyObject *
pick(PyObject *row, const imigpy_target *target, Py_ssize_t index)
{
    if (target->key != NULL) {
        PyObject *value =
            PyDict_CheckExact(row) ? PyDict_GetItemWithError(row, target->key) : NULL;
        return Py_XNewRef(value);
    }
    if (PyTuple_CheckExact(row) && index < PyTuple_GET_SIZE(row))
        return Py_NewRef(PyTuple_GET_ITEM(row, index));
    if (PyList_CheckExact(row) && index < PyList_GET_SIZE(row))
        return Py_NewRef(PyList_GET_ITEM(row, index));
    return NULL;
}

/* The placeholders of a statement are as many as the values of a row that is none of
 * names; Python code may run between the values. */
static bool
is_whole(const rows_job *job, PyObject *row)
{
    return job->targets[0].key != NULL || Py_SIZE(row) == job->count;
}

static int
add_row(rows_job *job, PyObject *row)
{
    for (Py_ssize_t i = 0; i < job->count; i++) {
        if (i > 0)
            imig_buf_byte(&job->writer.utf8, '\t');
        PyObject *value = pick(row, &job->targets[i], i);
        if (value == NULL)
            return PyErr_Occurred() ? judge() : UNFIT;
        const int fits = add_value(job, &job->targets[i], value);
        Py_DECREF(value);
        if (fits != FIT)
            return fits;
    }
    imig_buf_byte(&job->writer.utf8, '\n');
    if (job->writer.utf8.failed) {
        PyErr_NoMemory();
        return -1;
    }
    return is_whole(job, row) ? FIT : UNFIT;
}

/* While nothing is waited for: signals, and other threads.  Those need time to wake up:
 * the GIL let go and taken back at once is only news to them that it is taken. */
static int
give_way(rows_job *job, size_t len)
{
    static const struct timespec SHORT = {.tv_nsec = 50000};
    if ((job->looked += len) < TURN)
        return 0;
    job->looked = 0;
    Py_BEGIN_ALLOW_THREADS
        nanosleep(&SHORT, NULL);
    Py_END_ALLOW_THREADS
    return PyErr_CheckSignals();
}

/* 0, or -1 with an exception, of a signal's handler too. */
static int
send_chunk(rows_job *job)
{
    imig_buf *chunk = &job->writer.utf8;
    int done = 0;
    if (job->looking)
        done = give_way(job, chunk->len);
    else if (chunk->len != 0)
        done = imigpy_copy_put(&job->copy, chunk->data, chunk->len);
    chunk->len = 0;
    return done;
}

/* The size is asked each time: adapting a value may run code that changes the list. */
static int
feed(rows_job *job)
{
    PyObject *rows = job->rows;
    for (job->sent = 0; job->sent < Py_SIZE(rows); job->sent++) {
        PyObject *row =
            Py_NewRef(PyList_Check(rows) ? PyList_GET_ITEM(rows, job->sent)
                                         : PyTuple_GET_ITEM(rows, job->sent));
        const int fits = add_row(job, row);
        Py_DECREF(row);
        if (fits != FIT)
            return fits;
        if (job->writer.utf8.len > LONGEST)
            return UNFIT;
        if (job->writer.utf8.len >= CHUNK && send_chunk(job) < 0)
            return -1;
    }
    return send_chunk(job) < 0 ? -1 : FIT;
}

/* What copy_rows() without a statement does: FIT if all rows do. */
static int
look_at_all(rows_job *job)
{
    job->looking = true;
    return feed(job);
}

/* Between enter and leave. FIT with *pg, the outcome of the last command. */
static int
run(rows_job *job, PGresult **pg)
{
    imigpy_copy *copy = &job->copy;
    const int copying = imigpy_conn_start_copy(copy->conn, copy->cursor, copy->sql, pg);
    if (copying < 0)
        return -1;
    if (copying == 0 || imig_pq_get_phase(copy->conn->pq) != IMIG_PQ_COPY_IN) {
        if (copying != 0)
            imigpy_stop(copy->conn, IMIGPY_SKIP_MS);
        (void)imigpy_raise_named(copy->conn->state, "ProgrammingError",
                                 "copy_rows() needs COPY ... FROM STDIN");
        return -1;
    }
    copy->conn->state->round_trips++;
    const int fits = feed(job);
    if (fits != FIT) {
        imigpy_copy_give_up(copy, "a value that INSERT treats otherwise");
        return PyErr_Occurred() ? -1 : fits;
    }
    *pg = imigpy_copy_end(copy);
    return *pg != NULL ? FIT : -1;
}

/* ---- The call ---- */

static int
read_target(imigpy_target *target, PyObject *item)
{
    PyObject *key;
    int cast;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError,
                        "a target is (key, type, element, whether cast)");
        return -1;
    }
    if (!PyArg_ParseTuple(item, "OIIp;a target is (key, type, element, whether cast)",
                          &key, &target->type, &target->element, &cast))
        return -1;
    target->key = key != Py_None ? key : NULL;
    target->cast = cast != 0;
    return 0;
}

/* job->targets from a tuple, which the caller holds. */
static int
read_targets(rows_job *job, PyObject *targets)
{
    job->count = PyTuple_GET_SIZE(targets);
    if (job->count == 0) {
        PyErr_SetString(PyExc_ValueError, "no columns to copy to");
        return -1;
    }
    job->targets = imig_alloc_array((size_t)job->count, sizeof *job->targets);
    if (job->targets == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < job->count; i++)
        if (read_target(&job->targets[i], PyTuple_GET_ITEM(targets, i)) < 0)
            return -1;
    return 0;
}

/* What the cursor says afterwards: as after executemany() of an INSERT. */
static int
report(imigpy_cursor *self, Py_ssize_t rows)
{
    self->status = PyUnicode_FromFormat("COPY %zd", rows);
    self->rowcount = rows;
    return self->status != NULL ? 0 : -1;
}

/* In other encodings a backslash may be the second half of a character. */
static int
check_encoding(const imigpy_conn *conn)
{
    if (conn->codec.py_encoding == NULL && !conn->codec.ascii_server)
        return 0;
    (void)imigpy_raise_named(conn->state, "NotSupportedError",
                             "copy_rows() needs a connection whose client_encoding is "
                             "UTF8; use executemany()");
    return -1;
}

static int
copy_rows(imigpy_cursor *self, rows_job *job)
{
    PGresult *pg = NULL;
    if (check_encoding(self->conn) < 0 || imigpy_conn_enter(self->conn) < 0)
        return -1;
    imigpy_cursor_reset(self);
    const int fits = run(job, &pg);
    PQclear(pg);
    imigpy_conn_leave(self->conn);
    if (fits == FIT && report(self, job->sent) < 0)
        return -1;
    return fits;
}

PyObject *
imigpy_cursor_copy_rows(PyObject *cursor, PyObject *args)
{
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    imig_buf sql = IMIG_BUF_INIT;
    PyObject *text, *targets;
    rows_job job = {.copy = {.conn = self->conn, .cursor = cursor, .sql = &sql},
                    .writer = IMIGPY_WRITER_INIT(&self->conn->codec)};
    int outcome = -1;
    if (!PyArg_ParseTuple(args, "OO!O:copy_rows", &text, &PyTuple_Type, &targets,
                          &job.rows))
        return NULL;
    if (!PyList_Check(job.rows) && !PyTuple_Check(job.rows))
        return PyErr_Format(PyExc_TypeError, "rows is a list or a tuple, not %s",
                            Py_TYPE(job.rows)->tp_name);
    if (imigpy_cursor_check(self) < 0 ||
        imigpy_cursor_check_plain(self, "copy_rows") < 0)
        return NULL;
    if (read_targets(&job, targets) == 0) {
        if (text == Py_None)
            outcome = look_at_all(&job);
        else if (imigpy_cursor_merge(self, &sql, text, NULL) == 0)
            outcome = copy_rows(self, &job);
    }
    imig_free(job.targets);
    imigpy_writer_clear(&job.writer);
    imig_buf_clear(&sql);
    if (outcome < 0)
        return NULL;
    return outcome == FIT ? PyLong_FromSsize_t(job.sent) : Py_NewRef(Py_None);
}
