/* imig_order.c - Alembic's topological order, in near linear time.
 *
 * RevisionMap._topological_sort keeps a list of "current heads", each with the set of
 * its ancestors, and walks down from one of them for as long as no other head has the
 * next revision among its ancestors; then it goes on with the first head that has.
 *
 * Here no ancestor sets are kept.  A node is *live* while a current head can reach it;
 * `above` counts its live children.  A head is somebody's ancestor exactly when `above`
 * is not 0.  Live nodes only ever become fewer, so keeping the counts costs as many
 * steps as there are edges.  Heads keep the slot they got: list order is slot order.
 *
 *     slots:   0 [ A3 ]  <->  2 [ B9 ]  <->  5 [ C1 ]      1, 3, 4: walked to the end
 *                 ^ candidate
 *
 * Which slot comes next when the candidate is blocked: the first whose head can reach
 * the candidate.  It is looked for upwards from the candidate among live nodes and
 * taken at once where it is the first slot of all. */
#include <string.h>

#include "imig_alloc.h"
#include "imig_plan.h"

#define NO_SLOT UINT32_MAX

enum { PENDING = 1, LIVE = 2, LOOKED = 4 };

typedef struct order {
    const imig_graph *g;
    uint8_t *state;  /* per node: PENDING, LIVE, LOOKED */
    uint32_t *above; /* per node: live children */
    uint32_t *alive; /* per node: its children before this one are dead for good */
    uint32_t *slot;  /* per node: its slot while it is a current head */
    imig_vec head;   /* per slot: the node */
    imig_vec before; /* per slot: the neighbours in the list */
    imig_vec after;
    uint32_t first, last; /* slots */
    imig_vec todo;        /* scratch */
    imig_vec looked;      /* scratch */
} order;

static void
append_head(order *o, uint32_t node)
{
    uint32_t slot = (uint32_t)o->head.count;
    imig_vec_push(&o->head, node);
    imig_vec_push(&o->before, o->last);
    imig_vec_push(&o->after, NO_SLOT);
    if (o->head.failed || o->before.failed || o->after.failed)
        return;
    if (o->last != NO_SLOT)
        o->after.items[o->last] = slot;
    else
        o->first = slot;
    o->last = slot;
    o->slot[node] = slot;
}

static void
unlink_slot(order *o, uint32_t slot)
{
    uint32_t before = o->before.items[slot], after = o->after.items[slot];
    if (before != NO_SLOT)
        o->after.items[before] = after;
    else
        o->first = after;
    if (after != NO_SLOT)
        o->before.items[after] = before;
    else
        o->last = before;
}

/* Make everything below the heads live. */
static imig_status
start(order *o, imig_nodes heads, imig_error *err)
{
    const imig_graph *g = o->g;
    imig_status st = imig_mark(o->state, LIVE, &g->needs, heads, err);
    if (st != IMIG_OK)
        return st;
    for (uint32_t node = 0; node < g->count; node++) {
        o->slot[node] = NO_SLOT;
        o->alive[node] = g->all_next.at[node];
        if ((o->state[node] & LIVE) == 0)
            continue;
        const uint32_t *needs = imig_edges_of(&g->needs, node);
        for (uint32_t i = 0; i < imig_edges_count(&g->needs, node); i++)
            o->above[needs[i]]++;
    }
    for (uint32_t node = 0; node < g->count; node++) {
        if ((o->state[node] & LOOKED) != 0) {
            o->state[node] &= (uint8_t)~LOOKED;
            append_head(o, node);
        }
    }
    return IMIG_OK;
}

/* The node is no head any more and nothing live needs it: it dies, and what only it
 * needed dies with it, unless that is a head itself. */
static void
die(order *o, uint32_t node)
{
    o->todo.count = 0;
    imig_vec_push(&o->todo, node);
    while (o->todo.count != 0 && !o->todo.failed) {
        uint32_t dead = imig_vec_pop(&o->todo);
        o->state[dead] &= (uint8_t)~LIVE;
        const uint32_t *needs = imig_edges_of(&o->g->needs, dead);
        for (uint32_t i = 0; i < imig_edges_count(&o->g->needs, dead); i++) {
            if (--o->above[needs[i]] == 0 && o->slot[needs[i]] == NO_SLOT)
                imig_vec_push(&o->todo, needs[i]);
        }
    }
}

/* Look at one live node above the candidate: true when the search is over. */
static bool
look_at(order *o, uint32_t node, uint32_t *best, uint32_t least)
{
    if ((o->state[node] & (LIVE | LOOKED)) != LIVE)
        return false;
    o->state[node] |= LOOKED;
    imig_vec_push(&o->looked, node);
    imig_vec_push(&o->todo, node);
    if (o->slot[node] < *best)
        *best = o->slot[node];
    return *best == least;
}

/* The first slot whose head can reach `node`.  Children that have died are passed over
 * for good.  (all_next has edges that needs has not, from normalization; they lead to
 * nodes that reach this one all the same.) */
