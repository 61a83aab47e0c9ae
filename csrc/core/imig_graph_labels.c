/* imig_graph_labels.c - which branch labels a revision has.
 *
 * RevisionMap._add_branches gives a label to all versioned descendants of the revision
 * that declares it, then walks down from the last of them for as long as there is
 * neither a branch nor a merge.  That walk gets below the revision only where all its
 * descendants are one straight line to a head:
 *
 *     base -- m -- R(label) -- x -- head          m and base get the label too
 *     base -- m -- R(label) -- x -- head1         they do not
 *                         \--- y -- head2
 *
 * and then every node of the line ends with the labels of the line's head.  So: one
 * pass upwards in sorted order, one walk down from every head. */
#include <stdlib.h>

#include "imig_alloc.h"
#include "imig_graph_impl.h"
#include "imig_labels.h"

/* Append a set and return its index, IMIG_NO_NODE when out of memory. */
static uint32_t
new_set(imig_graph *g, imig_label_set set)
{
    if (g->set_count == g->set_capacity) {
        uint32_t capacity = g->set_capacity != 0 ? g->set_capacity * 2 : 16;
        imig_label_set *grown = imig_realloc_array(g->sets, capacity, sizeof *grown);
        if (grown == NULL)
            return IMIG_NO_NODE;
        g->sets = grown;
        g->set_capacity = capacity;
    }
    g->sets[g->set_count] = set;
    return g->set_count++;
}

/* The union of what the versioned parents have and the node's own labels. */
static bool
inherit(imig_graph *g, uint32_t node)
{
    const uint32_t *parents = imig_edges_of(&g->versioned, node);
    uint32_t found = IMIG_NO_NODE;
    for (uint32_t i = 0; i < imig_edges_count(&g->versioned, node); i++) {
        uint32_t theirs = g->nodes[parents[i]].label_set;
        if (theirs == IMIG_NO_NODE || theirs == found)
            continue;
        if (found != IMIG_NO_NODE) {
            theirs = new_set(g, (imig_label_set){found, theirs, {0, 0}});
            if (theirs == IMIG_NO_NODE)
                return false;
        }
        found = theirs;
    }
    if (g->nodes[node].labels.count != 0) {
        imig_label_set with_own = {found, IMIG_NO_NODE, g->nodes[node].labels};
        found = new_set(g, with_own);
        if (found == IMIG_NO_NODE)
            return false;
    }
    g->nodes[node].label_set = found;
    return true;
}

static void
walk_down(imig_graph *g, uint32_t head)
{
    uint32_t node = head, set = g->nodes[head].label_set;
    while (imig_edges_count(&g->all_next, node) <= 1 && !imig_graph_is_merge(g, node)) {
        g->nodes[node].label_set = set;
        if (imig_edges_count(&g->versioned, node) == 0)
            break;
        node = imig_edges_of(&g->versioned, node)[0];
    }
}

bool
imig_graph_spread_labels(imig_graph *g)
{
    if (g->labels.count == 0)
        return true;
    for (uint32_t i = 0; i < g->count; i++) {
        if (!inherit(g, g->sorted[i]))
            return false;
    }
    for (uint32_t node = 0; node < g->count; node++) {
        if (imig_edges_count(&g->next, node) == 0)
            walk_down(g, node);
    }
    return true;
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

bool
imig_labels_of(imig_vec *out, const imig_graph *g, uint32_t node)
{
    imig_vec todo = IMIG_VEC_INIT;
    bool *seen = NULL;
    bool ok = false;
    out->count = 0;
    if (g->nodes[node].label_set == IMIG_NO_NODE)
        return true;
    if ((seen = imig_alloc_zeroed(g->set_count, sizeof *seen)) == NULL)
        goto out;
    imig_vec_push(&todo, g->nodes[node].label_set);
    while (todo.count != 0) {
        uint32_t at = imig_vec_pop(&todo);
        if (at == IMIG_NO_NODE || seen[at])
            continue;
        seen[at] = true;
        const imig_label_set *set = &g->sets[at];
        for (uint32_t i = 0; i < set->own.count; i++)
            imig_vec_push(out, set->own.first + i);
        imig_vec_push(&todo, set->left);
        imig_vec_push(&todo, set->right);
    }
    if (out->count != 0)
        qsort(out->items, out->count, sizeof *out->items, by_value);
    ok = !todo.failed && !out->failed;
out:
    imig_free(seen);
    imig_vec_clear(&todo);
    return ok;
}
