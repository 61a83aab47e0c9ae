/* imig_pq_pipeline.c - many statements, one wait.
 *
 * What libpq returns in pipeline mode (PostgreSQL, "Pipeline Mode"): for each command
 * its results and then one NULL; for a sync PGRES_PIPELINE_SYNC and no NULL.  The first
 * command that fails has an error; those behind it, up to the sync, have
 * PGRES_PIPELINE_ABORTED.  So the n-th outcome belongs to the n-th entry. */
#include "imig_pq_impl.h"

#include "imig_alloc.h"

void
imig_pq_pipeline_clear(imig_pq_conn *c)
{
    PGresult *result = NULL;
    while (imig_pq_pipeline_take(c, &result))
        PQclear(result);
    c->pipeline = c->synced = false;
    c->unsent = 0;
}

bool
imig_pq_in_pipeline(const imig_pq_conn *c)
{
    return c->pipeline;
}

imig_status
imig_pq_pipeline_enter(imig_pq_conn *c, imig_error *err)
{
    if (c->phase != IMIG_PQ_READY)
        return imig_error_set(err, IMIG_E_ARGUMENT, "a statement is under way");
    PQclear(c->result);
    c->result = NULL;
    if (PQenterPipelineMode(c->pg) != 1)
        return imig_pq_lost(c, err);
    c->pipeline = true;
    c->synced = false;
    c->unsent = 0;
    c->phase = IMIG_PQ_RUNNING;
    return IMIG_OK;
}

imig_status
imig_pq_pipeline_send(imig_pq_conn *c, const char *sql, size_t len, imig_error *err)
{
    if (!c->pipeline || c->synced)
        return imig_error_set(err, IMIG_E_ARGUMENT, "no pipeline to queue in");
    if (imig_pq_push(c) == NULL)
        return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
    c->unsent += len;
    /* That it cannot be sent is told by the pump, after what the server said. */
    if (PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0) != 1) {
        imig_pq_pop(c);
        return imig_pq_lost(c, err);
    }
    return IMIG_OK;
}

imig_status
imig_pq_pipeline_sync(imig_pq_conn *c, imig_error *err)
{
    if (!c->pipeline)
        return imig_error_set(err, IMIG_E_ARGUMENT, "no pipeline to end");
    if (c->synced)
        return IMIG_OK;
    imig_pq_entry *entry = imig_pq_push(c);
    if (entry == NULL)
        return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
    entry->is_sync = true;
    c->synced = true;
    if (PQpipelineSync(c->pg) != 1)
        return imig_pq_lost(c, err);
    return IMIG_OK;
}

bool
imig_pq_pipeline_take(imig_pq_conn *c, PGresult **result)
{
    imig_pq_entry *entry = c->done;
    *result = NULL;
    if (entry == NULL)
        return false;
    c->done = entry->next;
    if (c->done == NULL)
        c->done_tail = NULL;
    *result = entry->result;
    imig_free(entry);
    return true;
}

/* libpq cannot go on: a COPY that only a look at the statement could have kept out. */
static imig_pq_step
refuse(imig_pq_conn *c, PGresult *result, const char *why, imig_error *err)
{
    PQclear(result);
    imig_buf_clear(&c->message);
    imig_buf_str(&c->message, why);
    (void)imig_pq_lost(c, err);
    return IMIG_PQ_FAILED;
}

imig_pq_step
imig_pq_pipeline_result(imig_pq_conn *c, PGresult *result, imig_error *err)
{
    imig_pq_entry *head = c->head;
    if (result == NULL) {
        imig_pq_pop(c);
        return IMIG_PQ_AGAIN;
    }
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        if (!head->is_sync)
            return refuse(c, NULL, "the server ended a pipeline early", err);
        imig_pq_pop(c);
        return IMIG_PQ_AGAIN;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        return refuse(c, result, "COPY in a pipeline", err);
    default:
        if (head->result != NULL && PQresultStatus(head->result) == PGRES_FATAL_ERROR) {
            PQclear(result);
        } else {
            PQclear(head->result);
            head->result = result;
        }
        return IMIG_PQ_AGAIN;
    }
}

imig_pq_step
imig_pq_pipeline_end(imig_pq_conn *c, imig_error *err)
{
    if (!c->synced)
        return IMIG_PQ_DONE;
    c->synced = false;
    c->pipeline = false;
    c->phase = IMIG_PQ_READY;
    if (!c->broken && PQexitPipelineMode(c->pg) != 1) {
        (void)imig_pq_lost(c, err);
        return IMIG_PQ_FAILED;
    }
    return IMIG_PQ_DONE;
}

/* ---- Limits ---- */

bool
imig_pq_pipeline_is_full(const imig_pq_conn *c)
{
    return c->queued > IMIG_PQ_MOST_QUEUED || c->unsent > IMIG_PQ_MOST_UNSENT;
}

/* The server sends results when its buffer of 8 kB is full or the segment ends. Those
 * of half the queue are more than that (23 bytes for each statement at least), so
 * waiting for the other half does not need an end. */
imig_pq_step
imig_pq_pipeline_relieve(imig_pq_conn *c, int *want, imig_error *err)
{
    imig_pq_step step = imig_pq_pump(c, want, err);
    if (step == IMIG_PQ_AGAIN && c->queued <= IMIG_PQ_MOST_QUEUED / 2 &&
        c->unsent <= IMIG_PQ_MOST_UNSENT / 2)
        return IMIG_PQ_DONE;
    return step;
}
