/* fake_libpq.h - a libpq that follows a script, for the tests of csrc/pq.
 *
 * Scripts are texts, one character per call; when one has run out, the default is
 * taken.  `fake` is reset by fake_reset(). */
#ifndef FAKE_LIBPQ_H
#define FAKE_LIBPQ_H

#include <libpq-fe.h>

#include "imig_base.h"

/* One result of PQgetResult: `status` and for errors a SQLSTATE and a message. */
typedef struct fake_answer {
    int status; /* ExecStatusType; FAKE_END is PQgetResult's NULL */
    const char *message;
} fake_answer;

enum { FAKE_END = -1, FAKE_ATTEMPTS = 8, FAKE_KEYWORDS = 32 };

typedef struct fake_libpq {
    /* Connecting: attempt n follows polls[n]: w, r = wait; O = ok; F = failed.
     * "B" alone: the connection is bad from the start. */
    const char *polls[FAKE_ATTEMPTS];
    const char *messages[FAKE_ATTEMPTS]; /* what PQerrorMessage says then */
    int attempts;                        /* how many were begun */
    char tried[FAKE_ATTEMPTS][200];      /* "host=... hostaddr=... port=..." */
    /* What the probe finds: a libpq's PQconninfo. */
    const char *host, *hostaddr, *port, *connect_timeout, *target, *balance;
    bool no_probe; /* out of memory */

    /* Running */
    bool send_fails;
    const char *flushes;  /* 0 all sent, 1 some left, x failed; default 0 */
    const char *consumes; /* 1 ok, x lost; default 1 */
    int busy;             /* PQisBusy says yes until so many PQconsumeInput */
    int busy_again;       /* ... and so many more after each result */
    const fake_answer *answers;
    const char *puts; /* COPY: 1 queued, 0 no room, x failed; default 1 */
    const char *gets; /* COPY: d a row, 0 nothing yet, e end, x error; default e */
    const char *copied_reason;
    bool nonblocking_fails;
    bool bad; /* PQstatus says so */

    /* Pipelines */
    bool enter_fails, exit_fails, sync_fails;
    bool pipelined; /* in pipeline mode now */
    int sent;       /* PQsendQueryParams was called so often */

    /* Cancelling */
    bool no_cancel;
    const char *cancels; /* one character per request: 1 sent, x failed, s slow */

    /* What is alive, for leaks. */
    int connections, results, options, cancel_objects;
    int finished; /* PQfinish was called so often */
    PQnoticeReceiver receiver;
    void *receiver_arg;
} fake_libpq;

extern fake_libpq fake;

void fake_reset(void);
/* Send a notice, as libpq does from within another call. */
void fake_notice(const char *message);

#endif /* FAKE_LIBPQ_H */
