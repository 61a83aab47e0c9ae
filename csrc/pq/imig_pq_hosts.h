/* imig_pq_hosts.h - which hosts to try, in which order.
 *
 * libpq leaves connect_timeout to whoever calls PQconnectPoll, and gives no way to go
 * on to the next host when it is over.  So each address is a connection attempt of its
 * own, with libpq's options but for host, hostaddr, port and target_session_attrs. */
#ifndef IMIG_PQ_HOSTS_H
#define IMIG_PQ_HOSTS_H

#include "imig_base.h"
#include "imig_error.h"

typedef struct imig_pq_host {
    char *host; /* name, path of a socket folder, "" for libpq's default */
    char *addr; /* numeric address, "" when not known */
    char *port; /* "" for libpq's default */
} imig_pq_host;

typedef struct imig_pq_hosts {
    char **keywords; /* as given; ended by NULL */
    char **values;
    imig_pq_host *list;
    size_t count;
    size_t at;           /* the one being tried */
    int timeout_ms;      /* connect_timeout, 0 = none */
    bool as_given;       /* hosts that do not add up: libpq says what is wrong */
    bool prefer_standby; /* first round: only standbys */
    bool second_round;   /* ... second round: any */
} imig_pq_hosts;

/* Copy the options and find out the hosts: from the options, the service file, the
 * environment, as libpq does.  IMIG_E_NOMEM, or IMIG_E_ARGUMENT with libpq's text. */
IMIG_NODISCARD imig_status imig_pq_hosts_init(imig_pq_hosts *h,
                                              const char *const *keywords,
                                              const char *const *values,
                                              imig_error *err);
void imig_pq_hosts_clear(imig_pq_hosts *h);

/* Whether the current host's name must be looked up before connecting. */
IMIG_NODISCARD bool imig_pq_host_is_name(const imig_pq_hosts *h);

/* Replace the current host by one entry per address.  `addresses`: `count` strings. */
IMIG_NODISCARD imig_status imig_pq_hosts_expand(imig_pq_hosts *h,
                                                char *const *addresses, size_t count,
                                                imig_error *err);

/* Go to the next host; with `other_host` addresses of the same name are passed over.
 * False when there is none. */
IMIG_NODISCARD bool imig_pq_hosts_next(imig_pq_hosts *h, bool other_host);

#define IMIG_PQ_OVERRIDES 8

/* The options for the current host: `keywords` and `values` are filled, ended by NULL,
 * with pointers into `h`; room for imig_pq_hosts_room() each. */
IMIG_NODISCARD size_t imig_pq_hosts_room(const imig_pq_hosts *h);
void imig_pq_hosts_options(const imig_pq_hosts *h, const char **keywords,
                           const char **values);

#endif /* IMIG_PQ_HOSTS_H */
