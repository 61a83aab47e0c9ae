/* imig_pq_conn.c - life of a connection: connect, look, close. */
#define _POSIX_C_SOURCE 200809L
#include "imig_pq_impl.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "imig_alloc.h"

int64_t
imig_pq_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

imig_pq_conn *
imig_pq_new(void)
{
    imig_pq_conn *c = imig_alloc_zeroed(1, sizeof *c);
    if (c != NULL) {
        c->owner = getpid();
        c->fd = -1;
    }
    return c;
}

bool
imig_pq_is_ours(const imig_pq_conn *c)
{
    return c->owner == getpid();
}

static void
free_entries(imig_pq_conn *c)
{
    while (c->head != NULL) {
        imig_pq_entry *next = c->head->next;
        PQclear(c->head->result);
        imig_free(c->head);
        c->head = next;
    }
    c->tail = NULL;
    c->queued = 0;
    imig_pq_pipeline_clear(c);
}

void
imig_pq_drop(imig_pq_conn *c)
{
    PGconn *pg = c->pg;
    c->pg = NULL;
    c->fd = -1;
    c->phase = IMIG_PQ_CLOSED;
    imig_pq_resolve_free(c->resolving);
    c->resolving = NULL;
    free_entries(c);
    PQclear(c->result);
    c->result = NULL;
    /* PQfinish would say goodbye to the server in the parent's name. What libpq
     * allocated stays with this child. */
    if (pg != NULL && imig_pq_is_ours(c))
        PQfinish(pg);
}

void
imig_pq_free(imig_pq_conn *c)
{
    if (c == NULL)
        return;
    imig_pq_drop(c);
    for (; c->notice_count > 0; c->notice_count--) {
        imig_free(c->notices[c->notice_first]);
        c->notice_first = (c->notice_first + 1) % IMIG_PQ_NOTICES;
    }
    imig_pq_hosts_clear(&c->hosts);
    imig_buf_clear(&c->message);
    imig_free(c);
}

void
imig_pq_abort(const imig_pq_conn *c)
{
    int fd = c->fd;
    if (fd >= 0 && imig_pq_is_ours(c))
        (void)shutdown(fd, SHUT_RDWR);
}

imig_pq_phase
imig_pq_get_phase(const imig_pq_conn *c)
{
    return c->phase;
}

int
imig_pq_fd(const imig_pq_conn *c)
{
    return c->resolving != NULL ? imig_pq_resolve_fd(c->resolving) : c->fd;
}

PGconn *
imig_pq_raw(const imig_pq_conn *c)
{
    return c->pg;
}

const char *
imig_pq_message(const imig_pq_conn *c)
{
    return c->message.data != NULL ? c->message.data : "";
}

const char *
imig_pq_sqlstate(const imig_pq_conn *c)
{
    return c->sqlstate;
}

bool
imig_pq_is_broken(const imig_pq_conn *c)
{
    return c->broken || (c->phase != IMIG_PQ_CONNECTING && c->pg != NULL &&
                         PQstatus(c->pg) == CONNECTION_BAD);
}

imig_status
imig_pq_lost(imig_pq_conn *c, imig_error *err)
{
    c->broken = true;
    if (c->message.len == 0) {
        const char *text = c->pg != NULL ? PQerrorMessage(c->pg) : "";
        size_t len = strlen(text);
        while (len > 0 && text[len - 1] == '\n')
            len--;
        if (len == 0)
            imig_buf_str(&c->message, "server closed the connection unexpectedly");
        else
            imig_buf_add(&c->message, text, len);
    }
    return imig_error_set(err, IMIG_E_LOST, "%s", imig_pq_message(c));
}

/* ---- Connecting ---- */

/* Hand the current host to libpq. */
static imig_status
begin_host(imig_pq_conn *c, imig_error *err)
{
    imig_status st = IMIG_E_NOMEM;
    size_t room = imig_pq_hosts_room(&c->hosts);
    const char **keywords = imig_alloc_array(room, sizeof *keywords);
    const char **values = imig_alloc_array(room, sizeof *values);
    if (keywords == NULL || values == NULL)
        goto out;
    imig_pq_hosts_options(&c->hosts, keywords, values);
    if ((c->pg = PQconnectStartParams(keywords, values, 0)) == NULL)
        goto out;
    c->fd = PQsocket(c->pg);
    /* The only way to learn the SQLSTATE of a refused connection. */
    PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(c->pg, imig_pq_on_notice, c);
    st = IMIG_OK;
out:
    imig_free(keywords);
    imig_free(values);
    return st == IMIG_OK ? st : imig_error_set(err, st, "out of memory");
}

