/* pq_copy.c - COPY from and to Python's files. */
#include "pq_conn.h"

/* One copy_expert() call. */
typedef struct copy_job {
    imigpy_conn *conn;
    PyObject *cursor;
    const imig_buf *sql;
    PyObject *file;
    Py_ssize_t size;
    /* Of the step that is being waited for: */
    const char *bytes;
    size_t len;
    const char *reason;
    char *row;
} copy_job;

static imig_pq_step
put_step(void *arg, int *want, imig_error *err)
{
    copy_job *job = arg;
    return imig_pq_copy_put(job->conn->pq, job->bytes, job->len, want, err);
}

static imig_pq_step
end_step(void *arg, int *want, imig_error *err)
{
    copy_job *job = arg;
    return imig_pq_copy_end(job->conn->pq, job->reason, want, err);
}

static imig_pq_step
get_step(void *arg, int *want, imig_error *err)
{
    copy_job *job = arg;
    return imig_pq_copy_get(job->conn->pq, &job->row, &job->len, want, err);
}

/* Wait for `step`; 0, or -1 with an exception. */
static int
wait_for(copy_job *job, imigpy_step step)
{
    imig_error err = {0};
    imig_pq_step outcome = imigpy_wait(job->conn, step, job, &err);
    if (outcome == IMIG_PQ_DONE)
        return 0;
    if (outcome == IMIG_PQ_FAILED)
        imigpy_raise_failed(job->conn, job->cursor, &err, job->sql);
    return -1;
}

/* ---- To the server ---- */

/* What file.read() gave, as bytes in the connection's encoding; steals `block`. */
static PyObject *
as_bytes(const copy_job *job, PyObject *block)
{
    const char *encoding = job->conn->codec.py_encoding;
    if (block == NULL || PyBytes_Check(block))
        return block;
    PyObject *bytes = NULL;
    if (PyUnicode_Check(block))
        bytes = PyUnicode_AsEncodedString(block, encoding != NULL ? encoding : "utf-8",
                                          "strict");
    else
        PyErr_Format(PyExc_TypeError, "read() returned %s, not str or bytes",
                     Py_TYPE(block)->tp_name);
    Py_DECREF(block);
    return bytes;
}

/* Feed the file; 0 at its end, -1 with an exception (of the file, or of ours). */
static int
feed(copy_job *job)
{
    for (;;) {
        PyObject *block =
            as_bytes(job, PyObject_CallMethod(job->file, "read", "n", job->size));
        if (block == NULL)
            return -1;
        int outcome = 0;
        job->bytes = PyBytes_AS_STRING(block);
        job->len = (size_t)PyBytes_GET_SIZE(block);
        bool end = job->len == 0;
        if (!end)
            outcome = wait_for(job, put_step);
        Py_DECREF(block);
        if (end || outcome < 0)
            return outcome;
    }
}

/* The file failed: tell the server, and keep the exception. */
static void
give_up(copy_job *job)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    job->reason = "error in the file's read()";
    if (imig_pq_get_phase(job->conn->pq) == IMIG_PQ_COPY_IN &&
        wait_for(job, end_step) == 0) {
        PGresult *pg = imigpy_conn_finish(job->conn, job->cursor, job->sql);
        PQclear(pg);
    }
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
}

static PGresult *
copy_in(copy_job *job)
{
    job->conn->state->round_trips++;
    if (feed(job) < 0) {
        give_up(job);
        return NULL;
    }
    job->reason = NULL;
    if (wait_for(job, end_step) < 0)
        return NULL;
    return imigpy_conn_finish(job->conn, job->cursor, job->sql);
}

/* ---- From the server ---- */

/* Whether the file wants str: as psycopg2, io.TextIOBase does. */
static int
wants_text(PyObject *file)
{
    PyObject *io = PyImport_ImportModule("io");
    PyObject *text = io != NULL ? PyObject_GetAttrString(io, "TextIOBase") : NULL;
    int answer = text != NULL ? PyObject_IsInstance(file, text) : -1;
    Py_XDECREF(text);
    Py_XDECREF(io);
    return answer;
}

static int
write_row(const copy_job *job, bool text)
{
    const imigpy_codec *codec = &job->conn->codec;
    const char *encoding = codec->py_encoding != NULL ? codec->py_encoding : "utf-8";
    PyObject *row =
        text ? PyUnicode_Decode(job->row, (Py_ssize_t)job->len, encoding, "strict")
             : PyBytes_FromStringAndSize(job->row, (Py_ssize_t)job->len);
    PyObject *done =
        row != NULL ? PyObject_CallMethod(job->file, "write", "O", row) : NULL;
    Py_XDECREF(row);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

static PGresult *
copy_out(copy_job *job)
{
    int text = wants_text(job->file);
    int outcome = text < 0 ? -1 : 0;
    while (outcome == 0 && imig_pq_get_phase(job->conn->pq) == IMIG_PQ_COPY_OUT) {
        outcome = wait_for(job, get_step);
        if (outcome == 0 && job->row != NULL) {
            outcome = write_row(job, text != 0);
            job->conn->state->rows++;
        }
        PQfreemem(job->row);
        job->row = NULL;
    }
    if (outcome < 0) {
        /* The file failed, or Ctrl-C came within write(): the rest is of no use. */
        if (imig_pq_get_phase(job->conn->pq) != IMIG_PQ_READY)
            imigpy_stop(job->conn, IMIGPY_SKIP_MS);
        return NULL;
    }
    return imigpy_conn_finish(job->conn, job->cursor, job->sql);
}

/* ---- The call ---- */

/* Run it between enter and leave: the final result, or NULL with an exception. */
static PGresult *
run(copy_job *job)
{
    PGresult *pg = NULL;
    int copying = imigpy_conn_start_copy(job->conn, job->cursor, job->sql, &pg);
    if (copying < 0)
        return NULL;
    if (copying == 0) {
        PQclear(pg);
        return (PGresult *)(void *)imigpy_raise_named(
            job->conn->state, "ProgrammingError",
            "copy_expert() needs COPY ... FROM STDIN or COPY ... TO STDOUT");
    }
    return imig_pq_get_phase(job->conn->pq) == IMIG_PQ_COPY_IN ? copy_in(job)
                                                               : copy_out(job);
}

PyObject *
imigpy_cursor_copy_expert(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"sql", "file", "size", NULL};
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    imig_buf sql = IMIG_BUF_INIT;
    copy_job job = {.conn = self->conn, .cursor = cursor, .sql = &sql, .size = 65536};
    PyObject *text;
    PGresult *pg = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|n:copy_expert",
                                     IMIGPY_NAMES(names), &text, &job.file, &job.size))
        return NULL;
    if (imigpy_cursor_check(self) < 0)
        return NULL;
    if (imigpy_cursor_merge(self, &sql, text, NULL) == 0 &&
        imigpy_conn_enter(self->conn) == 0) {
        imigpy_cursor_reset(self);
        pg = run(&job);
        imigpy_conn_leave(self->conn);
    }
    imig_buf_clear(&sql);
    if (pg == NULL)
        return NULL;
    int outcome = imigpy_cursor_adopt(self, pg);
    if (outcome < 0)
        return NULL;
    Py_RETURN_NONE;
}
