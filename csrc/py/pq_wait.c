/* pq_wait.c - the one poll() of the driver.
 *
 * Waits with the GIL released, and in slices: a signal that arrives between the last
 * look and poll(), or is delivered to another thread, does not interrupt poll().  After
 * each slice and each EINTR Python's signal handlers run.  If one raises, what is under
 * way is cancelled on the server and its end awaited, for less than a second in all. */
#include "pq_conn.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

enum { SLICE_MS = 100 }; /* how late a signal may be seen at worst */

static int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct pollfd
watch(int fd, int want)
{
    struct pollfd look = {fd, 0, 0};
    if (want & IMIG_PQ_WANT_READ)
        look.events = (short)(look.events | POLLIN);
    if (want & IMIG_PQ_WANT_WRITE)
        look.events = (short)(look.events | POLLOUT);
    return look;
}

/* Without the GIL: steps and waits until they end, or until `slice_end`.  AGAIN: it is
 * time to look for signals. */
static imig_pq_step
steps_nogil(const imigpy_conn *self, imigpy_step step, void *arg, imig_error *err)
{
    int64_t slice_end = now_ns() + (int64_t)SLICE_MS * 1000000;
    for (;;) {
        int want = 0;
        imig_pq_step outcome = step(arg, &want, err);
        if (outcome != IMIG_PQ_AGAIN)
            return outcome;
        int64_t left = (slice_end - now_ns()) / 1000000;
        int limit = imig_pq_get_phase(self->pq) == IMIG_PQ_CONNECTING
                        ? imig_pq_connect_timeout_ms(self->pq)
                        : -1;
        if (left <= 0)
            return IMIG_PQ_AGAIN;
        struct pollfd look = watch(imig_pq_fd(self->pq), want);
        if (poll(&look, 1, limit >= 0 && limit < left ? limit : (int)left) < 0) {
            if (errno == EINTR)
                return IMIG_PQ_AGAIN;
            imig_error_set(err, IMIG_E_IO, "poll failed: %s", strerror(errno));
            return IMIG_PQ_FAILED;
        }
    }
}

/* ---- After an interrupt ---- */

/* Take the connection out of a COPY, throwing rows away.  True: it is out. */
static imig_pq_step
leave_copy(imig_pq_conn *pq, int *want, imig_error *err)
{
    if (imig_pq_get_phase(pq) == IMIG_PQ_COPY_IN)
        return imig_pq_copy_end(pq, "interrupted by the client", want, err);
    imig_pq_step outcome = IMIG_PQ_DONE;
    while (outcome == IMIG_PQ_DONE && imig_pq_get_phase(pq) == IMIG_PQ_COPY_OUT) {
        char *row = NULL;
        size_t len;
        outcome = imig_pq_copy_get(pq, &row, &len, want, err);
        PQfreemem(row);
    }
    return outcome;
}

/* A step towards READY, whatever the phase. */
static imig_pq_step
drain(void *arg, int *want, imig_error *err)
{
    imig_pq_conn *pq = arg;
    for (;;) {
        imig_pq_phase phase = imig_pq_get_phase(pq);
        imig_pq_step outcome = IMIG_PQ_DONE;
        if (phase == IMIG_PQ_READY)
            return outcome;
        if (phase == IMIG_PQ_COPY_IN || phase == IMIG_PQ_COPY_OUT)
            outcome = leave_copy(pq, want, err);
        else if (imig_pq_in_pipeline(pq) && imig_pq_pipeline_sync(pq, err) != IMIG_OK)
            outcome = IMIG_PQ_FAILED;
        else
            outcome = imig_pq_pump(pq, want, err);
        if (outcome != IMIG_PQ_DONE)
            return outcome;
    }
}

/* Without the GIL: until the statement has ended and the cancel request has arrived
 * (one that arrived later could hit the next statement).  False: not in time, or the
 * connection is lost. */
static bool
cancel_nogil(imig_pq_conn *pq, imig_pq_cancel *cancel, int limit_ms)
{
    imig_error err;
    int64_t end = now_ns() + (int64_t)limit_ms * 1000000;
    imig_pq_step asked = IMIG_PQ_AGAIN, drained = IMIG_PQ_AGAIN;
    for (;;) {
        struct pollfd look[2];
        nfds_t count = 0;
        int want = 0;
        if (asked == IMIG_PQ_AGAIN &&
            (asked = imig_pq_cancel_step(cancel, &want, &err)) == IMIG_PQ_AGAIN)
            look[count++] = watch(imig_pq_cancel_fd(cancel), want);
        if (drained == IMIG_PQ_AGAIN &&
            (drained = drain(pq, &want, &err)) == IMIG_PQ_AGAIN)
            look[count++] = watch(imig_pq_fd(pq), want);
        if (drained == IMIG_PQ_FAILED)
            return false;
        if (count == 0)
            return true;
        int64_t left = (end - now_ns()) / 1000000;
        if (left <= 0)
            return false;
        if (poll(look, count, (int)left) < 0 && errno != EINTR)
            return false;
    }
}

