/* imig_resolve.c - walks over a finished graph. */
#include "imig_resolve.h"

#include "imig_alloc.h"

static imig_status
no_memory(imig_error *err)
{
    return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
}

typedef struct walk {
    imig_vec todo;
    uint8_t *state; /* SEEN, TARGET */
    imig_vec *out;
    imig_overlap *overlap; /* or NULL */
    const imig_edges *edges;
} walk;

enum { SEEN = 1, TARGET = 2 };

/* Walk from one target.  What was seen from an earlier target is not entered again,
 * but meeting it counts as an overlap when it is a target itself. */
static void
walk_from(walk *w, uint32_t target)
{
    imig_vec_push(&w->todo, target);
    while (w->todo.count != 0 && !w->todo.failed) {
        uint32_t node = imig_vec_pop(&w->todo);
        if (w->overlap != NULL && (w->state[node] & TARGET) != 0 && node != target)
            imig_vec_push(&w->overlap->others, node);
        if ((w->state[node] & SEEN) != 0)
            continue;
        w->state[node] |= SEEN;
        imig_vec_push(w->out, node);
        const uint32_t *to = imig_edges_of(w->edges, node);
        for (uint32_t i = 0; i < imig_edges_count(w->edges, node); i++)
            imig_vec_push(&w->todo, to[i]);
    }
}

/* Drop repeats from the targets that a walk met. */
static void
each_once(walk *w, imig_vec *others)
{
    size_t kept = 0;
    for (size_t i = 0; i < others->count; i++) {
        uint32_t node = others->items[i];
        if ((w->state[node] & TARGET) == 0)
            continue;
        w->state[node] &= (uint8_t)~TARGET;
        others->items[kept++] = node;
    }
    others->count = kept;
}

imig_status
imig_walk(imig_vec *out, imig_overlap *overlap, const imig_graph *g,
          const imig_edges *edges, imig_nodes targets, imig_error *err)
{
    walk w = {IMIG_VEC_INIT, NULL, out, overlap, edges};
    imig_status st = IMIG_E_NOMEM;
    if ((w.state = imig_alloc_zeroed(g->count, sizeof *w.state)) == NULL)
        goto out;
    for (size_t i = 0; i < targets.count; i++)
        w.state[targets.items[i]] |= TARGET;
    for (size_t i = 0; i < targets.count; i++) {
        walk_from(&w, targets.items[i]);
        if (overlap != NULL && overlap->others.count != 0) {
            overlap->target = targets.items[i];
            each_once(&w, &overlap->others);
            break;
        }
    }
    if (!w.todo.failed && !out->failed && (overlap == NULL || !overlap->others.failed))
        st = IMIG_OK;
out:
    imig_free(w.state);
    imig_vec_clear(&w.todo);
    return st == IMIG_OK ? st : no_memory(err);
}

imig_status
imig_mark(uint8_t *marks, uint8_t bit, const imig_edges *edges, imig_nodes targets,
          imig_error *err)
{
    imig_vec todo = IMIG_VEC_INIT;
    for (size_t i = 0; i < targets.count; i++) {
        if ((marks[targets.items[i]] & bit) == 0) {
            marks[targets.items[i]] |= bit;
            imig_vec_push(&todo, targets.items[i]);
        }
        while (todo.count != 0 && !todo.failed) {
            uint32_t node = imig_vec_pop(&todo);
            const uint32_t *to = imig_edges_of(edges, node);
            for (uint32_t e = 0; e < imig_edges_count(edges, node); e++) {
                if ((marks[to[e]] & bit) == 0) {
                    marks[to[e]] |= bit;
                    imig_vec_push(&todo, to[e]);
                }
            }
        }
    }
    bool failed = todo.failed;
    imig_vec_clear(&todo);
    return failed ? no_memory(err) : IMIG_OK;
}

imig_status
imig_tips(imig_vec *out, const imig_graph *g, imig_nodes nodes, imig_error *err)
{
    enum { ASKED = 1, BELOW = 2 };
    uint8_t *state = imig_alloc_zeroed(g->count, sizeof *state);
    if (state == NULL)
        return no_memory(err);
    for (size_t i = 0; i < nodes.count; i++)
        state[nodes.items[i]] = ASKED;
    /* From the heads down: a parent is BELOW when its child is asked for or BELOW. */
    for (uint32_t i = g->count; i > 0; i--) {
        uint32_t node = g->sorted[i - 1];
        const uint32_t *parents = imig_edges_of(&g->versioned, node);
        for (uint32_t e = 0; e < imig_edges_count(&g->versioned, node); e++)
            state[parents[e]] |= state[node] != 0 ? BELOW : 0;
    }
    for (uint32_t node = 0; node < g->count; node++) {
        if (state[node] == ASKED)
            imig_vec_push(out, node);
    }
    imig_free(state);
    return out->failed ? no_memory(err) : IMIG_OK;
}

void
imig_ends(imig_vec *out, const imig_graph *g, const imig_edges *edges)
{
    for (uint32_t node = 0; node < g->count; node++) {
        if (imig_edges_count(edges, node) == 0)
            imig_vec_push(out, node);
    }
}

void
imig_bases(imig_vec *out, const imig_graph *g, bool real)
{
    for (uint32_t node = 0; node < g->count; node++) {
        const imig_node *each = &g->nodes[node];
        if (each->down.count == 0 && (!real || each->depend.count == 0))
            imig_vec_push(out, node);
    }
}
