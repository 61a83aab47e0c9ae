/* test_folder.c - the revision files of a folder. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp, symlink */
#include <sys/stat.h>
#include <unistd.h>

#include "imig_folder.h"
#include "imig_load.h"
#include "imig_test.h"

static char root[] = "/tmp/imig_folder_XXXXXX";

static const char *
path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void
make(const char *name)
{
    FILE *file = fopen(path_of(name), "wb");
    if (file == NULL || fputs("revision = 'a'\ndown_revision = None\n", file) < 0 ||
        fclose(file) != 0)
        abort();
}

static void
list(imig_test *t, imig_folder *out, imig_arena *arena)
{
    CHECK(t, imig_folder_list(out, arena, root, NULL) == IMIG_OK);
}

static void
test_order(imig_test *t)
{
    static const char *const wanted[] = {"A.py",        "_.py",         "a.py",
                                         "aaaaaaaa.py", "aaaaaaaaa.py", "aaaaaaaab.py"};
    static const char *const others[] = {"__init__.py", ".#a.py", "a.pyc", "py",
                                         "b.txt"};
    imig_folder folder;
    imig_arena arena = IMIG_ARENA_INIT;
    size_t count = sizeof wanted / sizeof *wanted;
    for (size_t i = count; i > 0; i--)
        make(wanted[i - 1]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        make(others[i]);
    CHECK(t, mkdir(path_of("d.py"), 0700) == 0);
    list(t, &folder, &arena);
    CHECK(t, folder.plain && folder.count == count);
    for (size_t i = 0; i < folder.count && i < count; i++) {
        CHECK(t, strcmp(folder.files[i].path, path_of(wanted[i])) == 0);
        CHECK(t, folder.files[i].len == strlen(path_of(wanted[i])));
        CHECK(t, strcmp(folder.files[i].path + folder.prefix, wanted[i]) == 0);
    }
    imig_folder_clear(&folder);
    imig_arena_clear(&arena);
}

/* What is left to Python. */
static void
test_not_plain(imig_test *t)
{
    imig_folder folder;
    imig_arena arena = IMIG_ARENA_INIT;
    CHECK(t, imig_folder_list(&folder, &arena, path_of("nowhere"), NULL) == IMIG_OK);
    CHECK(t, !folder.plain);
    imig_folder_clear(&folder);
    CHECK(t, symlink("a.py", path_of("link")) == 0);
    list(t, &folder, &arena);
    CHECK(t, !folder.plain);
    imig_folder_clear(&folder);
    unlink(path_of("link"));
    CHECK(t, mkfifo(path_of("fifo.py"), 0600) == 0);
    list(t, &folder, &arena);
    CHECK(t, !folder.plain);
    imig_folder_clear(&folder);
    unlink(path_of("fifo.py"));
    make("\xC3\xA9.py");
    list(t, &folder, &arena);
    CHECK(t, !folder.plain);
    imig_folder_clear(&folder);
    unlink(path_of("\xC3\xA9.py"));
    imig_arena_clear(&arena);
}

/* A file that is gone after the folder was listed is told by its node. */
static void
test_vanished(imig_test *t)
{
    imig_folder folder;
    imig_graph g;
    imig_loader loader;
    imig_loaded how = IMIG_LOADED;
    imig_graph_init(&g);
    imig_loader_init(&loader);
    list(t, &folder, &g.text);
    loader.folder = folder.fd;
    loader.prefix = folder.prefix;
    unlink(folder.files[1].path);
    for (size_t i = 0; i < 2; i++) {
        const char *path = folder.files[i].path;
        CHECK(t, imig_load_file(&how, &g, &loader, path, NULL) == IMIG_OK);
        CHECK(t, how == (i == 1 ? IMIG_LOADED_UNREADABLE : IMIG_LOADED));
        CHECK(t, g.count == i + 1 && g.nodes[i].path == path);
    }
    imig_loader_clear(&loader);
    imig_folder_clear(&folder);
    imig_graph_clear(&g);
}

static void
list_once(imig_test *t, void *arg)
{
    imig_folder folder;
    imig_arena arena = IMIG_ARENA_INIT;
    (void)arg;
    imig_status st = imig_folder_list(&folder, &arena, root, NULL);
    CHECK(t, st == IMIG_E_NOMEM || (st == IMIG_OK && folder.plain));
    imig_folder_clear(&folder);
    imig_arena_clear(&arena);
}

static void
take_away(imig_test *t)
{
    static const char *const left[] = {
        "A.py",        "a.py",   "aaaaaaaa.py", "aaaaaaaaa.py", "aaaaaaaab.py",
        "__init__.py", ".#a.py", "a.pyc",       "py",           "b.txt"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        CHECK(t, unlink(path_of(left[i])) == 0);
    CHECK(t, rmdir(path_of("d.py")) == 0 && rmdir(root) == 0);
}

int
main(void)
{
    imig_test t = {0, 0};
    if (mkdtemp(root) == NULL)
        return 1;
    test_order(&t);
    test_not_plain(&t);
    CHECK(&t, imig_test_sweep(&t, list_once, NULL) > 1);
    test_vanished(&t);
    take_away(&t);
    CHECK(&t, imig_alloc_live() == 0);
    return imig_test_end(&t, "test_folder");
}