static uint32_t
slot_above(order *o, uint32_t node)
{
    const imig_edges *up = &o->g->all_next;
    uint32_t best = NO_SLOT, least = o->first;
    bool found = false;
    if (o->slot[node] == least)
        least = o->after.items[least];
    o->todo.count = o->looked.count = 0;
    imig_vec_push(&o->todo, node);
    while (o->todo.count != 0 && !o->todo.failed && !found) {
        uint32_t at = imig_vec_pop(&o->todo);
        while (o->alive[at] < up->at[at + 1] &&
               (o->state[up->to[o->alive[at]]] & LIVE) == 0)
            o->alive[at]++;
        for (uint32_t e = o->alive[at]; e < up->at[at + 1] && !found; e++)
            found = look_at(o, up->to[e], &best, least);
    }
    for (size_t i = 0; i < o->looked.count; i++)
        o->state[o->looked.items[i]] &= (uint8_t)~LOOKED;
    return best;
}

/* Emit the head of a slot and put its parents in its place.  Returns the slot to go on
 * with, NO_SLOT when there is no head left. */
static uint32_t
emit(order *o, imig_vec *out, uint32_t slot)
{
    uint32_t node = o->head.items[slot];
    const uint32_t *needs = imig_edges_of(&o->g->needs, node);
    bool replaced = false;
    imig_vec_push(out, node);
    o->state[node] &= (uint8_t)~PENDING;
    o->slot[node] = NO_SLOT;
    for (uint32_t i = 0; i < imig_edges_count(&o->g->needs, node); i++) {
        uint32_t parent = needs[i];
        if ((o->state[parent] & PENDING) == 0 || o->slot[parent] != NO_SLOT)
            continue;
        if (replaced) {
            append_head(o, parent);
        } else {
            o->head.items[slot] = parent;
            o->slot[parent] = slot;
            replaced = true;
        }
    }
    die(o, node);
    if (replaced)
        return slot;
    uint32_t before = o->before.items[slot];
    unlink_slot(o, slot);
    return before != NO_SLOT ? before : o->first;
}

static bool
failed(const order *o, const imig_vec *out)
{
    return o->head.failed || o->before.failed || o->after.failed || o->todo.failed ||
           o->looked.failed || out->failed;
}

static void
run(order *o, imig_vec *out)
{
    uint32_t slot = o->first;
    while (slot != NO_SLOT && !failed(o, out)) {
        uint32_t node = o->head.items[slot];
        slot = o->above[node] != 0 ? slot_above(o, node) : emit(o, out, slot);
    }
}

static void
clear(order *o)
{
    imig_free(o->state);
    imig_free(o->above);
    imig_free(o->alive);
    imig_free(o->slot);
    imig_vec_clear(&o->head);
    imig_vec_clear(&o->before);
    imig_vec_clear(&o->after);
    imig_vec_clear(&o->todo);
    imig_vec_clear(&o->looked);
}

static bool
allocate(order *o)
{
    size_t count = o->g->count;
    o->state = imig_alloc_zeroed(count, sizeof *o->state);
    o->above = imig_alloc_zeroed(count, sizeof *o->above);
    o->alive = imig_alloc_array(count, sizeof *o->alive);
    o->slot = imig_alloc_array(count, sizeof *o->slot);
    return o->state != NULL && o->above != NULL && o->alive != NULL && o->slot != NULL;
}

imig_status
imig_order(imig_vec *out, const imig_graph *g, uint8_t *marks, uint8_t bit,
           imig_nodes heads, imig_error *err)
{
    order o = {.g = g, .first = NO_SLOT, .last = NO_SLOT};
    imig_status st = IMIG_E_NOMEM;
    imig_vec starts = IMIG_VEC_INIT;
    size_t todo = 0;
    if (!allocate(&o))
        goto out;
    for (uint32_t node = 0; node < g->count; node++) {
        if ((marks[node] & bit) != 0) {
            o.state[node] = PENDING;
            todo++;
        }
    }
    /* LOOKED: a head to start from, each once; heads that are not asked for are not. */
    for (size_t i = 0; i < heads.count; i++) {
        uint32_t node = heads.items[i];
        if ((o.state[node] & (PENDING | LOOKED)) == PENDING) {
            o.state[node] |= LOOKED;
            imig_vec_push(&starts, node);
        }
    }
    if (starts.failed ||
        start(&o, (imig_nodes){starts.items, starts.count}, err) != IMIG_OK)
        goto out;
    run(&o, out);
    if (failed(&o, out))
        goto out;
    st = out->count == todo ? IMIG_OK : IMIG_E_ARGUMENT;
out:
    imig_vec_clear(&starts);
    clear(&o);
    if (st == IMIG_E_ARGUMENT)
        return imig_error_set(err, st, "revisions that no head reaches");
    return st == IMIG_OK ? st : imig_error_set(err, st, "out of memory");
}
