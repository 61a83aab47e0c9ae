/* test_scan_file.c - whole files into a buffer. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imig_file.h"
#include "imig_test.h"

typedef struct place {
    char folder[64];
    char path[96];
} place;

static void
write_file(const place *p, size_t len)
{
    FILE *file = fopen(p->path, "wb");
    if (file == NULL)
        abort();
    for (size_t i = 0; i < len; i++)
        fputc((int)('a' + i % 26), file);
    fclose(file);
}

static void
test_sizes(imig_test *t, const place *p)
{
    static const size_t sizes[] = {0, 1, 511, 512, 513, 4096, 100000, 0};
    imig_buf buf = IMIG_BUF_INIT;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        imig_error err;
        write_file(p, sizes[i]);
        CHECK(t, imig_file_read(&buf, p->path, 100000, &err) == IMIG_OK);
        CHECK(t, buf.len == sizes[i]);
        CHECK(t, buf.len < 30 ||
                     memcmp(buf.data, "abcdefghijklmnopqrstuvwxyzabcd", 30) == 0);
    }
    imig_buf_clear(&buf);
}

static void
test_refusals(imig_test *t, const place *p)
{
    imig_buf buf = IMIG_BUF_INIT;
    imig_error err;
    write_file(p, 100);
    CHECK(t, imig_file_read(&buf, p->path, 99, &err) == IMIG_E_LIMIT);
    CHECK(t, buf.len == 0);
    CHECK(t, imig_file_read(&buf, p->path, 100, &err) == IMIG_OK);
    CHECK(t, imig_file_read(&buf, p->folder, 100, &err) == IMIG_E_IO);
    CHECK(t, err.sys_errno == EISDIR && buf.len == 0);
    unlink(p->path);
    CHECK(t, imig_file_read(&buf, p->path, 100, &err) == IMIG_E_IO);
    CHECK(t, err.sys_errno == ENOENT);
    CHECK(t, imig_file_read(&buf, p->path, 100, NULL) == IMIG_E_IO);
    CHECK(t, mkfifo(p->path, 0600) == 0);
    CHECK(t, imig_file_read(&buf, p->path, 100, &err) == IMIG_E_IO);
    CHECK(t, err.sys_errno == EINVAL);
    CHECK(t, unlink(p->path) == 0 && symlink("nowhere", p->path) == 0);
    CHECK(t, imig_file_read(&buf, p->path, 100, &err) == IMIG_E_IO);
    CHECK(t, err.sys_errno == ENOENT);
    unlink(p->path);
    /* A file that grows after fstat(): those of /proc tell a size of 0. */
    CHECK(t, imig_file_read(&buf, "/proc/self/status", 1 << 20, &err) == IMIG_OK);
    CHECK(t, buf.len > 600);
    CHECK(t, imig_file_read(&buf, "/proc/self/status", 10, &err) == IMIG_E_LIMIT);
    imig_buf_clear(&buf);
}

static void
read_once(imig_test *t, void *arg)
{
    const place *p = arg;
    imig_buf buf = IMIG_BUF_INIT;
    imig_error err;
    imig_status status = imig_file_read(&buf, p->path, 100000, &err);
    CHECK(t, status == IMIG_OK || status == IMIG_E_NOMEM);
    CHECK(t, buf.len == (status == IMIG_OK ? 2000 : 0));
    imig_buf_clear(&buf);
}

int
main(void)
{
    imig_test t = {0, 0};
    place p = {"/tmp/imig_test_XXXXXX", ""};
    if (mkdtemp(p.folder) == NULL)
        abort();
    snprintf(p.path, sizeof p.path, "%s/file", p.folder);
    test_sizes(&t, &p);
    test_refusals(&t, &p);
    write_file(&p, 2000);
    CHECK(&t, imig_test_sweep(&t, read_once, &p) >= 1);
    unlink(p.path);
    rmdir(p.folder);
    CHECK(&t, imig_alloc_live() == 0);
    return imig_test_end(&t, "scan_file");
}
