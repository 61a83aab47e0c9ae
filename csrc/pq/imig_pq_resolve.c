/* imig_pq_resolve.c - getaddrinfo() in a thread of its own.
 *
 * Memory is asked for and laid out by the caller's thread; the other one only calls
 * getaddrinfo, stores what it got, and closes its end of the pipe. */
#define _GNU_SOURCE /* pipe2 */
#include "imig_pq_resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imig_alloc.h"

struct imig_pq_resolve {
    atomic_int holders; /* caller and thread; who leaves last frees */
    int read_fd;        /* the caller's */
    int write_fd;       /* the thread's, once it has started */
    atomic_bool done;   /* the two below may be read */
    int failure;        /* of getaddrinfo */
    struct addrinfo *found;
    char **addresses; /* made by imig_pq_resolve_result */
    size_t count;
    char name[];
};

static void
let_go(imig_pq_resolve *r)
{
    if (atomic_fetch_sub(&r->holders, 1) != 1)
        return;
    if (r->found != NULL)
        freeaddrinfo(r->found);
    imig_free(r);
}

static void *
look_up(void *arg)
{
    imig_pq_resolve *r = arg;
    struct addrinfo hints;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    r->failure = getaddrinfo(r->name, NULL, &hints, &r->found);
    if (r->failure != 0)
        r->found = NULL;
    atomic_store(&r->done, true);
    close(r->write_fd);
    let_go(r);
    return NULL;
}

/* Start the thread detached, with all signals blocked: they are for the others. */
static int
start_thread(imig_pq_resolve *r)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0)
        return failure;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&thread, &attributes, look_up, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failure;
}

imig_status
imig_pq_resolve_start(imig_pq_resolve **out, const char *name, imig_error *err)
{
    size_t size = strlen(name) + 1;
    int ends[2], failure;
    imig_pq_resolve *r = imig_alloc(sizeof *r + size);
    if (r == NULL)
        return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
    memset(r, 0, sizeof *r);
    memcpy(r->name, name, size);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        failure = errno;
        imig_free(r);
        return imig_error_set(err, IMIG_E_IO, "cannot look up a host name: %s",
                              strerror(failure));
    }
    r->read_fd = ends[0];
    r->write_fd = ends[1];
    atomic_init(&r->holders, 2);
    atomic_init(&r->done, false);
    if ((failure = start_thread(r)) != 0) {
        close(ends[0]);
        close(ends[1]);
        imig_free(r);
        return imig_error_set(err, IMIG_E_IO, "cannot look up a host name: %s",
                              strerror(failure));
    }
    *out = r;
    return IMIG_OK;
}

int
imig_pq_resolve_fd(const imig_pq_resolve *r)
{
    return r->read_fd;
}

bool
imig_pq_resolve_is_done(const imig_pq_resolve *r)
{
    return atomic_load(&r->done);
}

/* The numeric text of an address, or "". */
static void
numeric(const struct addrinfo *found, char *text, socklen_t size)
{
    if (getnameinfo(found->ai_addr, found->ai_addrlen, text, size, NULL, 0,
                    NI_NUMERICHOST) != 0)
        text[0] = '\0';
}

static bool
is_listed(const imig_pq_resolve *r, const char *text)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->addresses[i], text) == 0)
            return true;
    return false;
}

/* Append one address unless it is there already. */
static imig_status
list_address(imig_pq_resolve *r, const struct addrinfo *found)
{
    char text[NI_MAXHOST];
    numeric(found, text, sizeof text);
    if (text[0] == '\0' || is_listed(r, text))
        return IMIG_OK;
    size_t size = strlen(text) + 1;
    char *copy = imig_alloc(size);
    if (copy == NULL)
        return IMIG_E_NOMEM;
    memcpy(copy, text, size);
    r->addresses[r->count++] = copy;
    return IMIG_OK;
}

imig_status
imig_pq_resolve_result(imig_pq_resolve *r, char *const **addresses, size_t *count,
                       imig_error *err)
{
    size_t most = 0;
    for (const struct addrinfo *each = r->found; each != NULL; each = each->ai_next)
        most++;
    if (most == 0)
        return imig_error_set(err, IMIG_E_MISSING, "%s",
                              r->failure != 0 ? gai_strerror(r->failure)
                                              : "no address");
    if (r->addresses == NULL) {
        r->addresses = imig_alloc_zeroed(most, sizeof *r->addresses);
        if (r->addresses == NULL)
            return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
        for (const struct addrinfo *each = r->found; each != NULL; each = each->ai_next)
            if (list_address(r, each) != IMIG_OK)
                return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
    }
    *addresses = r->addresses;
    *count = r->count;
    return IMIG_OK;
}

void
imig_pq_resolve_free(imig_pq_resolve *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        imig_free(r->addresses[i]);
    imig_free(r->addresses);
    close(r->read_fd);
    let_go(r);
}
