/* floor.c - how long it takes to read files without looking at them.
 *
 * Usage: floor FILE...   Prints seconds, the best of five rounds.  What loads a history
 * cannot be faster than this. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <time.h>

#include "imig_file.h"

static double
now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int
main(int argc, char **argv)
{
    imig_buf bytes = IMIG_BUF_INIT;
    double best = 1e9;
    for (int round = 0; round < 5; round++) {
        double start = now();
        for (int i = 1; i < argc; i++) {
            if (imig_file_read(&bytes, argv[i], (size_t)1 << 26, NULL) != IMIG_OK)
                return 1;
        }
        double took = now() - start;
        best = took < best ? took : best;
    }
    imig_buf_clear(&bytes);
    printf("%.9f\n", best);
    return 0;
}