static void
start_clock(imig_pq_conn *c)
{
    c->deadline_ms =
        c->hosts.timeout_ms > 0 ? imig_pq_now_ms() + c->hosts.timeout_ms : 0;
}

/* Look up the current host's name, or connect to it when there is nothing to look up.
 */
static imig_status
try_host(imig_pq_conn *c, imig_error *err)
{
    start_clock(c);
    if (imig_pq_host_is_name(&c->hosts)) {
        imig_status st =
            imig_pq_resolve_start(&c->resolving, c->hosts.list[c->hosts.at].host, err);
        /* Without a thread libpq looks it up, in its blocking way. */
        if (st != IMIG_E_IO)
            return st;
    }
    return begin_host(c, err);
}

imig_status
imig_pq_connect_start(imig_pq_conn *c, const char *const *keywords,
                      const char *const *values, imig_error *err)
{
    if (c->phase != IMIG_PQ_CLOSED || c->hosts.list != NULL)
        return imig_error_set(err, IMIG_E_ARGUMENT, "already connected");
    imig_status st = imig_pq_hosts_init(&c->hosts, keywords, values, err);
    if (st == IMIG_OK)
        st = try_host(c, err);
    if (st == IMIG_OK)
        c->phase = IMIG_PQ_CONNECTING;
    return st;
}

static bool
is_sqlstate(const char *text)
{
    for (int i = 0; i < 5; i++)
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'A' && text[i] <= 'Z'))
            return false;
    return text[5] == ':' && text[6] == ' ';
}

/* Whether a line is the place in the server's source that PQERRORS_VERBOSE adds:
 * "LOCATION:  function, file.c:123", its first word in the client's language. */
static bool
is_location(const char *line, size_t len)
{
    size_t word = strcspn(line, ":\n"), end = len;
    if (word == 0 || word + 3 > len || strncmp(line + word, ":  ", 3) != 0)
        return false;
    while (end > 0 && line[end - 1] >= '0' && line[end - 1] <= '9')
        end--;
    return end < len && end > word + 6 && strncmp(line + end - 3, ".c:", 3) == 0;
}

/* Append libpq's text about a failed attempt as it would be without
 * PQERRORS_VERBOSE, and take the SQLSTATE out of it. */
static void
note_failure(imig_pq_conn *c, const char *text)
{
    c->sqlstate[0] = '\0';
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        const char *state = strstr(text, ":  ");
        if (len != 0 && !is_location(text, len)) {
            if (c->message.len != 0)
                imig_buf_byte(&c->message, '\n');
            if (state != NULL && state < text + len && is_sqlstate(state + 3)) {
                memcpy(c->sqlstate, state + 3, 5);
                c->sqlstate[5] = '\0';
                imig_buf_add(&c->message, text, (size_t)(state + 3 - text));
                imig_buf_add(&c->message, state + 10,
                             (size_t)(text + len - state) - 10);
            } else {
                imig_buf_add(&c->message, text, len);
            }
        }
        text += len + (text[len] == '\n');
    }
}

/* Give the current host up and begin with the next.  AGAIN or FAILED. */
static imig_pq_step
next_host(imig_pq_conn *c, bool other_host, imig_error *err)
{
    imig_pq_drop(c);
    c->phase = IMIG_PQ_CONNECTING;
    while (imig_pq_hosts_next(&c->hosts, other_host)) {
        imig_status st = try_host(c, err);
        if (st == IMIG_OK)
            return IMIG_PQ_AGAIN;
        imig_pq_drop(c);
        return IMIG_PQ_FAILED;
    }
    imig_pq_drop(c);
    c->broken = true;
    imig_error_set(err, IMIG_E_LOST, "%s", imig_pq_message(c));
    return IMIG_PQ_FAILED;
}

static imig_pq_step
timed_out(imig_pq_conn *c, imig_error *err)
{
    const imig_pq_host *host = &c->hosts.list[c->hosts.at];
    imig_buf text = IMIG_BUF_INIT;
    imig_buf_str(&text, "connection to server at \"");
    imig_buf_str(&text, host->host[0] != '\0' ? host->host : host->addr);
    if (host->host[0] != '\0' && host->addr[0] != '\0') {
        imig_buf_str(&text, "\" (");
        imig_buf_str(&text, host->addr);
        imig_buf_str(&text, ")");
    } else {
        imig_buf_byte(&text, '"');
    }
    imig_buf_str(&text, " failed: timeout expired");
    if (!text.failed)
        note_failure(c, text.data);
    imig_buf_clear(&text);
    return next_host(c, false, err);
}

