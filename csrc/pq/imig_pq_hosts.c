/* imig_pq_hosts.c - which hosts to try, in which order. */
#define _POSIX_C_SOURCE 200809L
#include "imig_pq_hosts.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "imig_alloc.h"

/* A value that libpq refuses after it has filled in every option and before it opens a
 * socket (fe-connect.c, connectOptions2): the way to see what a service file says. */
static const char *const STOP_KEYWORD = "channel_binding";
static const char *const STOP_VALUE = "?";

static char *
copy_bytes(const char *text, size_t len)
{
    char *copy = imig_alloc(len + 1);
    if (copy != NULL) {
        if (len != 0)
            memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

static char *
copy_text(const char *text)
{
    return copy_bytes(text, strlen(text));
}

static void
free_host(imig_pq_host *host)
{
    imig_free(host->host);
    imig_free(host->addr);
    imig_free(host->port);
}

/* Password included: it is wiped. */
static void
free_options(imig_pq_hosts *h)
{
    for (size_t i = 0; h->keywords != NULL && h->keywords[i] != NULL; i++) {
        imig_free(h->keywords[i]);
        if (h->values[i] != NULL)
            memset(h->values[i], 0, strlen(h->values[i]));
        imig_free(h->values[i]);
    }
    imig_free(h->keywords);
    imig_free(h->values);
}

void
imig_pq_hosts_clear(imig_pq_hosts *h)
{
    free_options(h);
    for (size_t i = 0; i < h->count; i++)
        free_host(&h->list[i]);
    imig_free(h->list);
    memset(h, 0, sizeof *h);
}

static imig_status
copy_options(imig_pq_hosts *h, const char *const *keywords, const char *const *values)
{
    size_t count = 0;
    while (keywords[count] != NULL)
        count++;
    h->keywords = imig_alloc_zeroed(count + 1, sizeof *h->keywords);
    h->values = imig_alloc_zeroed(count + 1, sizeof *h->values);
    if (h->keywords == NULL || h->values == NULL)
        return IMIG_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        if ((h->values[i] = copy_text(values[i])) == NULL)
            return IMIG_E_NOMEM;
        if ((h->keywords[i] = copy_text(keywords[i])) == NULL) {
            imig_free(h->values[i]);
            return IMIG_E_NOMEM;
        }
    }
    return IMIG_OK;
}

/* Number of comma-separated items; 0 for no list at all. */
static size_t
items(const char *list)
{
    size_t count = 1;
    if (list == NULL || *list == '\0')
        return 0;
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* Item `n` of a list, copied; "" where the list is shorter. */
static char *
item(const char *list, size_t n)
{
    if (list == NULL)
        return copy_text("");
    for (; n > 0; n--) {
        const char *comma = strchr(list, ',');
        if (comma == NULL)
            return copy_text("");
        list = comma + 1;
    }
    return copy_bytes(list, strcspn(list, ","));
}

/* Options as libpq understood them. */
typedef struct effective {
    const char *host, *addr, *port, *timeout, *target, *balance;
} effective;

static effective
read_effective(const PQconninfoOption *options)
{
    effective found = {NULL, NULL, NULL, NULL, NULL, NULL};
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, "host") == 0)
            found.host = options->val;
        else if (strcmp(options->keyword, "hostaddr") == 0)
            found.addr = options->val;
        else if (strcmp(options->keyword, "port") == 0)
            found.port = options->val;
        else if (strcmp(options->keyword, "connect_timeout") == 0)
            found.timeout = options->val;
        else if (strcmp(options->keyword, "target_session_attrs") == 0)
            found.target = options->val;
        else if (strcmp(options->keyword, "load_balance_hosts") == 0)
            found.balance = options->val;
    }
    return found;
}

/* As libpq's connectDBComplete: no number, 0 and less mean for ever. */
static int
timeout_ms(const char *text)
{
    char *end;
    long seconds = text != NULL ? strtol(text, &end, 10) : 0;
    if (seconds <= 0)
        return 0;
    return seconds > 2000000 ? 2000000000 : (int)seconds * 1000;
}

static void
shuffle(imig_pq_host *list, size_t count)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t state = ((uint64_t)now.tv_nsec << 20) ^ (uint64_t)(uintptr_t)list;
    for (size_t i = count; i > 1; i--) {
        /* Knuth's multiplier; quality is of no matter, spreading the load is. */
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t other = (size_t)((state >> 33) % i);
        imig_pq_host swap = list[i - 1];
        list[i - 1] = list[other];
        list[other] = swap;
    }
}

/* Split the lists. Hosts, addresses and ports must add up as in libpq. */
static imig_status
make_list(imig_pq_hosts *h, const effective *e)
{
    size_t hosts = items(e->host), addrs = items(e->addr), ports = items(e->port);
    size_t count = addrs != 0 ? addrs : hosts != 0 ? hosts : 1;
    if ((addrs != 0 && hosts != 0 && hosts != addrs) || (ports > 1 && ports != count)) {
        h->as_given = true;
        count = 1;
    }
    if ((h->list = imig_alloc_zeroed(count, sizeof *h->list)) == NULL)
        return IMIG_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        imig_pq_host *host = &h->list[h->count++];
        host->host = item(e->host, i);
        host->addr = item(e->addr, i);
        host->port = item(e->port, ports == 1 ? 0 : i);
        if (host->host == NULL || host->addr == NULL || host->port == NULL)
            return IMIG_E_NOMEM;
    }
    h->timeout_ms = timeout_ms(e->timeout);
    h->prefer_standby = e->target != NULL && strcmp(e->target, "prefer-standby") == 0;
    if (e->balance != NULL && strcmp(e->balance, "random") == 0)
        shuffle(h->list, h->count);
    return IMIG_OK;
}

