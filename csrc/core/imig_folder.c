/* imig_folder.c - the revision files of one folder.
 *
 * Source: Script._list_py_dir without recursion, and the pattern
 * alembic.script.base._only_source_rev_file. */
/* d_type is wherever readdir() is, but it is not POSIX. */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L

#include "imig_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imig_alloc.h"

#define FIRST_FILES 64

typedef enum entry_kind {
    ENTRY_FILE,  /* a revision file */
    ENTRY_OTHER, /* nothing to Alembic */
    ENTRY_ODD,   /* Python has to look */
} entry_kind;

static bool
starts(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

/* "(?!\.\#|__init__)(.*\.py)$", of names without line ends. */
static bool
is_revision_file(const char *name, size_t len)
{
    return len >= 3 && memcmp(name + len - 3, ".py", 3) == 0 && !starts(name, ".#") &&
           !starts(name, "__init__");
}

/* Python orders names by their characters: in ASCII, as strcmp() does.  The pattern's
 * "$" stands before a last line end, too. */
static bool
is_plain_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x80 || *c == '\n')
            return false;
    }
    return true;
}

static entry_kind
kind_of(const struct dirent *entry)
{
    if (entry->d_type == DT_DIR)
        return ENTRY_OTHER;
    if (entry->d_type != DT_REG || !is_plain_name(entry->d_name))
        return ENTRY_ODD;
    return is_revision_file(entry->d_name, strlen(entry->d_name)) ? ENTRY_FILE
                                                                  : ENTRY_OTHER;
}

static uint64_t
key_of(const char *name)
{
    uint64_t key = 0;
    for (size_t i = 0; i < sizeof key; i++) {
        key = key << 8 | (unsigned char)*name;
        name += *name != '\0';
    }
    return key;
}

/* Append a file; `root` is the folder's path up to and with its last slash. */
static bool
add(imig_folder *folder, imig_arena *arena, imig_str root, const char *name)
{
    size_t len = strlen(name);
    if (folder->count == folder->capacity) {
        size_t capacity = folder->capacity != 0 ? folder->capacity * 2 : FIRST_FILES;
        imig_folder_file *grown =
            imig_realloc_array(folder->files, capacity, sizeof *grown);
        if (grown == NULL)
            return false;
        folder->files = grown;
        folder->capacity = capacity;
    }
    char *path = imig_arena_bytes(arena, root.len + len + 1);
    if (path == NULL)
        return false;
    memcpy(path, root.ptr, root.len);
    memcpy(path + root.len, name, len + 1);
    folder->files[folder->count++] =
        (imig_folder_file){key_of(name), path, root.len + len};
    return true;
}

static int
compare(const void *a, const void *b)
{
    const imig_folder_file *one = a;
    const imig_folder_file *two = b;
    if (one->key != two->key)
        return one->key < two->key ? -1 : 1;
    return strcmp(one->path, two->path);
}

/* Take over the entries of an open folder; false when out of memory. */
static bool
read_entries(imig_folder *folder, imig_arena *arena, imig_str root)
{
    const struct dirent *entry;
    bool odd = false;
    errno = 0;
    while (!odd && (entry = readdir(folder->stream)) != NULL) {
        entry_kind kind = kind_of(entry);
        odd = kind == ENTRY_ODD;
        if (kind == ENTRY_FILE && !add(folder, arena, root, entry->d_name))
            return false;
        errno = 0;
    }
    folder->plain = !odd && errno == 0;
    return true;
}

/* The path, with one slash at its end. */
static bool
make_root(imig_str *out, imig_arena *arena, const char *path)
{
    size_t len = strlen(path);
    while (len != 0 && path[len - 1] == '/')
        len--;
    char *root = imig_arena_bytes(arena, len + 1);
    if (root == NULL)
        return false;
    memcpy(root, path, len);
    root[len] = '/';
    *out = (imig_str){root, len + 1};
    return true;
}

imig_status
imig_folder_list(imig_folder *out, imig_arena *arena, const char *path, imig_error *err)
{
    imig_str root;
    *out = (imig_folder)IMIG_FOLDER_INIT;
    out->stream = opendir(path);
    if (out->stream == NULL)
        return IMIG_OK; /* Python says what is the matter */
    out->fd = dirfd(out->stream);
    if (!make_root(&root, arena, path) || !read_entries(out, arena, root))
        return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
    out->prefix = root.len;
    if (out->plain && out->count != 0)
        qsort(out->files, out->count, sizeof *out->files, compare);
    return IMIG_OK;
}

void
imig_folder_clear(imig_folder *folder)
{
    if (folder->stream != NULL)
        (void)closedir(folder->stream);
    imig_free(folder->files);
    *folder = (imig_folder)IMIG_FOLDER_INIT;
}
