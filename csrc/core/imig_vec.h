/* imig_vec.h - growable list of node indices with sticky failure, as imig_buf. */
#ifndef IMIG_VEC_H
#define IMIG_VEC_H

#include "imig_base.h"

typedef struct imig_vec {
    uint32_t *items;
    size_t count;
    size_t capacity;
    bool failed; /* a push ran out of memory; contents are not to be used */
} imig_vec;

#define IMIG_VEC_INIT {NULL, 0, 0, false}

void imig_vec_push(imig_vec *vec, uint32_t item);

/* The last item, taken off.  The vector must not be empty. */
static inline uint32_t
imig_vec_pop(imig_vec *vec)
{
    return vec->items[--vec->count];
}

void imig_vec_clear(imig_vec *vec);

#endif /* IMIG_VEC_H */
