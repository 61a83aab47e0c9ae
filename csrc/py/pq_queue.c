/* pq_queue.c - the queue of a connection: adding, awaiting, and whose error it was. */
#include "pq_conn.h"

#include "imig_alloc.h"

/* ---- One statement ---- */

/* Takes nothing; NULL with MemoryError. */
static imigpy_pending *
pending_new(PyObject *query, const imigpy_source *source)
{
    imigpy_pending *p = imig_alloc_zeroed(1, sizeof *p);
    if (p == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    p->holders = 1;
    p->query = Py_NewRef(query);
    if (source != NULL) {
        p->source.origin = Py_XNewRef(source->origin);
        p->source.label = Py_XNewRef(source->label);
    }
    p->rowcount = -1;
    return p;
}

void
imigpy_pending_release(imigpy_pending *p)
{
    if (p == NULL || --p->holders != 0)
        return;
    Py_XDECREF(p->query);
    Py_XDECREF(p->source.origin);
    Py_XDECREF(p->source.label);
    imig_free(p);
}

int
imigpy_queue_traverse(const imigpy_queue *q, visitproc visit, void *arg)
{
    for (const imigpy_pending *p = q->first; p != NULL; p = p->next)
        Py_VISIT(p->source.label);
    if (q->failed != NULL)
        Py_VISIT(q->failed->source.label);
    return 0;
}

void
imigpy_queue_drop_labels(imigpy_queue *q)
{
    for (imigpy_pending *p = q->first; p != NULL; p = p->next)
        Py_CLEAR(p->source.label);
    if (q->failed != NULL)
        Py_CLEAR(q->failed->source.label);
}

static void
push(imigpy_queue *q, imigpy_pending *p)
{
    p->holders++;
    if (q->last != NULL)
        q->last->next = p;
    else
        q->first = p;
    q->last = p;
}

/* The oldest; the caller gets the queue's hold on it. */
static imigpy_pending *
pop(imigpy_queue *q)
{
    imigpy_pending *p = q->first;
    q->first = p->next;
    if (q->first == NULL)
        q->last = NULL;
    p->next = NULL;
    return p;
}

/* ---- Outcomes ---- */

static void
note_done(imigpy_pending *p, PGresult *pg)
{
    const char *count = PQcmdTuples(pg);
    p->fate = IMIGPY_DONE;
    p->rowcount = *count != '\0' ? (Py_ssize_t)strtoll(count, NULL, 10) : -1;
    (void)PyOS_snprintf(p->tag, sizeof p->tag, "%s", PQcmdStatus(pg));
}

/* Give an outcome, which this takes, to the oldest statement. */
static void
settle(imigpy_queue *q, PGresult *pg)
{
    imigpy_pending *p = pop(q);
    ExecStatusType status = pg != NULL ? PQresultStatus(pg) : PGRES_PIPELINE_ABORTED;
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
        status == PGRES_EMPTY_QUERY) {
        note_done(p, pg);
        if (p->wanted) {
            PQclear(q->answer);
            q->answer = pg;
            pg = NULL;
        }
    } else if (status == PGRES_PIPELINE_ABORTED || q->failed != NULL) {
        p->fate = IMIGPY_SKIPPED;
        q->skipped += !p->internal;
    } else {
        p->fate = IMIGPY_FAILED;
        p->holders++;
        q->failed = p;
        q->failure = pg;
        pg = NULL;
    }
    PQclear(pg);
    /* A cursor may hold it for long, where the collector does not see the label. */
    if (p != q->failed)
        Py_CLEAR(p->source.label);
    imigpy_pending_release(p);
}

/* Take over what the server has answered so far. */
static void
reap(imigpy_conn *self)
{
    PGresult *pg = NULL;
    while (imig_pq_pipeline_take(self->pq, &pg)) {
        if (self->queue.first != NULL)
            settle(&self->queue, pg);
        else
            PQclear(pg);
    }
}

static void
drop_failure(imigpy_queue *q)
{
    imigpy_pending *failed = q->failed;
    q->failed = NULL;
    PQclear(q->failure);
    q->failure = NULL;
    q->skipped = 0;
    q->raised = false;
    if (failed != NULL)
        Py_CLEAR(failed->source.label);
    imigpy_pending_release(failed);
}

