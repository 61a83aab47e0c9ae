/* standalone.c - runs a fuzz target on the files named as arguments.
 *
 * `make c-test` links it in libFuzzer's place, so that gcc replays the kept corpora. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "imig_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
    int failed = argc < 2;
    if (failed)
        fprintf(stderr, "no input files\n");
    for (int i = 1; i < argc; i++) {
        imig_buf buf = IMIG_BUF_INIT;
        imig_error err;
        if (imig_file_read(&buf, argv[i], SIZE_MAX / 2, &err) == IMIG_OK) {
            (void)LLVMFuzzerTestOneInput((const uint8_t *)buf.data, buf.len);
        } else {
            fprintf(stderr, "%s: %s\n", argv[i], err.message);
            failed = 1;
        }
        imig_buf_clear(&buf);
    }
    return failed;
}
