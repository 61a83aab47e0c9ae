/* imig_pq_exec.c - sending statements, taking results, COPY. */
#include "imig_pq_impl.h"

#include <string.h>

#include "imig_alloc.h"

/* ---- Notices ---- */

/* Keep `notice`, which this takes; the oldest makes room. */
static void
keep_notice(imig_pq_conn *c, char *notice)
{
    size_t at = (c->notice_first + c->notice_count) % IMIG_PQ_NOTICES;
    if (c->notice_count == IMIG_PQ_NOTICES) {
        imig_free(c->notices[at]);
        c->notice_first = (c->notice_first + 1) % IMIG_PQ_NOTICES;
    } else {
        c->notice_count++;
    }
    c->notices[at] = notice;
}

void
imig_pq_on_notice(void *conn, const PGresult *notice)
{
    const char *text = PQresultErrorMessage(notice);
    size_t size = strlen(text) + 1;
    char *copy = imig_alloc(size);
    if (copy == NULL)
        return; /* a notice is not worth failing for */
    memcpy(copy, text, size);
    keep_notice(conn, copy);
}

char *
imig_pq_take_notice(imig_pq_conn *c)
{
    if (c->notice_count == 0)
        return NULL;
    char *notice = c->notices[c->notice_first];
    c->notice_first = (c->notice_first + 1) % IMIG_PQ_NOTICES;
    c->notice_count--;
    return notice;
}

PGnotify *
imig_pq_take_notify(imig_pq_conn *c)
{
    return c->pg != NULL ? PQnotifies(c->pg) : NULL;
}

/* ---- The queue ---- */

