/* test_graph.c - names to edges, what is refused, and the spread of labels. */
#include "graph_text.h"
#include "imig_labels.h"
#include "imig_resolve.h"

static void
check_edges(imig_test *t, const imig_graph *g, const imig_edges *edges, const char *id,
            const char *want)
{
    uint32_t node = imig_graph_find(g, (imig_str){id, strlen(id)});
    CHECK_SHOWN(t, g, imig_edges_of(edges, node), imig_edges_count(edges, node), want);
}

static void
test_edges(imig_test *t)
{
    imig_graph g;
    imig_flaw flaw;
    CHECK(t, graph_read(&flaw, &g, "d:b,c,b+x,one,x e:d a b:a!one c:a x", NULL) ==
                 IMIG_OK);
    CHECK(t, g.finished && g.count == 6);
    check_edges(t, &g, &g.versioned, "d", "b c b");
    check_edges(t, &g, &g.resolved, "d", "x b x");
    check_edges(t, &g, &g.normal, "d", "x b");
    check_edges(t, &g, &g.needs, "d", "b c x");
    check_edges(t, &g, &g.next, "a", "b c");
    check_edges(t, &g, &g.next, "x", "");
    check_edges(t, &g, &g.all_next, "x", "d");
    check_edges(t, &g, &g.all_next, "b", "d");
    CHECK(t, imig_graph_is_merge(&g, 0) && !imig_graph_is_merge(&g, 1));
    imig_vec found = IMIG_VEC_INIT;
    imig_ends(&found, &g, &g.next);
    CHECK_SHOWN(t, &g, found.items, found.count, "e x");
    found.count = 0;
    imig_ends(&found, &g, &g.all_next);
    CHECK_SHOWN(t, &g, found.items, found.count, "e");
    found.count = 0;
    imig_bases(&found, &g, false);
    CHECK_SHOWN(t, &g, found.items, found.count, "a x");
    imig_vec_clear(&found);
    imig_graph_clear(&g);
}

/* A dependency that a versioned ancestor has already is dropped; one that only a
 * dependency has is not. */
static void
test_normalized(imig_test *t)
{
    imig_graph g;
    imig_flaw flaw;
    CHECK(t, graph_read(&flaw, &g, "x y a+x b:a+x,y c:b+x d+x e:d+a", NULL) == IMIG_OK);
    check_edges(t, &g, &g.normal, "a", "x");
    check_edges(t, &g, &g.normal, "b", "y");
    check_edges(t, &g, &g.normal, "c", "");
    check_edges(t, &g, &g.normal, "d", "x");
    check_edges(t, &g, &g.normal, "e", "a");
    check_edges(t, &g, &g.all_next, "x", "a b c d");
    imig_graph_clear(&g);
}

static void
check_flaw(imig_test *t, const char *text, imig_status want, const char *message)
{
    imig_graph g;
    imig_flaw flaw;
    imig_error err;
    CHECK(t, graph_read(&flaw, &g, text, &err) == want);
    if (strcmp(err.message, message) != 0)
        fprintf(stderr, "got: %s\n", err.message);
    CHECK(t, strcmp(err.message, message) == 0);
    CHECK(t, !g.finished && flaw.node < g.count && flaw.name.ptr != NULL);
    imig_graph_clear(&g);
}

static void
test_flaws(imig_test *t)
{
    check_flaw(t, "a b:a a", IMIG_E_DUPLICATE,
               "'a' of revision a is used by revision a already");
    check_flaw(t, "a b!a", IMIG_E_DUPLICATE,
               "'a' of revision b is used by revision a already");
    check_flaw(t, "a!one b!one", IMIG_E_DUPLICATE,
               "'one' of revision b is used by revision a already");
    check_flaw(t, "a b:a,gone", IMIG_E_MISSING,
               "revision gone referenced from b is not present");
    check_flaw(t, "a b:a+gone", IMIG_E_MISSING,
               "revision gone referenced from b is not present");
    /* Alembic lets a label be a down_revision and stops a little later. */
    check_flaw(t, "a!one b:one", IMIG_E_MISSING,
               "revision one referenced from b is not present");
    check_flaw(t, "z a:b b:c c:a", IMIG_E_CYCLE, "revision a is in or above a cycle");
    check_flaw(t, "a:d b:a c:b d:c,z z", IMIG_E_CYCLE,
               "revision a is in or above a cycle");
    check_flaw(t, "a+b b:a", IMIG_E_CYCLE, "revision a is in or above a cycle");
    check_flaw(t, "a+one!one", IMIG_E_CYCLE, "revision a is in or above a cycle");
}

static void
check_labels(imig_test *t, const imig_graph *g, const char *id, const char *want)
{
    char shown[256] = "";
    size_t len = 0;
    imig_vec found = IMIG_VEC_INIT;
    uint32_t node = imig_graph_find(g, (imig_str){id, strlen(id)});
    CHECK(t, imig_labels_of(&found, g, node));
    for (size_t i = 0; i < found.count; i++) {
        imig_str name = g->names[found.items[i]];
        len += (size_t)snprintf(shown + len, sizeof shown - len, "%s%.*s",
                                i != 0 ? " " : "", (int)name.len, name.ptr);
    }
    if (strcmp(shown, want) != 0)
        fprintf(stderr, "%s has %s\n", id, shown);
    CHECK(t, strcmp(shown, want) == 0);
    imig_vec_clear(&found);
}