void
imigpy_stop(imigpy_conn *self, int limit_ms)
{
    PyObject *type, *value, *traceback;
    bool usable = false;
    PyErr_Fetch(&type, &value, &traceback);
    imig_pq_cancel *cancel = imig_pq_cancel_new(self->pq);
    if (cancel != NULL) {
        Py_BEGIN_ALLOW_THREADS
            usable = cancel_nogil(self->pq, cancel, limit_ms);
        Py_END_ALLOW_THREADS
        imig_pq_cancel_free(cancel);
    }
    if (usable) {
        PQclear(imig_pq_take_result(self->pq));
        imigpy_conn_after(self);
    } else {
        self->close_wanted = true;
    }
    PyErr_Restore(type, value, traceback);
}

imig_pq_step
imigpy_wait(imigpy_conn *self, imigpy_step step, void *arg, imig_error *err)
{
    int64_t start = now_ns();
    while (!self->close_wanted) {
        imig_pq_step outcome = IMIG_PQ_AGAIN;
        /* First: in a row of short waits, executemany() or a COPY, no other code looks
         * for signals. */
        bool raised = PyErr_CheckSignals() != 0;
        if (raised) {
            imigpy_stop(self, IMIGPY_INTERRUPT_MS);
        } else if (!self->close_wanted) {
            Py_BEGIN_ALLOW_THREADS
                outcome = steps_nogil(self, step, arg, err);
            Py_END_ALLOW_THREADS
        }
        if (raised || outcome != IMIG_PQ_AGAIN) {
            self->state->wait_ns += (unsigned long long)(now_ns() - start);
            return outcome;
        }
    }
    /* close() came from elsewhere, or stopping took too long. */
    imig_error_set(err, IMIG_E_LOST, "connection already closed");
    return IMIG_PQ_FAILED;
}

/* ---- Connecting ---- */

static imig_pq_step
connect_step(void *arg, int *want, imig_error *err)
{
    return imig_pq_connect_step(arg, want, err);
}

imig_pq_step
imigpy_wait_connect(imigpy_conn *self, imig_error *err)
{
    imig_pq_step outcome;
    for (;;) {
        Py_BEGIN_ALLOW_THREADS
            outcome = steps_nogil(self, connect_step, self->pq, err);
        Py_END_ALLOW_THREADS
        if (outcome != IMIG_PQ_AGAIN || PyErr_CheckSignals() != 0)
            return outcome;
    }
}

/* ---- cancel() ---- */

/* Without the GIL, one slice. */
static imig_pq_step
cancel_slice_nogil(imig_pq_cancel *cancel, imig_error *err)
{
    int64_t end = now_ns() + (int64_t)SLICE_MS * 1000000;
    for (;;) {
        int want = 0;
        imig_pq_step outcome = imig_pq_cancel_step(cancel, &want, err);
        int64_t left = (end - now_ns()) / 1000000;
        if (outcome != IMIG_PQ_AGAIN || left <= 0)
            return outcome;
        struct pollfd look = watch(imig_pq_cancel_fd(cancel), want);
        if (poll(&look, 1, (int)left) < 0)
            return IMIG_PQ_AGAIN;
    }
}

int
imigpy_wait_cancel(imigpy_conn *self, int timeout_ms)
{
    imig_error err = {0};
    imig_pq_step outcome = IMIG_PQ_AGAIN;
    int64_t end = now_ns() + (int64_t)timeout_ms * 1000000;
    imig_pq_cancel *cancel = imig_pq_cancel_new(self->pq);
    if (cancel == NULL) {
        (void)imigpy_raise_named(self->state, "OperationalError",
                                 "cannot make a cancel request");
        return -1;
    }
    while (outcome == IMIG_PQ_AGAIN) {
        Py_BEGIN_ALLOW_THREADS
            outcome = cancel_slice_nogil(cancel, &err);
        Py_END_ALLOW_THREADS
        if (outcome == IMIG_PQ_AGAIN && PyErr_CheckSignals() != 0)
            break;
        if (outcome == IMIG_PQ_AGAIN && timeout_ms >= 0 && now_ns() > end) {
            imig_error_set(&err, IMIG_E_LOST, "cancelling timed out");
            outcome = IMIG_PQ_FAILED;
        }
    }
    imig_pq_cancel_free(cancel);
    if (outcome == IMIG_PQ_FAILED)
        (void)imigpy_raise_named(self->state, "OperationalError", "%s", err.message);
    return outcome == IMIG_PQ_DONE ? 0 : -1;
}
