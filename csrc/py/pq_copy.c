/* pq_copy.c - COPY from and to Python's files. */
#include "pq_conn.h"

/* One copy_expert() call. */
typedef struct copy_job {
    imigpy_copy copy;
    PyObject *file;
    Py_ssize_t size;
    char *row; /* of the step that is being waited for */
    size_t len;
} copy_job;

/* ---- Steps ---- */

static imig_pq_step
put_step(void *arg, int *want, imig_error *err)
{
    const imigpy_copy *copy = arg;
    return imig_pq_copy_put(copy->conn->pq, copy->bytes, copy->len, want, err);
}

static imig_pq_step
end_step(void *arg, int *want, imig_error *err)
{
    const imigpy_copy *copy = arg;
    return imig_pq_copy_end(copy->conn->pq, copy->reason, want, err);
}

static imig_pq_step
get_step(void *arg, int *want, imig_error *err)
{
    copy_job *job = arg;
    return imig_pq_copy_get(job->copy.conn->pq, &job->row, &job->len, want, err);
}

/* Wait for `step`; 0, or -1 with an exception. */
static int
wait_for(const imigpy_copy *copy, imigpy_step step, void *arg)
{
    imig_error err = {0};
    imig_pq_step outcome = imigpy_wait(copy->conn, step, arg, &err);
    if (outcome == IMIG_PQ_DONE)
        return 0;
    if (outcome == IMIG_PQ_FAILED)
        imigpy_raise_failed(copy->conn, copy->cursor, &err, copy->sql);
    return -1;
}

int
imigpy_copy_put(imigpy_copy *copy, const char *bytes, size_t len)
{
    copy->bytes = bytes;
    copy->len = len;
    if (wait_for(copy, put_step, copy) < 0)
        return -1;
    if (imig_pq_get_phase(copy->conn->pq) == IMIG_PQ_COPY_IN)
        return 0;
    PGresult *pg = imigpy_conn_finish(copy->conn, copy->cursor, copy->sql);
    if (pg != NULL)
        imigpy_raise_failed(copy->conn, copy->cursor,
                            &(imig_error){.status = IMIG_E_LOST}, copy->sql);
    PQclear(pg);
    return -1;
}

PGresult *
imigpy_copy_end(imigpy_copy *copy)
{
    copy->reason = NULL;
    if (wait_for(copy, end_step, copy) < 0)
        return NULL;
    return imigpy_conn_finish(copy->conn, copy->cursor, copy->sql);
}

void
imigpy_copy_give_up(imigpy_copy *copy, const char *reason)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    copy->reason = reason;
    if (imig_pq_get_phase(copy->conn->pq) == IMIG_PQ_COPY_IN &&
        wait_for(copy, end_step, copy) == 0) {
        PGresult *pg = imigpy_conn_finish(copy->conn, copy->cursor, copy->sql);
        PQclear(pg);
    }
    /* Ctrl-C may have come meanwhile. */
    if (type == NULL && PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return;
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
}

/* ---- To the server ---- */

/* What file.read() gave, as bytes in the connection's encoding; steals `block`. */
static PyObject *
as_bytes(const copy_job *job, PyObject *block)
{
    const char *encoding = job->copy.conn->codec.py_encoding;
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
        const size_t len = (size_t)PyBytes_GET_SIZE(block);
        bool end = len == 0;
        if (!end)
            outcome = imigpy_copy_put(&job->copy, PyBytes_AS_STRING(block), len);
        Py_DECREF(block);
        if (end || outcome < 0)
            return outcome;
    }
}

static PGresult *
copy_in(copy_job *job)
{
    job->copy.conn->state->round_trips++;
    if (feed(job) < 0) {
        imigpy_copy_give_up(&job->copy, "error in the file's read()");
        return NULL;
    }
    return imigpy_copy_end(&job->copy);
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
    const imigpy_codec *codec = &job->copy.conn->codec;
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
    while (outcome == 0 && imig_pq_get_phase(job->copy.conn->pq) == IMIG_PQ_COPY_OUT) {
        outcome = wait_for(&job->copy, get_step, job);
        if (outcome == 0 && job->row != NULL) {
            outcome = write_row(job, text != 0);
            job->copy.conn->state->rows++;
        }
        PQfreemem(job->row);
        job->row = NULL;
    }
    if (outcome < 0) {
        /* The file failed, or Ctrl-C came within write(): the rest is of no use. */
        if (imig_pq_get_phase(job->copy.conn->pq) != IMIG_PQ_READY)
            imigpy_stop(job->copy.conn, IMIGPY_SKIP_MS);
        return NULL;
    }
    return imigpy_conn_finish(job->copy.conn, job->copy.cursor, job->copy.sql);
}

/* ---- The call ---- */

/* Run it between enter and leave: the final result, or NULL with an exception. */
static PGresult *
run(copy_job *job)
{
    PGresult *pg = NULL;
    int copying =
        imigpy_conn_start_copy(job->copy.conn, job->copy.cursor, job->copy.sql, &pg);
    if (copying < 0)
        return NULL;
    if (copying == 0) {
        PQclear(pg);
        return (PGresult *)(void *)imigpy_raise_named(
            job->copy.conn->state, "ProgrammingError",
            "copy_expert() needs COPY ... FROM STDIN or COPY ... TO STDOUT");
    }
    return imig_pq_get_phase(job->copy.conn->pq) == IMIG_PQ_COPY_IN ? copy_in(job)
                                                                    : copy_out(job);
}

PyObject *
imigpy_cursor_copy_expert(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"sql", "file", "size", NULL};
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    imig_buf sql = IMIG_BUF_INIT;
    copy_job job = {.copy = {.conn = self->conn, .cursor = cursor, .sql = &sql},
                    .size = 65536};
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
