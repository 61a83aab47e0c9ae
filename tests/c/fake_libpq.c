/* fake_libpq.c - a libpq that follows a script. */
#define _POSIX_C_SOURCE 200809L
#include "fake_libpq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct pg_conn {
    int attempt;
    size_t polled;
    bool probe;
    bool bad;
    int fd;
};

struct pg_result {
    fake_answer answer;
};

struct pg_cancel {
    char outcome;
};

fake_libpq fake;

void
fake_reset(void)
{
    memset(&fake, 0, sizeof fake);
}

/* The next character of a script, `otherwise` when it has run out. */
static char
next(const char **script, char otherwise)
{
    if (*script == NULL || **script == '\0')
        return otherwise;
    return *(*script)++;
}

/* ---- Connecting ---- */

static bool
is_probe(const char *const *keywords)
{
    for (; *keywords != NULL; keywords++)
        if (strcmp(*keywords, "channel_binding") == 0)
            return true;
    return false;
}

static const char *
last_value(const char *const *keywords, const char *const *values, const char *name)
{
    const char *found = "";
    for (size_t i = 0; keywords[i] != NULL; i++)
        if (strcmp(keywords[i], name) == 0 && values[i] != NULL && *values[i] != '\0')
            found = values[i];
    return found;
}

PGconn *
PQconnectStartParams(const char *const *keywords, const char *const *values,
                     int expand_dbname)
{
    (void)expand_dbname;
    bool probe = is_probe(keywords);
    PGconn *conn = probe && fake.no_probe ? NULL : calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    fake.connections++;
    conn->probe = probe;
    conn->fd = probe ? -1 : dup(0);
    if (probe)
        return conn;
    conn->attempt = fake.attempts++;
    if (conn->attempt >= FAKE_ATTEMPTS)
        abort();
    snprintf(fake.tried[conn->attempt], sizeof fake.tried[0], "%s|%s|%s|%s",
             last_value(keywords, values, "host"),
             last_value(keywords, values, "hostaddr"),
             last_value(keywords, values, "port"),
             last_value(keywords, values, "target_session_attrs"));
    const char *script = fake.polls[conn->attempt];
    conn->bad = script != NULL && strcmp(script, "B") == 0;
    return conn;
}

PostgresPollingStatusType
PQconnectPoll(PGconn *conn)
{
    const char *script = fake.polls[conn->attempt];
    char step = script != NULL ? script[conn->polled] : 'O';
    if (step == '\0')
        abort(); /* polled after the end */
    conn->polled++;
    switch (step) {
    case 'w':
        return PGRES_POLLING_WRITING;
    case 'r':
        return PGRES_POLLING_READING;
    case 'O':
        return PGRES_POLLING_OK;
    default:
        conn->bad = true;
        return PGRES_POLLING_FAILED;
    }
}

static void
set_option(PQconninfoOption *option, const char *keyword, const char *value)
{
    option->keyword = strdup(keyword);
    option->val = value != NULL ? strdup(value) : NULL;
}

PQconninfoOption *
PQconninfo(PGconn *conn)
{
    PQconninfoOption *options = conn->probe ? calloc(7, sizeof *options) : NULL;
    if (options == NULL)
        return NULL;
    set_option(&options[0], "host", fake.host);
    set_option(&options[1], "hostaddr", fake.hostaddr);
    set_option(&options[2], "port", fake.port);
    set_option(&options[3], "connect_timeout", fake.connect_timeout);
    set_option(&options[4], "target_session_attrs", fake.target);
    set_option(&options[5], "load_balance_hosts", fake.balance);
    fake.options++;
    return options;
}

void
PQconninfoFree(PQconninfoOption *options)
{
    if (options == NULL)
        return;
    for (PQconninfoOption *each = options; each->keyword != NULL; each++) {
        free(each->keyword);
        free(each->val);
    }
    free(options);
    fake.options--;
}

void
PQfinish(PGconn *conn)
{
    if (conn == NULL)
        return;
    fake.connections--;
    fake.finished += !conn->probe;
    if (conn->fd >= 0)
        close(conn->fd);
    free(conn);
}

ConnStatusType
PQstatus(const PGconn *conn)
{
    return conn->bad || fake.bad ? CONNECTION_BAD : CONNECTION_OK;
}

int
PQsocket(const PGconn *conn)
{
    return conn->fd;
}

char *
PQerrorMessage(const PGconn *conn)
{
    static char text[500];
    const char *message = fake.messages[conn->attempt];
    snprintf(text, sizeof text, "%s", message != NULL ? message : "");
    return text;
}

int
PQsetnonblocking(PGconn *conn, int on)
{
    (void)conn;
    return on == 1 && !fake.nonblocking_fails ? 0 : -1;
}

PGVerbosity
PQsetErrorVerbosity(PGconn *conn, PGVerbosity verbosity)
{
    (void)conn;
    (void)verbosity;
    return PQERRORS_DEFAULT;
}

PQnoticeReceiver
PQsetNoticeReceiver(PGconn *conn, PQnoticeReceiver receiver, void *arg)
{
    (void)conn;
    fake.receiver = receiver;
    fake.receiver_arg = arg;
    return NULL;
}

void
fake_notice(const char *message)
{
    PGresult notice = {{PGRES_NONFATAL_ERROR, message}};
    fake.receiver(fake.receiver_arg, &notice);
}

/* ---- Running ---- */

int
PQsendQuery(PGconn *conn, const char *sql)
{
    (void)conn;
    (void)sql;
    return fake.send_fails ? 0 : 1;
}

