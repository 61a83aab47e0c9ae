/* pq_copyfit.h - which values may go through COPY in INSERT's place. */
#ifndef PQ_COPYFIT_H
#define PQ_COPYFIT_H

#include "pq_adapt.h"

/* A column to be filled. */
typedef struct imigpy_target {
    PyObject *key;        /* of a row that is a mapping; borrowed */
    unsigned int type;    /* its OID; of a domain that of the base type */
    unsigned int element; /* of an array, or 0 where lists are not to be copied */
    bool cast;            /* the INSERT has a cast to the column's own type */
} imigpy_target;

/* Whether `value`, whose form was just found, is stored by COPY as INSERT stores its
 * literal: 1, 0, or -1 with an exception.  After a list w->text is used up. */
IMIG_NODISCARD int imigpy_copy_fits(imigpy_writer *w, const imigpy_form *form,
                                    PyObject *value, const imigpy_target *target);

#endif /* PQ_COPYFIT_H */
