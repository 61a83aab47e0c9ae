/* imig_alloc.c - malloc with checked products and, in test builds, planned failure.
 *
 * The counters of the test build are the one exception to "no globals": they exist
 * only under IMIG_FAIL_ALLOC, which no shipped extension defines. */
#include "imig_alloc.h"

#include <stdlib.h>

#ifdef IMIG_FAIL_ALLOC
static size_t fail_at;
static size_t asked;
static size_t live;

void
imig_alloc_fail_at(size_t n)
{
    fail_at = n;
    asked = 0;
}

size_t
imig_alloc_count(void)
{
    return asked;
}

size_t
imig_alloc_live(void)
{
    return live;
}

static bool
refuse(void)
{
    asked++;
    return fail_at != 0 && asked == fail_at;
}
#define NOTE_NEW(block) (live += (block) != NULL)
#define NOTE_FREE(block) (live -= (block) != NULL)
#else
#define refuse() false
#define NOTE_NEW(block) ((void)0)
#define NOTE_FREE(block) ((void)0)
#endif

void *
imig_alloc(size_t size)
{
    if (refuse())
        return NULL;
    void *block = malloc(size != 0 ? size : 1);
    NOTE_NEW(block);
    return block;
}

void *
imig_alloc_array(size_t count, size_t size)
{
    size_t bytes;
    if (imig_mul_overflow(&bytes, count, size))
        return NULL;
    return imig_alloc(bytes);
}

void *
imig_alloc_zeroed(size_t count, size_t size)
{
    if (refuse())
        return NULL;
    void *block = calloc(count != 0 ? count : 1, size != 0 ? size : 1);
    NOTE_NEW(block);
    return block;
}

void *
imig_realloc_array(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (refuse() || imig_mul_overflow(&bytes, count, size))
        return NULL;
    void *grown = realloc(block, bytes != 0 ? bytes : 1);
    if (block == NULL)
        NOTE_NEW(grown);
    return grown;
}

void
imig_free(void *block)
{
    NOTE_FREE(block);
    free(block);
}