void
imigpy_queue_forget(imigpy_conn *self)
{
    drop_failure(&self->queue);
    self->queue.unheard = 0;
    self->queue.savepoints = 0;
    self->queue.uncertain = false;
}

void
imigpy_queue_clear(imigpy_conn *self)
{
    imigpy_queue *q = &self->queue;
    while (q->first != NULL) {
        imigpy_pending *p = pop(q);
        p->fate = IMIGPY_SKIPPED;
        Py_CLEAR(p->source.label);
        imigpy_pending_release(p);
    }
    PQclear(q->answer);
    q->answer = NULL;
    imigpy_queue_forget(self);
}

bool
imigpy_queue_is_open(const imigpy_conn *self)
{
    return self->pq != NULL && imig_pq_in_pipeline(self->pq);
}

bool
imigpy_queue_has_news(const imigpy_conn *self)
{
    const imigpy_queue *q = &self->queue;
    return imigpy_queue_is_open(self) || (q->failed != NULL && !q->raised);
}

bool
imigpy_queue_is_busy(const imigpy_conn *self)
{
    return imigpy_queue_is_open(self) || self->queue.failed != NULL;
}

int
imigpy_queue_warn(imigpy_conn *self)
{
    if (!imigpy_queue_is_open(self) || self->queue.unheard == 0 || self->busy)
        return 0;
    PyObject *warned =
        PyObject_CallFunction(self->state->warn_discarded, "n", self->queue.unheard);
    Py_XDECREF(warned);
    return warned != NULL ? 0 : -1;
}

/* ---- Rules ---- */

static bool
is_in_transaction(const imigpy_conn *self)
{
    if (imigpy_queue_is_open(self))
        return true;
    PGTransactionStatusType status = PQtransactionStatus(imig_pq_raw(self->pq));
    /* Begun and yet idle: a COMMIT came as text, and no BEGIN follows it. */
    return status == PQTRANS_INTRANS || (status == PQTRANS_IDLE && !self->begun);
}

void
imigpy_queue_watch(imigpy_conn *self)
{
    imigpy_queue *q = &self->queue;
    if (q->watching)
        return;
    q->watching = true;
    q->uncertain =
        self->begun || PQtransactionStatus(imig_pq_raw(self->pq)) != PQTRANS_IDLE;
}

void
imigpy_queue_note(imigpy_conn *self, const imig_sql_facts *facts)
{
    imigpy_queue *q = &self->queue;
    if (facts->statements > 1 && facts->transaction_control)
        q->uncertain = true;
    else if (facts->verb == IMIG_SQL_SAVEPOINT)
        q->savepoints++;
    else if (facts->verb == IMIG_SQL_RELEASE && q->savepoints > 0)
        q->savepoints--;
}

/* libpq 14.0 to 14.4 lose results in pipeline mode. */
static bool
is_able(const imigpy_conn *self)
{
    return !self->autocommit && self->xid == NULL && PQlibVersion() >= 140005;
}

/* The classifier reads encodings whose characters have no ASCII bytes inside. */
static bool
is_readable(const imigpy_conn *self)
{
    const char *encoding = self->codec.py_encoding;
    return encoding == NULL || strncmp(encoding, "iso8859", 7) == 0;
}

bool
imigpy_queue_may_defer(const imigpy_conn *self, const imig_sql_facts *facts, bool rows)
{
    const imigpy_queue *q = &self->queue;
    bool simple = facts->statements == 1 && !facts->unsure && !facts->own_transaction &&
                  !facts->transaction_control;
    return (facts->deferrable || (rows && simple)) && is_able(self) &&
           is_readable(self) && q->failed == NULL && q->savepoints == 0 &&
           !q->uncertain && is_in_transaction(self);
}

bool
imigpy_queue_may_batch(const imigpy_conn *self, const imig_sql_facts *facts)
{
    return facts->deferrable && is_able(self) && is_readable(self) &&
           is_in_transaction(self);
}

bool
imigpy_queue_may_join(const imigpy_conn *self, const imig_sql_facts *facts)
{
    /* Alone it is sent by the simple protocol, as without a queue. */
    if (!imigpy_queue_is_open(self) && self->begun)
        return false;
    if (!is_able(self) || !is_readable(self) || !is_in_transaction(self))
        return false;
    return facts->statements == 1 && !facts->unsure && !facts->own_transaction &&
           facts->verb != IMIG_SQL_COPY_IN && facts->verb != IMIG_SQL_COPY_OUT &&
           facts->verb != IMIG_SQL_OTHER;
}