/* Put the addresses of the name in the place of the name, and connect. */
static imig_pq_step
resolved(imig_pq_conn *c, imig_error *err)
{
    char *const *addresses = NULL;
    size_t count = 0;
    imig_pq_resolve *r = c->resolving;
    imig_status st = imig_pq_resolve_result(r, &addresses, &count, err);
    if (st == IMIG_OK)
        st = imig_pq_hosts_expand(&c->hosts, addresses, count, err);
    imig_pq_resolve_free(r);
    c->resolving = NULL;
    if (st == IMIG_E_MISSING) {
        imig_buf text = IMIG_BUF_INIT;
        imig_buf_str(&text, "could not translate host name \"");
        imig_buf_str(&text, c->hosts.list[c->hosts.at].host);
        imig_buf_str(&text, "\" to address: ");
        imig_buf_str(&text, err->message);
        if (!text.failed)
            note_failure(c, text.data);
        imig_buf_clear(&text);
        return next_host(c, false, err);
    }
    if (st != IMIG_OK || begin_host(c, err) != IMIG_OK) {
        imig_pq_drop(c);
        return IMIG_PQ_FAILED;
    }
    return IMIG_PQ_AGAIN;
}

/* An attempt failed. libpq's rules (PQconnectPoll): the next address where the
 * connection or the kind of server was the matter, the next host where this one is
 * starting or stopping, and none where the server refused the user. */
static imig_pq_step
attempt_failed(imig_pq_conn *c, imig_error *err)
{
    note_failure(c, PQerrorMessage(c->pg));
    if (c->sqlstate[0] == '\0')
        return next_host(c, false, err);
    if (strcmp(c->sqlstate, "57P03") == 0)
        return next_host(c, true, err);
    imig_pq_drop(c);
    c->broken = true;
    imig_error_set(err, IMIG_E_LOST, "%s", imig_pq_message(c));
    return IMIG_PQ_FAILED;
}

static imig_pq_step
connected(imig_pq_conn *c, imig_error *err)
{
    PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
    if (PQsetnonblocking(c->pg, 1) != 0) {
        (void)imig_pq_lost(c, err);
        return IMIG_PQ_FAILED;
    }
    imig_buf_clear(&c->message);
    c->sqlstate[0] = '\0';
    c->phase = IMIG_PQ_READY;
    imig_pq_hosts_clear(&c->hosts);
    return IMIG_PQ_DONE;
}

imig_pq_step
imig_pq_connect_step(imig_pq_conn *c, int *want, imig_error *err)
{
    *want = IMIG_PQ_WANT_READ;
    if (c->phase != IMIG_PQ_CONNECTING) {
        imig_error_set(err, IMIG_E_ARGUMENT, "not connecting");
        return IMIG_PQ_FAILED;
    }
    for (;;) {
        imig_pq_step step = IMIG_PQ_AGAIN;
        if (imig_pq_connect_timeout_ms(c) == 0) {
            step = timed_out(c, err);
        } else if (c->resolving != NULL) {
            if (!imig_pq_resolve_is_done(c->resolving))
                return IMIG_PQ_AGAIN;
            step = resolved(c, err);
        }
        if (step != IMIG_PQ_AGAIN)
            return step;
        if (c->resolving != NULL)
            continue;
        PostgresPollingStatusType poll = PQstatus(c->pg) == CONNECTION_BAD
                                             ? PGRES_POLLING_FAILED
                                             : PQconnectPoll(c->pg);
        c->fd = PQsocket(c->pg);
        if (poll == PGRES_POLLING_OK)
            return connected(c, err);
        if (poll != PGRES_POLLING_FAILED) {
            *want =
                poll == PGRES_POLLING_WRITING ? IMIG_PQ_WANT_WRITE : IMIG_PQ_WANT_READ;
            return IMIG_PQ_AGAIN;
        }
        if ((step = attempt_failed(c, err)) != IMIG_PQ_AGAIN)
            return step;
    }
}

int
imig_pq_connect_timeout_ms(const imig_pq_conn *c)
{
    if (c->deadline_ms == 0)
        return -1;
    int64_t left = c->deadline_ms - imig_pq_now_ms();
    return left > 0 ? (int)left : 0;
}
