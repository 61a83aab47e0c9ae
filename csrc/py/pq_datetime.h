/* pq_datetime.h - datetime's C interface, found per interpreter. */
#ifndef PQ_DATETIME_H
#define PQ_DATETIME_H

#include "pq_values.h"

#include <datetime.h>

/* The macros PyDateTime_FromXxx and PyXxx_Check of datetime.h use a static pointer:
 * one for all interpreters. Go through this instead. */
static inline PyDateTime_CAPI *
imigpy_datetime(const imigpy_values *v)
{
    (void)PyDateTimeAPI;
    return (PyDateTime_CAPI *)v->datetime;
}

#endif /* PQ_DATETIME_H */
