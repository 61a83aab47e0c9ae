/* imig_vec.c - growable list of node indices. */
#include "imig_vec.h"

#include "imig_alloc.h"

#define FIRST_CAPACITY 16

void
imig_vec_push(imig_vec *vec, uint32_t item)
{
    if (vec->failed)
        return;
    if (vec->count == vec->capacity) {
        size_t capacity = vec->capacity != 0 ? vec->capacity * 2 : FIRST_CAPACITY;
        uint32_t *grown = imig_realloc_array(vec->items, capacity, sizeof *grown);
        if (grown == NULL) {
            vec->failed = true;
            return;
        }
        vec->items = grown;
        vec->capacity = capacity;
    }
    vec->items[vec->count++] = item;
}

void
imig_vec_clear(imig_vec *vec)
{
    imig_free(vec->items);
    *vec = (imig_vec)IMIG_VEC_INIT;
}
