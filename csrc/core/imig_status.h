/* imig_status.h - the only list of status codes.
 *
 * 0 is success, negative is failure; a function's comment names the few it can
 * return.  Codes say which exception the binding raises; the data is in imig_error. */
#ifndef IMIG_STATUS_H
#define IMIG_STATUS_H

typedef enum imig_status {
    IMIG_OK = 0,
    IMIG_E_NOMEM = -1,     /* an allocation failed; nothing was changed */
    IMIG_E_LIMIT = -2,     /* input exceeds a documented limit */
    IMIG_E_ARGUMENT = -3,  /* the caller passed something that cannot be meant */
    IMIG_E_DUPLICATE = -4, /* two nodes or labels share an identifier */
    IMIG_E_MISSING = -5,   /* an identifier names nothing */
    IMIG_E_CYCLE = -6,     /* the graph has a cycle */
    IMIG_E_RANGE = -7,     /* two revisions are not ancestor and descendant */
    IMIG_E_IO = -8,        /* the operating system refused; see imig_error.sys_errno */
    IMIG_E_LOST = -9,      /* the server connection is gone */
    IMIG_E_SERVER = -10,   /* the server answered with an error; see the diagnostic */
} imig_status;

/* Static name of a status ("IMIG_E_CYCLE"), for messages and tests. Never NULL. */
const char *imig_status_name(imig_status status);

#endif /* IMIG_STATUS_H */
