/* imig_alloc.h - the only door to malloc.
 *
 * Test builds (IMIG_FAIL_ALLOC) can make the n-th allocation fail, so that every
 * out-of-memory path is walked once. */
#ifndef IMIG_ALLOC_H
#define IMIG_ALLOC_H

#include "imig_base.h"

/* As malloc(size); a size of 0 gives a unique pointer.  NULL when out of memory. */
IMIG_NODISCARD void *imig_alloc(size_t size);

/* As imig_alloc(count * size), NULL also when the product overflows. Not zeroed. */
IMIG_NODISCARD void *imig_alloc_array(size_t count, size_t size);

/* As imig_alloc_array, zeroed. */
IMIG_NODISCARD void *imig_alloc_zeroed(size_t count, size_t size);

/* Resize; on NULL the old block is untouched and still owned by the caller. */
IMIG_NODISCARD void *imig_realloc_array(void *block, size_t count, size_t size);

/* Accepts NULL. */
void imig_free(void *block);

#ifdef IMIG_FAIL_ALLOC
/* Fail the n-th allocation from now (1 = the next one); 0 never fails. */
void imig_alloc_fail_at(size_t n);
/* Allocations asked for since the last imig_alloc_fail_at. */
size_t imig_alloc_count(void);
/* Blocks handed out and not yet freed. */
size_t imig_alloc_live(void);
#endif

#endif /* IMIG_ALLOC_H */
