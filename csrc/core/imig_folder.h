/* imig_folder.h - the revision files of one folder, in Alembic's order.
 *
 * Plain folders only: regular files with ASCII names.  Links, names that only Python
 * can put in order, and what the file system does not tell are left to Python. */
#ifndef IMIG_FOLDER_H
#define IMIG_FOLDER_H

#include "imig_arena.h"
#include "imig_base.h"
#include "imig_error.h"

typedef struct imig_folder_file {
    uint64_t key;     /* the name's first eight bytes: most comparisons end there */
    const char *path; /* a C string in the arena */
    size_t len;
} imig_folder_file;

typedef struct imig_folder {
    void *stream;  /* DIR, open until imig_folder_clear */
    int fd;        /* its descriptor, for openat() */
    size_t prefix; /* bytes of each path before the name */
    imig_folder_file *files;
    size_t count;
    size_t capacity;
    bool plain; /* false: the files do not count, Python has to look */
} imig_folder;

#define IMIG_FOLDER_INIT {NULL, -1, 0, NULL, 0, 0, false}

/* List the folder; the paths are in `arena`.  `path` is a C string of the operating
 * system's.  IMIG_OK, also for a folder that is not plain or cannot be read; or
 * IMIG_E_NOMEM.  `out` is to be cleared in any case.  Blocks. */
IMIG_NODISCARD imig_status imig_folder_list(imig_folder *out, imig_arena *arena,
                                            const char *path, imig_error *err);

void imig_folder_clear(imig_folder *folder);

#endif /* IMIG_FOLDER_H */