int
PQsendQueryParams(PGconn *conn, const char *sql, int count, const Oid *types,
                  const char *const *values, const int *lengths, const int *formats,
                  int format)
{
    (void)types;
    (void)values;
    (void)lengths;
    (void)formats;
    if (!fake.pipelined || count != 0 || format != 0)
        abort();
    fake.sent++;
    return PQsendQuery(conn, sql);
}

int
PQenterPipelineMode(PGconn *conn)
{
    (void)conn;
    if (!fake.enter_fails)
        fake.pipelined = true;
    return !fake.enter_fails;
}

int
PQexitPipelineMode(PGconn *conn)
{
    (void)conn;
    if (!fake.exit_fails)
        fake.pipelined = false;
    return !fake.exit_fails;
}

int
PQpipelineSync(PGconn *conn)
{
    (void)conn;
    if (!fake.pipelined)
        abort();
    return !fake.sync_fails;
}

int
PQflush(PGconn *conn)
{
    (void)conn;
    char outcome = next(&fake.flushes, '0');
    if (outcome == 'x') {
        fake.bad = true;
        return -1;
    }
    return outcome - '0';
}

int
PQconsumeInput(PGconn *conn)
{
    (void)conn;
    if (fake.busy > 0)
        fake.busy--;
    if (next(&fake.consumes, '1') == 'x') {
        fake.bad = true;
        return 0;
    }
    return 1;
}

int
PQisBusy(PGconn *conn)
{
    (void)conn;
    /* As libpq's: on a connection that is gone PQgetResult has something to say. */
    return fake.busy > 0 && !fake.bad;
}

PGresult *
PQgetResult(PGconn *conn)
{
    (void)conn;
    if (fake.answers == NULL)
        abort();
    fake_answer answer = *fake.answers++;
    fake.busy = fake.busy_again;
    if (answer.status == FAKE_END)
        return NULL;
    PGresult *result = calloc(1, sizeof *result);
    if (result == NULL)
        abort();
    result->answer = answer;
    fake.results++;
    return result;
}

void
PQclear(PGresult *result)
{
    if (result == NULL)
        return;
    fake.results--;
    free(result);
}

ExecStatusType
PQresultStatus(const PGresult *result)
{
    return (ExecStatusType)result->answer.status;
}

char *
PQresultErrorMessage(const PGresult *result)
{
    static char text[500];
    snprintf(text, sizeof text, "%s", result->answer.message);
    return text;
}

char *
PQresultErrorField(const PGresult *result, int field)
{
    static char severity[] = "ERROR";
    return field == PG_DIAG_SEVERITY && result->answer.status == PGRES_FATAL_ERROR
               ? severity
               : NULL;
}

PGnotify *
PQnotifies(PGconn *conn)
{
    (void)conn;
    return NULL;
}

void
PQfreemem(void *memory)
{
    free(memory);
}

/* ---- COPY ---- */

static int
put(void)
{
    char outcome = next(&fake.puts, '1');
    if (outcome == 'x') {
        fake.bad = true;
        return -1;
    }
    return outcome - '0';
}

int
PQputCopyData(PGconn *conn, const char *bytes, int len)
{
    (void)conn;
    (void)bytes;
    (void)len;
    return put();
}

int
PQputCopyEnd(PGconn *conn, const char *reason)
{
    (void)conn;
    fake.copied_reason = reason;
    return put();
}

int
PQgetCopyData(PGconn *conn, char **row, int async)
{
    (void)conn;
    (void)async;
    *row = NULL;
    switch (next(&fake.gets, 'e')) {
    case 'd':
        *row = strdup("row\n");
        return 4;
    case '0':
        return 0;
    case 'x':
        return -2;
    default:
        return -1;
    }
}

/* ---- Cancelling ---- */

/* Wait as a network does. */
static void
be_slow(void)
{
    struct timespec pause = {0, 50000000};
    nanosleep(&pause, NULL);
}

#if defined(LIBPQ_HAS_ASYNC_CANCEL)

struct pg_cancel_conn {
    char outcome;
    int polled;
};

PGcancelConn *
PQcancelCreate(PGconn *conn)
{
    (void)conn;
    PGcancelConn *made = fake.no_cancel ? NULL : calloc(1, sizeof *made);
    if (made != NULL) {
        made->outcome = next(&fake.cancels, '1');
        fake.cancel_objects++;
    }
    return made;
}

int
PQcancelStart(PGcancelConn *cancel)
{
    return cancel->outcome != 'x';
}

PostgresPollingStatusType
PQcancelPoll(PGcancelConn *cancel)
{
    if (cancel->outcome == 's' && cancel->polled++ < 2) {
        be_slow();
        return cancel->polled == 1 ? PGRES_POLLING_WRITING : PGRES_POLLING_READING;
    }
    return PGRES_POLLING_OK;
}

int
PQcancelSocket(const PGcancelConn *cancel)
{
    (void)cancel;
    return 0;
}

char *
PQcancelErrorMessage(const PGcancelConn *cancel)
{
    static char text[] = "no such server";
    (void)cancel;
    return text;
}

void
PQcancelFinish(PGcancelConn *cancel)
{
    fake.cancel_objects--;
    free(cancel);
}

#else

PGcancel *
PQgetCancel(PGconn *conn)
{
    (void)conn;
    PGcancel *made = fake.no_cancel ? NULL : calloc(1, sizeof *made);
    if (made != NULL)
        made->outcome = next(&fake.cancels, '1');
    return made;
}

/* Called by a thread of its own: touches nothing that others do. */
int
PQcancel(PGcancel *cancel, char *text, int size)
{
    if (cancel->outcome == 's')
        be_slow();
    if (cancel->outcome == 'x')
        snprintf(text, (size_t)size, "no such server");
    return cancel->outcome != 'x';
}

void
PQfreeCancel(PGcancel *cancel)
{
    free(cancel);
}

#endif
