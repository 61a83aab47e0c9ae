/* imig_test.h - what the C tests share: checks, a runner, an allocation sweep.
 *
 * A test program is one tests/c/test_*.c whose main() returns imig_test_end();
 * it is compiled with every file of csrc/core:
 *
 *     gcc -std=c11 -g -DIMIG_FAIL_ALLOC -fsanitize=address,undefined -Icsrc/core
 *         -Itests/c tests/c/test_scan.c csrc/core/imig_X.c... -o build/test_scan
 *
 * It prints each failed check with file and line; the exit code is 1 if any failed. */
#ifndef IMIG_TEST_H
#define IMIG_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imig_alloc.h"

typedef struct imig_test {
    int checks;
    int failed;
} imig_test;

static inline void
imig_test_note(imig_test *t, int ok, const char *what, const char *file, int line)
{
    t->checks++;
    if (ok)
        return;
    t->failed++;
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
}

#define CHECK(t, condition)                                                            \
    imig_test_note((t), (condition) != 0, #condition, __FILE__, __LINE__)

/* bytes[0 .. len) is the C string `text`. */
#define CHECK_TEXT(t, bytes, len, text)                                                \
    CHECK(t, (len) == strlen(text) && memcmp((bytes), (text), (len)) == 0)

/* An exact-size heap copy: AddressSanitizer traps a read of one byte too many. */
static inline char *
imig_test_copy(const void *bytes, size_t len)
{
    char *copy = malloc(len != 0 ? len : 1);
    if (copy == NULL)
        abort();
    if (len != 0)
        memcpy(copy, bytes, len);
    return copy;
}

/* Run `body(t, arg)` with the first allocation failing, then the second, until one run
 * asks for fewer allocations than that.  `body` accepts failure and frees what it made;
 * nothing may be left over.  Returns how many runs failed an allocation. */
static inline size_t
imig_test_sweep(imig_test *t, void (*body)(imig_test *t, void *arg), void *arg)
{
    for (size_t n = 1;; n++) {
        size_t before = imig_alloc_live();
        imig_alloc_fail_at(n);
        body(t, arg);
        size_t asked = imig_alloc_count();
        imig_alloc_fail_at(0);
        CHECK(t, imig_alloc_live() == before);
        if (asked < n)
            return n - 1;
    }
}

static inline int
imig_test_end(const imig_test *t, const char *name)
{
    printf("%s: %d checks, %d failed\n", name, t->checks, t->failed);
    return t->failed == 0 && t->checks > 0 ? 0 : 1;
}

#endif /* IMIG_TEST_H */
