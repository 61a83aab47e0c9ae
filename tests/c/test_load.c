/* test_load.c - files into the graph, and the arena and map below it. */
#define _POSIX_C_SOURCE 200809L /* mkstemp */
#include <unistd.h>

#include "graph_text.h"
#include "imig_load.h"

static char path[] = "/tmp/imig_load_XXXXXX";

static void
write_file(const char *text)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static imig_loaded
load(imig_test *t, imig_graph *g, const char *text)
{
    imig_loader loader;
    imig_loaded how = IMIG_LOADED_UNREADABLE;
    write_file(text);
    imig_loader_init(&loader);
    CHECK(t, imig_load_file(&how, g, &loader, path, NULL) == IMIG_OK);
    imig_loader_clear(&loader);
    return how;
}

static void
test_files(imig_test *t)
{
    imig_graph g;
    imig_flaw flaw;
    imig_graph_init(&g);
    CHECK(t, load(t, &g, "revision = 'a'\ndown_revision = None\n") == IMIG_LOADED);
    CHECK(t,
          load(t, &g,
               "\"\"\"Doc\"\"\"\nrevision = 'b'\ndown_revision = ('a', 'a')\n"
               "depends_on = {'a', 'a'}\nbranch_labels = ['x', 'y']\n") == IMIG_LOADED);
    CHECK(t, imig_graph_finish(&flaw, &g, NULL) == IMIG_OK);
    CHECK_TEXT(t, g.nodes[1].doc.ptr, g.nodes[1].doc.len, "Doc");
    CHECK(t, g.nodes[0].doc.ptr == NULL);
    /* Repeats stand in a tuple, not in a set. */
    CHECK(t, g.nodes[1].down.count == 2 && g.nodes[1].depend.count == 1);
    CHECK(t, g.nodes[1].labels.count == 2);
    CHECK(t,
          load(t, &g, "''\nrevision = 'c'\ndown_revision = ''\n") == IMIG_LOADED_ODD);
    CHECK(t, load(t, &g, "''\nrevision = 'c'\ndown_revision = 'b'\n") == IMIG_LOADED);
    CHECK(t, g.nodes[3].doc.ptr != NULL && g.nodes[3].doc.len == 0);
    imig_graph_clear(&g);
}

static void
test_not_for_a_graph(imig_test *t)
{
    static const struct {
        const char *text;
        imig_loaded how;
    } rows[] = {
        {"revision = f()\ndown_revision = None\n", IMIG_LOADED_NOT_STATIC},
        {"down_revision = None\n", IMIG_LOADED_ODD},
        {"revision = None\ndown_revision = None\n", IMIG_LOADED_ODD},
        {"revision = 'a'\n", IMIG_LOADED_ODD},
        {"revision = ''\ndown_revision = None\n", IMIG_LOADED_ODD},
        {"revision = 'a@b'\ndown_revision = None\n", IMIG_LOADED_ODD},
        {"revision = 'head'\ndown_revision = None\n", IMIG_LOADED_ODD},
        {"revision = 'a'\ndown_revision = 'a'\n", IMIG_LOADED_ODD},
        {"revision = 'a'\ndown_revision = None\ndepends_on = 'a'\n", IMIG_LOADED_ODD},
        {"revision = 'a'\ndown_revision = None\nbranch_labels = ''\n", IMIG_LOADED_ODD},
    };
    imig_graph g;
    imig_graph_init(&g);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        imig_loaded how = load(t, &g, rows[i].text);
        if (how != rows[i].how)
            fprintf(stderr, "%s", rows[i].text);
        CHECK(t, how == rows[i].how);
        CHECK(t, g.count == i + 1 && g.nodes[i].id.ptr == NULL);
    }
    imig_loader loader;
    imig_loaded how = IMIG_LOADED;
    imig_error err;
    imig_loader_init(&loader);
    CHECK(t, imig_load_file(&how, &g, &loader, "/", &err) == IMIG_OK);
    CHECK(t, how == IMIG_LOADED_UNREADABLE && err.status == IMIG_E_IO);
    imig_loader_clear(&loader);
    imig_graph_clear(&g);
}

static void
load_once(imig_test *t, void *arg)
{
    imig_graph g;
    imig_loader loader;
    imig_loaded how;
    (void)arg;
    imig_graph_init(&g);
    imig_loader_init(&loader);
    imig_status st = imig_load_file(&how, &g, &loader, path, NULL);
    CHECK(t, st == IMIG_E_NOMEM || (st == IMIG_OK && how == IMIG_LOADED));
    CHECK(t, g.count == (st == IMIG_OK));
    imig_loader_clear(&loader);
    imig_graph_clear(&g);
}

static void
test_arena(imig_test *t)
{
    imig_arena arena = IMIG_ARENA_INIT;
    imig_str kept[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    size_t large = (size_t)200 * 1024;
    char *bytes = imig_arena_bytes(&arena, large);
    CHECK(t, bytes != NULL);
    memset(bytes, 'x', large);
    for (int i = 0; i < 3; i++)
        CHECK(t, imig_arena_copy(&kept[i], &arena, (imig_str){"abc", (size_t)i}));
    CHECK_TEXT(t, kept[2].ptr, kept[2].len, "ab");
    CHECK(t, kept[0].ptr != NULL && kept[0].len == 0);
    CHECK(t, imig_arena_bytes(&arena, SIZE_MAX) == NULL);
    imig_arena_clear(&arena);
}

int
main(void)
{
    imig_test t = {0, 0};
    int file = mkstemp(path);
    if (file < 0)
        return 1;
    close(file);
    test_arena(&t);
    test_files(&t);
    test_not_for_a_graph(&t);
    write_file("'''doc'''\nrevision = 'b'\ndown_revision = 'a', 'c'\n"
               "depends_on = {'d'}\nbranch_labels = 'x'\n");
    CHECK(&t, imig_test_sweep(&t, load_once, NULL) > 5);
    unlink(path);
    return imig_test_end(&t, "test_load");
}
