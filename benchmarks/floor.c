/* floor.c - reading a folder's files without looking at them, for probe_floor.py.
 *
 * What loads a history cannot be faster than this: list the folder, open each file, ask
 * for its size, read it, close it.  Nothing is sorted, nothing kept. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int floor_read(const char *path);

static int
read_file(int folder, const char *name, char **bytes, size_t *room)
{
    struct stat info;
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0)
        return -1;
    size_t size = (size_t)info.st_size;
    if (size >= *room) {
        free(*bytes);
        *room = size * 2 + 1;
        *bytes = malloc(*room);
        if (*bytes == NULL)
            return -1;
    }
    /* One byte more than there are: so the end is seen without a second read. */
    int cut = read(file, *bytes, size + 1) != (ssize_t)size;
    (void)close(file);
    return cut ? -1 : 0;
}

/* Read all files whose name ends in ".py"; 0, or -1 when one cannot be read. */
int
floor_read(const char *path)
{
    char *bytes = NULL;
    size_t room = 0;
    int failed = 0;
    const struct dirent *entry;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -1;
    while (failed == 0 && (entry = readdir(folder)) != NULL) {
        size_t len = strlen(entry->d_name);
        if (len > 3 && memcmp(entry->d_name + len - 3, ".py", 3) == 0)
            failed = read_file(dirfd(folder), entry->d_name, &bytes, &room);
    }
    (void)closedir(folder);
    free(bytes);
    return failed;
}
