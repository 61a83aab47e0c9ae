/* imig_pq_cancel.c - asking the server to stop, without waiting for it.
 *
 * libpq 17 has PQcancelStart and PQcancelPoll.  Before, there is only PQcancel, which
 * waits for the server as long as the network does: it runs in a thread that owns what
 * it needs and closes its end of a pipe when it is done. */
#define _GNU_SOURCE /* pipe2 */
#include "imig_pq_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "imig_alloc.h"

#if defined(LIBPQ_HAS_ASYNC_CANCEL)

struct imig_pq_cancel {
    PGcancelConn *pg;
    bool started;
};

imig_pq_cancel *
imig_pq_cancel_new(const imig_pq_conn *c)
{
    imig_pq_cancel *k = c->pg != NULL ? imig_alloc_zeroed(1, sizeof *k) : NULL;
    if (k == NULL)
        return NULL;
    if ((k->pg = PQcancelCreate(c->pg)) == NULL) {
        imig_free(k);
        return NULL;
    }
    return k;
}

imig_pq_step
imig_pq_cancel_step(imig_pq_cancel *k, int *want, imig_error *err)
{
    PostgresPollingStatusType poll = PGRES_POLLING_FAILED;
    *want = IMIG_PQ_WANT_READ;
    if (!k->started) {
        k->started = true;
        if (PQcancelStart(k->pg) == 1) {
            *want = IMIG_PQ_WANT_WRITE;
            return IMIG_PQ_AGAIN;
        }
    } else {
        poll = PQcancelPoll(k->pg);
    }
    if (poll == PGRES_POLLING_OK)
        return IMIG_PQ_DONE;
    if (poll == PGRES_POLLING_FAILED) {
        imig_error_set(err, IMIG_E_LOST, "%s", PQcancelErrorMessage(k->pg));
        return IMIG_PQ_FAILED;
    }
    if (poll == PGRES_POLLING_WRITING)
        *want = IMIG_PQ_WANT_WRITE;
    return IMIG_PQ_AGAIN;
}

int
imig_pq_cancel_fd(const imig_pq_cancel *k)
{
    return PQcancelSocket(k->pg);
}

void
imig_pq_cancel_free(imig_pq_cancel *k)
{
    if (k == NULL)
        return;
    PQcancelFinish(k->pg);
    imig_free(k);
}

#else

struct imig_pq_cancel {
    atomic_int holders; /* caller and thread; who leaves last frees */
    int read_fd;        /* the caller's */
    int write_fd;       /* the thread's */
    PGcancel *pg;
    atomic_bool done; /* the two below may be read */
    bool failed;
    char message[IMIG_ERROR_MESSAGE_SIZE];
};

static void
let_go(imig_pq_cancel *k)
{
    if (atomic_fetch_sub(&k->holders, 1) != 1)
        return;
    PQfreeCancel(k->pg);
    imig_free(k);
}

static void *
run(void *arg)
{
    imig_pq_cancel *k = arg;
    k->failed = PQcancel(k->pg, k->message, (int)sizeof k->message) != 1;
    atomic_store(&k->done, true);
    close(k->write_fd);
    let_go(k);
    return NULL;
}

/* Start the thread detached, with all signals blocked: they are for the others. */
static bool
start_thread(imig_pq_cancel *k)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attributes, run, k) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

imig_pq_cancel *
imig_pq_cancel_new(const imig_pq_conn *c)
{
    int ends[2] = {-1, -1};
    imig_pq_cancel *k = c->pg != NULL ? imig_alloc_zeroed(1, sizeof *k) : NULL;
    if (k == NULL)
        return NULL;
    if ((k->pg = PQgetCancel(c->pg)) == NULL || pipe2(ends, O_CLOEXEC) != 0)
        goto failed;
    k->read_fd = ends[0];
    k->write_fd = ends[1];
    atomic_init(&k->holders, 2);
    atomic_init(&k->done, false);
    if (!start_thread(k))
        goto failed;
    return k;
failed:
    if (ends[0] >= 0) {
        close(ends[0]);
        close(ends[1]);
    }
    PQfreeCancel(k->pg);
    imig_free(k);
    return NULL;
}

imig_pq_step
imig_pq_cancel_step(imig_pq_cancel *k, int *want, imig_error *err)
{
    *want = IMIG_PQ_WANT_READ;
    if (!atomic_load(&k->done))
        return IMIG_PQ_AGAIN;
    if (!k->failed)
        return IMIG_PQ_DONE;
    imig_error_set(err, IMIG_E_LOST, "%s", k->message);
    return IMIG_PQ_FAILED;
}

int
imig_pq_cancel_fd(const imig_pq_cancel *k)
{
    return k->read_fd;
}

void
imig_pq_cancel_free(imig_pq_cancel *k)
{
    if (k == NULL)
        return;
    close(k->read_fd);
    let_go(k);
}

#endif
