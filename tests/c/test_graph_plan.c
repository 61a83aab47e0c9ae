/* test_graph_plan.c - walks, tips, Alembic's order, upgrades and downgrades.
 *
 * That the order is Alembic's own, tests/differential/test_graph.py proves on random
 * histories; here stand the rules, one by one. */
#include "graph_text.h"
#include "imig_plan.h"

typedef struct fixture {
    imig_graph g;
    imig_vec a, b, c; /* questions */
    imig_vec found;
    imig_overlap overlap;
} fixture;

static void
open_graph(imig_test *t, fixture *f, const char *text)
{
    imig_flaw flaw;
    *f = (fixture){.overlap = IMIG_OVERLAP_INIT};
    CHECK(t, graph_read(&flaw, &f->g, text, NULL) == IMIG_OK);
}

static void
close_graph(fixture *f)
{
    imig_vec_clear(&f->a);
    imig_vec_clear(&f->b);
    imig_vec_clear(&f->c);
    imig_vec_clear(&f->found);
    imig_vec_clear(&f->overlap.others);
    imig_graph_clear(&f->g);
}

static imig_nodes
ask(fixture *f, imig_vec *vec, const char *text)
{
    vec->count = 0;
    graph_nodes(vec, &f->g, text);
    return (imig_nodes){vec->items, vec->count};
}

static void
test_walk(imig_test *t)
{
    fixture f;
    open_graph(t, &f, "a b:a c:a d:b,c e:d");
    imig_status st =
        imig_walk(&f.found, NULL, &f.g, &f.g.needs, ask(&f, &f.a, "e"), NULL);
    CHECK(t, st == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "e d c a b");
    f.found.count = 0;
    st = imig_walk(&f.found, &f.overlap, &f.g, &f.g.next, ask(&f, &f.a, "b c"), NULL);
    CHECK(t, st == IMIG_OK && f.overlap.target == IMIG_NO_NODE);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "b d e c");
    f.found.count = 0;
    /* The walk of the first target does not hide it from the second one's. */
    st =
        imig_walk(&f.found, &f.overlap, &f.g, &f.g.needs, ask(&f, &f.a, "a b d"), NULL);
    CHECK(t, st == IMIG_OK && f.overlap.target == 1);
    CHECK_SHOWN(t, &f.g, f.overlap.others.items, f.overlap.others.count, "a");
    close_graph(&f);
}

static void
test_tips(imig_test *t)
{
    fixture f;
    open_graph(t, &f, "a b:a c:a d:b,c x y:x+d");
    CHECK(t, imig_tips(&f.found, &f.g, ask(&f, &f.a, "a b c x"), NULL) == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "b c x");
    f.found.count = 0;
    /* Dependencies do not count: y does not stand on d here. */
    CHECK(t, imig_tips(&f.found, &f.g, ask(&f, &f.a, "y d a a"), NULL) == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "d y");
    close_graph(&f);
}

static void
check_order(imig_test *t, const char *graph, const char *nodes, const char *heads,
            const char *want)
{
    fixture f;
    open_graph(t, &f, graph);
    uint8_t *marks = calloc(f.g.count, 1);
    imig_nodes todo = ask(&f, &f.a, nodes);
    for (size_t i = 0; i < todo.count; i++)
        marks[todo.items[i]] = 4;
    imig_status st = imig_order(&f.found, &f.g, marks, 4, ask(&f, &f.b, heads), NULL);
    CHECK(t, st == (want != NULL ? IMIG_OK : IMIG_E_ARGUMENT));
    if (want != NULL)
        CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, want);
    free(marks);
    close_graph(&f);
}

static void
test_order(imig_test *t)
{
    const char *diamond = "a b:a c:a d:b,c";
    check_order(t, diamond, "a b c d", "d", "d b c a");
    check_order(t, diamond, "b d", "d", "d b");
    check_order(t, diamond, "a b c", "c b", "b c a");
    check_order(t, diamond, "", "d", "");
    /* What no head reaches: Alembic's assertion. */
    check_order(t, diamond, "a b c d", "b", NULL);
    check_order(t, diamond, "a c", "b", NULL);
    /* The head of a branch that the other one depends on has to wait. */
    check_order(t, "a b:a x y:x+b", "a b x y", "b y", "y x b a");
    /* A long arm: the fork waits for the first head that can reach it. */
    check_order(t, "a b:a c:b d:a e:d f:a", "a b c d e f", "c e f", "c b e d f a");
    /* A hole in what is asked for. */
    check_order(t, "a b:a c:b d:c", "a d", "d a", "d a");
}

