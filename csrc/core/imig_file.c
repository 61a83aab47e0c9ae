/* imig_file.c - a whole file into a buffer. */
/* openat(), fstat() and O_CLOEXEC are POSIX, which -std=c11 hides. */
#define _POSIX_C_SOURCE 200809L

#include "imig_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes asked for beyond the size that fstat() told: one read then sees the end. */
#define SLACK 512

static imig_status
refused(imig_error *err, int code)
{
    imig_status status = imig_error_set(err, IMIG_E_IO, "%s", strerror(code));
    if (err != NULL)
        err->sys_errno = code;
    return status;
}

/* A file that is not regular answers with the errno that open() gives elsewhere. */
static int
why_not_regular(const struct stat *info)
{
    if (S_ISREG(info->st_mode))
        return 0;
    return S_ISDIR(info->st_mode) ? EISDIR : EINVAL;
}

static ssize_t
read_some(int fd, char *to, size_t room)
{
    ssize_t got;
    do
        got = read(fd, to, room);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Read to the end; the file may have grown or shrunk since fstat().  One that gives
 * what it told, and no more where more was asked for, is at its end. */
static imig_status
read_all(imig_buf *out, int fd, size_t expected, size_t limit, imig_error *err)
{
    size_t room = expected + SLACK;
    for (;;) {
        char *to = imig_buf_reserve(out, room);
        if (to == NULL)
            return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
        ssize_t got = read_some(fd, to, room);
        if (got < 0)
            return refused(err, errno);
        imig_buf_commit(out, (size_t)got);
        if (out->len > limit)
            return imig_error_set(err, IMIG_E_LIMIT, "larger than %zu bytes", limit);
        if (got == 0 || (out->len == expected && (size_t)got < room))
            return IMIG_OK;
        /* A full read may have more behind it; a short one is asked once more. */
        room = (size_t)got == room ? room : room - (size_t)got;
    }
}

imig_status
imig_file_read(imig_buf *out, const char *path, size_t limit, imig_error *err)
{
    return imig_file_read_at(out, IMIG_FILE_HERE, path, limit, err);
}

imig_status
imig_file_read_at(imig_buf *out, int folder, const char *path, size_t limit,
                  imig_error *err)
{
    imig_status status = IMIG_OK;
    struct stat info;
    out->len = 0;
    out->failed = false;
    /* O_NONBLOCK: opening a FIFO without a writer must not hang. */
    int fd = openat(folder == IMIG_FILE_HERE ? AT_FDCWD : folder, path,
                    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refused(err, errno);
    if (fstat(fd, &info) != 0) {
        status = refused(err, errno);
        goto out;
    }
    int code = why_not_regular(&info);
    if (code != 0) {
        status = refused(err, code);
        goto out;
    }
    if (info.st_size > 0 && (uintmax_t)info.st_size > limit) {
        status = imig_error_set(err, IMIG_E_LIMIT, "larger than %zu bytes", limit);
        goto out;
    }
    status = read_all(out, fd, (size_t)info.st_size, limit, err);
out:
    (void)close(fd);
    if (status != IMIG_OK)
        out->len = 0;
    return status;
}