/* Ask libpq for the options in effect, by a connection that it refuses to make. */
static imig_status
look(imig_pq_hosts *h, imig_error *err)
{
    imig_status st = IMIG_E_NOMEM;
    PGconn *probe = NULL;
    PQconninfoOption *options = NULL;
    size_t room = imig_pq_hosts_room(h), n = 0;
    const char **keywords = imig_alloc_array(room, sizeof *keywords);
    const char **values = imig_alloc_array(room, sizeof *values);
    if (keywords == NULL || values == NULL)
        goto out;
    for (; h->keywords[n] != NULL; n++) {
        keywords[n] = h->keywords[n];
        values[n] = h->values[n];
    }
    keywords[n] = STOP_KEYWORD;
    values[n] = STOP_VALUE;
    keywords[n + 1] = values[n + 1] = NULL;
    if ((probe = PQconnectStartParams(keywords, values, 0)) == NULL ||
        (options = PQconninfo(probe)) == NULL)
        goto out;
    effective found = read_effective(options);
    st = make_list(h, &found);
out:
    PQconninfoFree(options);
    PQfinish(probe);
    imig_free(keywords);
    imig_free(values);
    return st == IMIG_OK ? st : imig_error_set(err, st, "out of memory");
}

imig_status
imig_pq_hosts_init(imig_pq_hosts *h, const char *const *keywords,
                   const char *const *values, imig_error *err)
{
    memset(h, 0, sizeof *h);
    imig_status st = copy_options(h, keywords, values);
    if (st == IMIG_OK)
        st = look(h, err);
    if (st != IMIG_OK) {
        imig_pq_hosts_clear(h);
        return imig_error_set(err, st, "out of memory");
    }
    return IMIG_OK;
}

bool
imig_pq_host_is_name(const imig_pq_hosts *h)
{
    unsigned char address[sizeof(struct in6_addr)];
    const imig_pq_host *host = &h->list[h->at];
    /* As libpq's is_unixsock_path: a path, or an abstract socket. */
    if (h->as_given || host->addr[0] != '\0' || host->host[0] == '\0' ||
        host->host[0] == '/' || host->host[0] == '@')
        return false;
    /* A scope ("fe80::1%eth0") is left to libpq as well. */
    return inet_pton(AF_INET, host->host, address) != 1 &&
           inet_pton(AF_INET6, host->host, address) != 1 &&
           strchr(host->host, '%') == NULL;
}

/* One more entry, of the same name, behind `at`; NULL when out of memory. */
static imig_pq_host *
insert_after(imig_pq_hosts *h, size_t at)
{
    imig_pq_host copy = {copy_text(h->list[at].host), NULL,
                         copy_text(h->list[at].port)};
    imig_pq_host *grown =
        copy.host != NULL && copy.port != NULL
            ? imig_realloc_array(h->list, h->count + 1, sizeof *h->list)
            : NULL;
    if (grown == NULL) {
        free_host(&copy);
        return NULL;
    }
    h->list = grown;
    memmove(&grown[at + 2], &grown[at + 1], (h->count - at - 1) * sizeof *grown);
    grown[at + 1] = copy;
    h->count++;
    return &grown[at + 1];
}

imig_status
imig_pq_hosts_expand(imig_pq_hosts *h, char *const *addresses, size_t count,
                     imig_error *err)
{
    for (size_t i = 0; i < count; i++) {
        imig_pq_host *host = i == 0 ? &h->list[h->at] : insert_after(h, h->at + i - 1);
        char *copy = host != NULL ? copy_text(addresses[i]) : NULL;
        if (copy == NULL)
            return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
        imig_free(host->addr);
        host->addr = copy;
    }
    return IMIG_OK;
}

bool
imig_pq_hosts_next(imig_pq_hosts *h, bool other_host)
{
    const imig_pq_host *before = &h->list[h->at];
    do
        h->at++;
    while (other_host && h->at < h->count &&
           strcmp(h->list[h->at].host, before->host) == 0 &&
           strcmp(h->list[h->at].port, before->port) == 0 && before->host[0] != '\0');
    if (h->at < h->count)
        return true;
    if (!h->prefer_standby || h->second_round)
        return false;
    h->second_round = true;
    h->at = 0;
    return true;
}

size_t
imig_pq_hosts_room(const imig_pq_hosts *h)
{
    size_t count = 0;
    while (h->keywords[count] != NULL)
        count++;
    return count + IMIG_PQ_OVERRIDES;
}

void
imig_pq_hosts_options(const imig_pq_hosts *h, const char **keywords,
                      const char **values)
{
    const imig_pq_host *host = &h->list[h->at];
    size_t n = 0;
    for (; h->keywords[n] != NULL; n++) {
        keywords[n] = h->keywords[n];
        values[n] = h->values[n];
    }
    if (!h->as_given) {
        keywords[n] = "host";
        values[n++] = host->host;
        keywords[n] = "hostaddr";
        values[n++] = host->addr;
        keywords[n] = "port";
        values[n++] = host->port;
    }
    if (h->prefer_standby) {
        keywords[n] = "target_session_attrs";
        values[n++] = h->second_round ? "any" : "standby";
    }
    keywords[n] = values[n] = NULL;
}