/* One base, many heads: the base is met once for each of them. */
static void
test_star(imig_test *t)
{
    enum { COUNT = 3000 };
    imig_flaw flaw;
    fixture f = {.overlap = IMIG_OVERLAP_INIT};
    imig_str base = {"base0", 5};
    imig_graph_init(&f.g);
    CHECK(t, imig_graph_add(&f.g, &(imig_rev){.id = base}, NULL) == IMIG_OK);
    for (unsigned i = 0; i < COUNT; i++) {
        char id[16];
        imig_rev rev = {.id = {id, (size_t)snprintf(id, sizeof id, "r%u", i)}};
        rev.down = &base;
        rev.down_count = 1;
        CHECK(t, imig_graph_add(&f.g, &rev, NULL) == IMIG_OK);
        imig_vec_push(&f.a, i + 1);
    }
    CHECK(t, imig_graph_finish(&flaw, &f.g, NULL) == IMIG_OK);
    imig_upgrade all = {.targets = {f.a.items, f.a.count}, .implicit_base = true};
    CHECK(t, imig_plan_upgrade(&f.found, &f.overlap, &f.g, &all, NULL) == IMIG_OK);
    CHECK(t, f.found.count == COUNT + 1 && f.found.items[COUNT] == 0);
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK(t, f.found.items[i] == i + 1);
    close_graph(&f);
}

static imig_status
upgrade(fixture *f, const char *targets, const char *current, const char *include,
        bool implicit_base)
{
    imig_upgrade question = {ask(f, &f->a, targets), ask(f, &f->b, current),
                             ask(f, &f->c, include), implicit_base};
    f->found.count = f->overlap.others.count = 0;
    f->overlap.target = IMIG_NO_NODE;
    return imig_plan_upgrade(&f->found, &f->overlap, &f->g, &question, NULL);
}

static void
test_upgrade(imig_test *t)
{
    fixture f;
    open_graph(t, &f, "a b:a c:b x y:x+b");
    CHECK(t, upgrade(&f, "c y", "", "", true) == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "c y x b a");
    CHECK(t, upgrade(&f, "y", "x", "", true) == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "y b a");
    /* Not implicit: only what stands on `current`. */
    CHECK(t, upgrade(&f, "y", "x", "", false) == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "y");
    CHECK(t, upgrade(&f, "c", "b", "b", false) == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "c b");
    CHECK(t, upgrade(&f, "c", "x", "", false) == IMIG_E_RANGE);
    CHECK(t, upgrade(&f, "c", "x", "", true) == IMIG_OK);
    CHECK(t, upgrade(&f, "c a", "", "", true) == IMIG_E_ARGUMENT);
    CHECK(t, f.overlap.target == 2 && f.overlap.others.items[0] == 0);
    CHECK(t, upgrade(&f, "c", "b a", "", true) == IMIG_E_ARGUMENT);
    CHECK(t, f.overlap.target == 1 && f.overlap.others.items[0] == 0);
    close_graph(&f);
}

static imig_status
downgrade(fixture *f, const char *roots, const char *current, bool implicit_base)
{
    imig_downgrade question = {ask(f, &f->a, roots), ask(f, &f->b, current),
                               implicit_base};
    f->found.count = 0;
    return imig_plan_downgrade(&f->found, &f->g, &question, NULL);
}

static void
test_downgrade(imig_test *t)
{
    fixture f;
    open_graph(t, &f, "a b:a c:b x y:x+b");
    CHECK(t, downgrade(&f, "b", "c y", false) == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "c y b");
    CHECK(t, downgrade(&f, "a x", "c y", false) == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "c y x b a");
    CHECK(t, downgrade(&f, "c", "b", false) == IMIG_OK && f.found.count == 0);
    CHECK(t, downgrade(&f, "c", "c x", true) == IMIG_OK);
    CHECK_SHOWN(t, &f.g, f.found.items, f.found.count, "c x");
    close_graph(&f);
}

static void
plan_once(imig_test *t, void *arg)
{
    fixture *f = arg;
    imig_vec found = IMIG_VEC_INIT;
    imig_overlap overlap = IMIG_OVERLAP_INIT;
    imig_upgrade up = {.targets = {f->a.items, f->a.count}};
    imig_downgrade down = {.roots = {f->b.items, f->b.count}, .current = up.targets};
    imig_status st = imig_plan_upgrade(&found, &overlap, &f->g, &up, NULL);
    CHECK(t, st == IMIG_OK || st == IMIG_E_NOMEM);
    found.count = 0;
    down.implicit_base = true;
    st = imig_plan_downgrade(&found, &f->g, &down, NULL);
    CHECK(t, st == IMIG_OK || st == IMIG_E_NOMEM);
    st = imig_tips(&found, &f->g, up.targets, NULL);
    CHECK(t, st == IMIG_OK || st == IMIG_E_NOMEM);
    imig_vec_clear(&overlap.others);
    imig_vec_clear(&found);
}

static void
test_out_of_memory(imig_test *t)
{
    fixture f;
    open_graph(t, &f, "a b:a c:a d:b,c e:a f:e+d x y:x+b z:y");
    (void)ask(&f, &f.a, "f z");
    (void)ask(&f, &f.b, "a x");
    CHECK(t, imig_test_sweep(t, plan_once, &f) > 20);
    close_graph(&f);
}

int
main(void)
{
    imig_test t = {0, 0};
    test_walk(&t);
    test_tips(&t);
    test_order(&t);
    test_star(&t);
    test_upgrade(&t);
    test_downgrade(&t);
    test_out_of_memory(&t);
    return imig_test_end(&t, "test_graph_plan");
}
