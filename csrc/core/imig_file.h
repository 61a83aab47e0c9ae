/* imig_file.h - a whole file into a buffer. */
#ifndef IMIG_FILE_H
#define IMIG_FILE_H

#include "imig_base.h"
#include "imig_buf.h"
#include "imig_error.h"

/* Replace the contents of `out` by those of the file; its storage is used again.
 * `path` is a C string of the operating system's.  Blocks: call it without the GIL.
 * Only regular files are read; a FIFO or a device would never end.
 * Returns IMIG_OK; IMIG_E_IO with err->sys_errno (EISDIR for a directory, EINVAL for
 * what is neither file nor directory); IMIG_E_LIMIT over `limit` bytes; IMIG_E_NOMEM.
 * The message does not name the path, which may be longer than it; `out` is empty after
 * a failure. */
IMIG_NODISCARD imig_status imig_file_read(imig_buf *out, const char *path, size_t limit,
                                          imig_error *err);

/* As imig_file_read, of a path that starts at an open folder. */
IMIG_NODISCARD imig_status imig_file_read_at(imig_buf *out, int folder,
                                             const char *path, size_t limit,
                                             imig_error *err);

/* For imig_file_read_at: paths start where the process is. */
#define IMIG_FILE_HERE (-1)

#endif /* IMIG_FILE_H */