imig_pq_entry *
imig_pq_push(imig_pq_conn *c)
{
    imig_pq_entry *entry = imig_alloc_zeroed(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    if (c->tail != NULL)
        c->tail->next = entry;
    else
        c->head = entry;
    c->tail = entry;
    c->queued++;
    return entry;
}

/* Its result becomes the connection's, or in a pipeline one of those to be taken. */
void
imig_pq_pop(imig_pq_conn *c)
{
    imig_pq_entry *entry = c->head;
    c->head = entry->next;
    c->queued--;
    if (c->head == NULL)
        c->tail = NULL;
    if (c->pipeline && !entry->is_sync) {
        entry->next = NULL;
        if (c->done_tail != NULL)
            c->done_tail->next = entry;
        else
            c->done = entry;
        c->done_tail = entry;
        return;
    }
    if (!c->pipeline) {
        if (c->head == NULL)
            c->phase = IMIG_PQ_READY;
        PQclear(c->result);
        c->result = entry->result;
    }
    imig_free(entry);
}

imig_status
imig_pq_send(imig_pq_conn *c, const char *sql, imig_error *err)
{
    if (c->phase != IMIG_PQ_READY)
        return imig_error_set(err, IMIG_E_ARGUMENT, "a statement is under way");
    PQclear(c->result);
    c->result = NULL;
    if (imig_pq_push(c) == NULL)
        return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
    c->phase = IMIG_PQ_RUNNING;
    if (PQsendQuery(c->pg, sql) != 1) {
        imig_pq_pop(c);
        return imig_pq_lost(c, err);
    }
    return IMIG_OK;
}

/* The last result counts, but of several errors the first: the server's word that it
 * ends the session comes before libpq's that the session has ended. */
static void
keep_result(imig_pq_entry *entry, PGresult *result)
{
    if (entry->result != NULL && PQresultStatus(entry->result) == PGRES_FATAL_ERROR) {
        PQclear(result);
        return;
    }
    PQclear(entry->result);
    entry->result = result;
}

/* Take one result of the oldest entry; NULL ended it.  DONE when a COPY has begun,
 * AGAIN when there may be more to take. */
static imig_pq_step
take(imig_pq_conn *c, PGresult *result, imig_error *err)
{
    if (result == NULL) {
        imig_pq_pop(c);
        return IMIG_PQ_AGAIN;
    }
    switch (PQresultStatus(result)) {
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
        c->phase = PQresultStatus(result) == PGRES_COPY_IN ? IMIG_PQ_COPY_IN
                                                           : IMIG_PQ_COPY_OUT;
        PQclear(result);
        return IMIG_PQ_DONE;
    case PGRES_COPY_BOTH:
        /* PQgetResult would say so again and again. */
        PQclear(result);
        imig_buf_clear(&c->message);
        imig_buf_str(&c->message, "replication is not supported");
        (void)imig_pq_lost(c, err);
        return IMIG_PQ_FAILED;
    default:
        keep_result(c->head, result);
        return IMIG_PQ_AGAIN;
    }
}

/* The connection broke.  What the server said before, such as that an administrator
 * ended the session, tells more than the loss: DONE with that, or FAILED. */
static imig_pq_step
broke(imig_pq_conn *c, imig_error *err)
{
    const PGresult *last = c->head->result;
    if (last == NULL || PQresultStatus(last) != PGRES_FATAL_ERROR) {
        (void)imig_pq_lost(c, err);
        return IMIG_PQ_FAILED;
    }
    c->broken = true;
    while (c->head != NULL)
        imig_pq_pop(c);
    return IMIG_PQ_DONE;
}

imig_pq_step
imig_pq_pump(imig_pq_conn *c, int *want, imig_error *err)
{
    *want = IMIG_PQ_WANT_READ;
    if (c->pg == NULL)
        return imig_pq_lost(c, err), IMIG_PQ_FAILED;
    while (c->head != NULL) {
        int unsent = PQflush(c->pg);
        if (unsent == 0)
            c->unsent = 0;
        /* Reading also when writing: a server that sends notices and is not read stops
         * reading itself.  A failed write is no reason not to read what it said. */
        int alive = PQconsumeInput(c->pg);
        if (PQisBusy(c->pg)) {
            if (!alive || (unsent < 0 && PQstatus(c->pg) == CONNECTION_BAD))
                return broke(c, err);
            if (unsent > 0)
                *want |= IMIG_PQ_WANT_WRITE;
            return IMIG_PQ_AGAIN;
        }
        PGresult *result = PQgetResult(c->pg);
        if (result == NULL && c->pipeline && c->head->result == NULL) {
            /* It ends nothing: there is nothing to be had yet, or never. */
            if (PQstatus(c->pg) == CONNECTION_BAD)
                return imig_pq_lost(c, err), IMIG_PQ_FAILED;
            return IMIG_PQ_AGAIN;
        }
        imig_pq_step step = c->pipeline ? imig_pq_pipeline_result(c, result, err)
                                        : take(c, result, err);
        if (step != IMIG_PQ_AGAIN)
            return step;
    }
    if (PQstatus(c->pg) == CONNECTION_BAD)
        c->broken = true;
    return c->pipeline ? imig_pq_pipeline_end(c, err) : IMIG_PQ_DONE;
}

PGresult *
imig_pq_take_result(imig_pq_conn *c)
{
    PGresult *result = c->result;
    c->result = NULL;
    return result;
}

/* ---- COPY ---- */

/* Get out what libpq still holds: it queues without end where the socket is slower than
 * the caller.  Reading meanwhile keeps a server that sends notices from stopping.
 * Where the connection broke the COPY is over: libpq would not look for the server's
 * last words in it, so that pumping is what tells. */
static imig_pq_step
flush(imig_pq_conn *c, int *want)
{
    *want = IMIG_PQ_WANT_READ | IMIG_PQ_WANT_WRITE;
    int unsent = PQflush(c->pg);
    int alive = PQconsumeInput(c->pg);
    if (unsent < 0 || !alive) {
        (void)PQputCopyEnd(c->pg, NULL);
        c->phase = IMIG_PQ_RUNNING;
        return IMIG_PQ_DONE;
    }
    return unsent > 0 ? IMIG_PQ_AGAIN : IMIG_PQ_DONE;
}

/* From what PQputCopyData or PQputCopyEnd returned. */
static imig_pq_step
queued(imig_pq_conn *c, int outcome, imig_error *err)
{
    if (outcome < 0)
        return imig_pq_lost(c, err), IMIG_PQ_FAILED;
    return outcome > 0 ? IMIG_PQ_DONE : IMIG_PQ_AGAIN;
}

imig_pq_step
imig_pq_copy_put(imig_pq_conn *c, const char *bytes, size_t len, int *want,
                 imig_error *err)
{
    if (c->phase != IMIG_PQ_COPY_IN || len > INT32_MAX) {
        imig_error_set(err, IMIG_E_ARGUMENT, "no COPY to write to");
        return IMIG_PQ_FAILED;
    }
    imig_pq_step step = flush(c, want);
    if (step != IMIG_PQ_DONE || c->phase != IMIG_PQ_COPY_IN)
        return step;
    return queued(c, PQputCopyData(c->pg, bytes, (int)len), err);
}

imig_pq_step
imig_pq_copy_end(imig_pq_conn *c, const char *reason, int *want, imig_error *err)
{
    if (c->phase != IMIG_PQ_COPY_IN) {
        imig_error_set(err, IMIG_E_ARGUMENT, "no COPY to end");
        return IMIG_PQ_FAILED;
    }
    imig_pq_step step = flush(c, want);
    if (step == IMIG_PQ_DONE && c->phase == IMIG_PQ_COPY_IN)
        step = queued(c, PQputCopyEnd(c->pg, reason), err);
    if (step == IMIG_PQ_DONE)
        c->phase = IMIG_PQ_RUNNING;
    return step;
}

imig_pq_step
imig_pq_copy_get(imig_pq_conn *c, char **row, size_t *len, int *want, imig_error *err)
{
    *want = IMIG_PQ_WANT_READ;
    *row = NULL;
    *len = 0;
    if (c->phase != IMIG_PQ_COPY_OUT) {
        imig_error_set(err, IMIG_E_ARGUMENT, "no COPY to read from");
        return IMIG_PQ_FAILED;
    }
    int got = PQgetCopyData(c->pg, row, 1);
    if (got == 0) {
        if (!PQconsumeInput(c->pg))
            return imig_pq_lost(c, err), IMIG_PQ_FAILED;
        if ((got = PQgetCopyData(c->pg, row, 1)) == 0)
            return IMIG_PQ_AGAIN;
    }
    if (got > 0) {
        *len = (size_t)got;
        return IMIG_PQ_DONE;
    }
    /* -1: no more rows; -2: an error, which is in the results. */
    c->phase = IMIG_PQ_RUNNING;
    return IMIG_PQ_DONE;
}