/* ---- Errors ---- */

/* Add what the message cannot have: it must be the same as without a queue. */
static int
add_note(PyObject *error, PyObject *origin, Py_ssize_t skipped)
{
    PyObject *place = NULL, *note = NULL, *done = NULL;
    if (origin != NULL)
        place = PyUnicode_FromFormat("%S:%S in %S()", PyTuple_GET_ITEM(origin, 0),
                                     PyTuple_GET_ITEM(origin, 1),
                                     PyTuple_GET_ITEM(origin, 2));
    else
        place = PyUnicode_FromString("an unknown place");
    if (place != NULL)
        note = PyUnicode_FromFormat("queued at %U; %zd later %s not executed", place,
                                    skipped,
                                    skipped == 1 ? "statement was" : "statements were");
    if (note != NULL)
        done = PyObject_CallMethod(error, "add_note", "O", note);
    Py_XDECREF(place);
    Py_XDECREF(note);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

static int
set_or_none(PyObject *error, const char *name, PyObject *value)
{
    return PyObject_SetAttrString(error, name, value != NULL ? value : Py_None);
}

/* origin, label, skipped and the note, on the exception that is raised. */
static void
attribute(const imigpy_queue *q)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    const imigpy_source *source = &q->failed->source;
    PyObject *skipped = PyLong_FromSsize_t(q->skipped);
    if (skipped == NULL || set_or_none(error, "origin", source->origin) < 0 ||
        set_or_none(error, "label", source->label) < 0 ||
        PyObject_SetAttrString(error, "skipped", skipped) < 0 ||
        add_note(error, source->origin, q->skipped) < 0)
        PyErr_Clear(); /* the error itself matters more */
    Py_XDECREF(skipped);
    PyErr_Restore(type, error, traceback);
}

/* Raise the failure that is kept; always -1. */
static int
raise_failure(imigpy_conn *self, PyObject *cursor)
{
    imigpy_queue *q = &self->queue;
    imig_buf sql = IMIG_BUF_INIT;
    imig_buf_add(&sql, PyBytes_AS_STRING(q->failed->query),
                 (size_t)PyBytes_GET_SIZE(q->failed->query));
    imigpy_raise_result(self, cursor, q->failure, &sql);
    imig_buf_clear(&sql);
    const bool here = q->failed->here || q->failed->internal;
    if (!here)
        attribute(q);
    q->raised = true;
    /* One that is awaited where it stands fails like any other statement. */
    if (here)
        drop_failure(q);
    return -1;
}

static int
raise_lost(imigpy_conn *self, const imig_error *err)
{
    imigpy_raise_failed(self, NULL, err, NULL);
    return -1;
}

/* ---- Adding ---- */

/* Send what the socket takes, read what has come. */
static int
push_on(imigpy_conn *self)
{
    imig_error err = {0};
    int want;
    imig_pq_step step = imig_pq_pump(self->pq, &want, &err);
    reap(self);
    if (step == IMIG_PQ_FAILED && self->queue.failed == NULL)
        return raise_lost(self, &err);
    return 0;
}

static imig_pq_step
relieve_step(void *arg, int *want, imig_error *err)
{
    return imig_pq_pipeline_relieve(arg, want, err);
}

/* After Ctrl-C: what ended by it is no failure of the statement's. */
static void
forget_canceled(imigpy_conn *self)
{
    imigpy_queue *q = &self->queue;
    if (q->failure == NULL)
        return;
    const char *state = PQresultErrorField(q->failure, PG_DIAG_SQLSTATE);
    if (state != NULL && strcmp(state, "57014") == 0)
        drop_failure(q);
}

/* Wait until a step is done; the exception of a failure is the caller's to raise. */
static int
wait_for(imigpy_conn *self, imigpy_step step)
{
    imig_error err = {0};
    imig_pq_step outcome = imigpy_wait(self, step, self->pq, &err);
    reap(self);
    imigpy_conn_after(self);
    if (outcome == IMIG_PQ_DONE)
        return 0;
    if (outcome == IMIG_PQ_AGAIN)
        forget_canceled(self);
    else if (self->queue.failed == NULL)
        return raise_lost(self, &err);
    else
        return 0;
    return -1;
}