static void
test_labels(imig_test *t)
{
    imig_graph g;
    imig_flaw flaw;
    /* One line: down to the base.  The other base's descendants branch: not. */
    CHECK(t, graph_read(&flaw, &g,
                        "a b:a!one c:b x y:x!two z1:y z2:y!three m:z1,z2 n:m!four,five",
                        NULL) == IMIG_OK);
    check_labels(t, &g, "a", "one");
    check_labels(t, &g, "c", "one");
    check_labels(t, &g, "x", "");
    check_labels(t, &g, "y", "two");
    check_labels(t, &g, "z1", "two");
    check_labels(t, &g, "z2", "two three");
    check_labels(t, &g, "m", "two three");
    check_labels(t, &g, "n", "two three four five");
    imig_graph_clear(&g);
    /* A dependency makes a real branch point, and that stops the way down too. */
    CHECK(t, graph_read(&flaw, &g, "a b:a c:b!one d:c e+b", NULL) == IMIG_OK);
    check_labels(t, &g, "c", "one");
    check_labels(t, &g, "b", "");
    imig_graph_clear(&g);
}

static void
test_reserved_nodes(imig_test *t)
{
    imig_graph g;
    imig_flaw flaw;
    imig_str down = {"a", 1};
    imig_rev rev = {.id = {"b", 1}, .doc = {"", 0}, .down = &down, .down_count = 1};
    imig_graph_init(&g);
    CHECK(t, imig_graph_reserve(&g, NULL) == IMIG_OK);
    CHECK(t, imig_graph_add(&g, &(imig_rev){.id = {"a", 1}}, NULL) == IMIG_OK);
    rev.doc.ptr = "text";
    rev.doc.len = 4;
    CHECK(t, imig_graph_fill(&g, 0, &rev, NULL) == IMIG_OK);
    CHECK(t, imig_graph_finish(&flaw, &g, NULL) == IMIG_OK);
    check_edges(t, &g, &g.next, "a", "b");
    CHECK_TEXT(t, g.nodes[0].doc.ptr, g.nodes[0].doc.len, "text");
    CHECK(t, g.nodes[1].doc.ptr == NULL);
    /* What can be finished once can be finished again, with more in it. */
    down.ptr = "b";
    rev.id.ptr = "c";
    CHECK(t, imig_graph_add(&g, &rev, NULL) == IMIG_OK);
    CHECK(t, imig_graph_finish(&flaw, &g, NULL) == IMIG_OK);
    check_edges(t, &g, &g.next, "b", "c");
    imig_graph_clear(&g);
}

/* Many ids, so that the map of ids grows several times. */
static void
test_many(imig_test *t)
{
    enum { COUNT = 20000 };
    imig_graph g;
    imig_flaw flaw;
    imig_graph_init(&g);
    char before[16] = "";
    for (unsigned i = 0; i < COUNT; i++) {
        char id[16];
        imig_str down = {before, strlen(before)};
        imig_rev rev = {.id = {id, (size_t)snprintf(id, sizeof id, "r%u", i * 7919)}};
        rev.down = &down;
        rev.down_count = i != 0;
        CHECK(t, imig_graph_add(&g, &rev, NULL) == IMIG_OK);
        memcpy(before, id, sizeof before);
    }
    CHECK(t, imig_graph_finish(&flaw, &g, NULL) == IMIG_OK);
    uint32_t last = imig_graph_find(&g, (imig_str){before, strlen(before)});
    CHECK(t, last == COUNT - 1 && g.sorted[COUNT - 1] == last);
    CHECK(t, imig_graph_find(&g, (imig_str){"r1", 2}) == IMIG_NO_NODE);
    CHECK(t, imig_graph_find(&g, (imig_str){NULL, 0}) == IMIG_NO_NODE);
    imig_graph_clear(&g);
}

static void
build_once(imig_test *t, void *arg)
{
    imig_graph g;
    imig_flaw flaw;
    imig_vec labels = IMIG_VEC_INIT;
    imig_status st = graph_read(&flaw, &g, arg, NULL);
    CHECK(t, st == IMIG_OK || st == IMIG_E_NOMEM);
    if (st == IMIG_OK)
        (void)!imig_labels_of(&labels, &g, g.count - 1);
    imig_vec_clear(&labels);
    imig_graph_clear(&g);
}

int
main(void)
{
    imig_test t = {0, 0};
    test_edges(&t);
    test_normalized(&t);
    test_flaws(&t);
    test_labels(&t);
    test_reserved_nodes(&t);
    test_many(&t);
    char text[] = "x y a:x+y!one b:x!two m:a,b c:m+y,one!three,four";
    CHECK(&t, imig_test_sweep(&t, build_once, text) > 20);
    return imig_test_end(&t, "test_graph");
}
