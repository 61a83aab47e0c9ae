/* imig_plan.c - upgrade and downgrade plans: set arithmetic on marks, then the order.
 */
#include "imig_plan.h"

#include "imig_alloc.h"

enum { REQUIRED = 1, CURRENT = 2, ABOVE = 4, NEEDED = 8 };

static imig_status
no_memory(imig_error *err)
{
    return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
}

/* Mark a walk that no two targets may share.  IMIG_E_ARGUMENT: they do. */
static imig_status
mark_checked(uint8_t *marks, uint8_t bit, imig_overlap *overlap, const imig_graph *g,
             const imig_edges *edges, imig_nodes targets, imig_error *err)
{
    imig_vec found = IMIG_VEC_INIT;
    imig_status st;
    if (targets.count < 2)
        return imig_mark(marks, bit, edges, targets, err);
    st = imig_walk(&found, overlap, g, edges, targets, err);
    for (size_t i = 0; st == IMIG_OK && i < found.count; i++)
        marks[found.items[i]] |= bit;
    imig_vec_clear(&found);
    if (st == IMIG_OK && overlap->target != IMIG_NO_NODE)
        st = imig_error_set(err, IMIG_E_ARGUMENT, "requested revisions overlap");
    return st;
}

/* The three walks of an upgrade, in Alembic's order: the first that fails is told. */
static imig_status
mark_upgrade(uint8_t *marks, imig_overlap *overlap, const imig_graph *g,
             const imig_upgrade *ask, imig_error *err)
{
    imig_status st;
    st = mark_checked(marks, REQUIRED, overlap, g, &g->needs, ask->targets, err);
    if (st != IMIG_OK)
        return st;
    for (size_t i = 0; i < ask->current.count && !ask->implicit_base; i++) {
        if ((marks[ask->current.items[i]] & REQUIRED) == 0)
            return imig_error_set(err, IMIG_E_RANGE, "not an ancestor");
    }
    st = mark_checked(marks, CURRENT, overlap, g, &g->needs, ask->current, err);
    if (st == IMIG_OK && ask->current.count != 0 && !ask->implicit_base)
        st = mark_checked(marks, ABOVE, overlap, g, &g->next, ask->current, err);
    return st;
}

imig_status
imig_plan_upgrade(imig_vec *out, imig_overlap *overlap, const imig_graph *g,
                  const imig_upgrade *ask, imig_error *err)
{
    uint8_t *marks = imig_alloc_zeroed(g->count, sizeof *marks);
    if (marks == NULL)
        return no_memory(err);
    imig_status st = mark_upgrade(marks, overlap, g, ask, err);
    if (st != IMIG_OK)
        goto out;
    bool above_only = ask->current.count != 0 && !ask->implicit_base;
    for (uint32_t node = 0; node < g->count; node++) {
        if ((marks[node] & (REQUIRED | CURRENT)) == REQUIRED)
            marks[node] |= NEEDED;
    }
    for (size_t i = 0; i < ask->include.count; i++)
        marks[ask->include.items[i]] |= NEEDED;
    for (uint32_t node = 0; node < g->count && above_only; node++) {
        if ((marks[node] & ABOVE) == 0)
            marks[node] &= (uint8_t)~NEEDED;
    }
    st = imig_order(out, g, marks, NEEDED, ask->targets, err);
out:
    imig_free(marks);
    return st;
}

imig_status
imig_plan_downgrade(imig_vec *out, const imig_graph *g, const imig_downgrade *ask,
                    imig_error *err)
{
    imig_status st;
    uint8_t *marks = imig_alloc_zeroed(g->count, sizeof *marks);
    if (marks == NULL)
        return no_memory(err);
    /* REQUIRED: below the roots; only asked for where other branches go too. */
    if ((st = imig_mark(marks, ABOVE, &g->all_next, ask->roots, err)) != IMIG_OK ||
        (st = imig_mark(marks, CURRENT, &g->needs, ask->current, err)) != IMIG_OK ||
        (ask->implicit_base &&
         (st = imig_mark(marks, REQUIRED, &g->needs, ask->roots, err)) != IMIG_OK))
        goto out;
    for (uint32_t node = 0; node < g->count; node++) {
        bool active = (marks[node] & CURRENT) != 0;
        bool dropped = (marks[node] & ABOVE) != 0;
        bool aside = ask->implicit_base && (marks[node] & REQUIRED) == 0;
        if (active && (dropped || aside))
            marks[node] |= NEEDED;
    }
    st = imig_order(out, g, marks, NEEDED, ask->current, err);
out:
    imig_free(marks);
    return st;
}