/* Send one statement and push it. */
static imigpy_pending *
add(imigpy_conn *self, PyObject *query, const imigpy_source *source, bool wanted,
    bool internal)
{
    imig_error err = {0};
    imigpy_pending *p = pending_new(query, source);
    if (p == NULL)
        return NULL;
    p->wanted = p->here = wanted;
    p->internal = internal;
    imig_status st = IMIG_OK;
    if (!imig_pq_in_pipeline(self->pq))
        st = imig_pq_pipeline_enter(self->pq, &err);
    if (st == IMIG_OK)
        st = imig_pq_pipeline_send(self->pq, PyBytes_AS_STRING(query),
                                   (size_t)PyBytes_GET_SIZE(query), &err);
    if (st != IMIG_OK) {
        (void)raise_lost(self, &err);
        imigpy_pending_release(p);
        return NULL;
    }
    push(&self->queue, p);
    self->queue.unheard += !internal;
    self->state->statements++;
    return p;
}

int
imigpy_queue_add_text(imigpy_conn *self, const char *text)
{
    PyObject *query = PyBytes_FromString(text);
    imigpy_pending *p = query != NULL ? add(self, query, NULL, false, true) : NULL;
    Py_XDECREF(query);
    imigpy_pending_release(p);
    return p != NULL ? 0 : -1;
}

/* Add it behind whatever has to be before it. */
static imigpy_pending *
add_in_transaction(imigpy_conn *self, PyObject *query, const imigpy_source *source,
                   bool wanted)
{
    if (self->queue.failed != NULL) {
        /* This one is not executed either, as if the failure had come later. */
        self->queue.skipped += !self->queue.raised;
        if (imigpy_queue_sync(self, NULL) == 0)
            (void)raise_failure(self, NULL);
        return NULL;
    }
    if (imigpy_conn_begin_queued(self) < 0)
        return NULL;
    return add(self, query, source, wanted, false);
}

/* Takes `p` where the exception of the last step is to be raised. */
static imigpy_pending *
unless(int failed, imigpy_pending *p)
{
    if (failed == 0)
        return p;
    imigpy_pending_release(p);
    return NULL;
}

imigpy_pending *
imigpy_queue_add(imigpy_conn *self, PyObject *query, const imigpy_source *source,
                 bool wanted)
{
    imigpy_pending *p = add_in_transaction(self, query, source, wanted);
    if (p == NULL || wanted)
        return p;
    int outcome = push_on(self);
    if (outcome == 0 && imig_pq_pipeline_is_full(self->pq))
        outcome = wait_for(self, relieve_step);
    return unless(outcome, p);
}

imigpy_pending *
imigpy_queue_add_one(imigpy_conn *self, PyObject *query, bool look)
{
    imigpy_pending *p = add_in_transaction(self, query, NULL, false);
    if (p == NULL)
        return NULL;
    p->here = true;
    look = look || imig_pq_pipeline_is_full(self->pq);
    return unless(look ? wait_for(self, relieve_step) : 0, p);
}

/* ---- Awaiting ---- */

static imig_pq_step
sync_step(void *arg, int *want, imig_error *err)
{
    return imig_pq_pump(arg, want, err);
}

int
imigpy_queue_sync(imigpy_conn *self, PyObject *cursor)
{
    imigpy_queue *q = &self->queue;
    if (imig_pq_in_pipeline(self->pq)) {
        imig_error err = {0};
        if (imig_pq_pipeline_sync(self->pq, &err) != IMIG_OK) {
            reap(self);
            if (q->failed == NULL)
                return raise_lost(self, &err);
        } else {
            self->state->round_trips++;
            if (wait_for(self, sync_step) < 0)
                return -1;
        }
        q->unheard = 0;
    }
    return q->failed != NULL ? raise_failure(self, cursor) : 0;
}

PGresult *
imigpy_queue_answer(imigpy_conn *self)
{
    PGresult *pg = self->queue.answer;
    self->queue.answer = NULL;
    if (pg != NULL)
        self->state->rows += (unsigned long long)PQntuples(pg);
    else
        (void)imigpy_raise_named(self->state, "InternalError", "no answer arrived");
    return pg;
}
