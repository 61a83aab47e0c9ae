/* imig_graph_finish.c - from declared names to edges.
 *
 * The steps are those of Alembic's RevisionMap._revision_map, in its order: labels
 * (_map_branch_labels), dependencies (_add_depends_on), the way back (add_nextrev),
 * _normalize_depends_on, cycles, and the spread of labels (_add_branches). */
#include "imig_alloc.h"
#include "imig_graph_impl.h"
#include "imig_vec.h"

static imig_status
no_memory(imig_error *err)
{
    return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
}

/* The length of a name for printf's "%.*s", within what a message can hold. */
static int
shown(imig_str text)
{
    return text.len < 64 ? (int)text.len : 64;
}

static imig_status
duplicate(imig_flaw *flaw, const imig_graph *g, uint32_t node, uint32_t other,
          imig_str name, imig_error *err)
{
    *flaw = (imig_flaw){node, other, name};
    imig_str id = g->nodes[node].id, has = g->nodes[other].id;
    return imig_error_set(err, IMIG_E_DUPLICATE,
                          "'%.*s' of revision %.*s is used by revision %.*s already",
                          shown(name), name.ptr, shown(id), id.ptr, shown(has),
                          has.ptr);
}

static imig_status
missing(imig_flaw *flaw, const imig_graph *g, uint32_t node, imig_str name,
        imig_error *err)
{
    *flaw = (imig_flaw){node, IMIG_NO_NODE, name};
    imig_str id = g->nodes[node].id;
    return imig_error_set(err, IMIG_E_MISSING,
                          "revision %.*s referenced from %.*s is not present",
                          shown(name), name.ptr, shown(id), id.ptr);
}

static imig_status
map_ids(imig_flaw *flaw, imig_graph *g, imig_error *err)
{
    for (uint32_t node = 0; node < g->count; node++) {
        imig_str id = g->nodes[node].id;
        uint32_t other;
        if (imig_strmap_get(&other, &g->ids, id))
            return duplicate(flaw, g, node, other, id, err);
        if (!imig_strmap_put(&g->ids, id, node))
            return no_memory(err);
    }
    return IMIG_OK;
}

/* Labels share one name space with ids. */
static imig_status
map_labels(imig_flaw *flaw, imig_graph *g, imig_error *err)
{
    for (uint32_t node = 0; node < g->count; node++) {
        imig_span labels = g->nodes[node].labels;
        for (uint32_t i = 0; i < labels.count; i++) {
            imig_str label = g->names[labels.first + i];
            uint32_t other;
            if (imig_strmap_get(&other, &g->ids, label) ||
                imig_strmap_get(&other, &g->labels, label))
                return duplicate(flaw, g, node, other, label, err);
            if (!imig_strmap_put(&g->labels, label, node))
                return no_memory(err);
        }
    }
    return IMIG_OK;
}

static bool
new_edges(imig_edges *edges, uint32_t nodes, size_t room)
{
    edges->at = imig_alloc_zeroed((size_t)nodes + 1, sizeof *edges->at);
    edges->to = imig_alloc_array(room, sizeof *edges->to);
    return edges->at != NULL && edges->to != NULL;
}

static size_t
total_names(const imig_graph *g, bool depend)
{
    size_t total = 0;
    for (uint32_t node = 0; node < g->count; node++) {
        const imig_node *each = &g->nodes[node];
        total += depend ? each->depend.count : each->down.count;
    }
    return total;
}

/* down_revision names ids only.  (Alembic lets a label through here and misses it a
 * little later, in _detect_cycles.) */
static imig_status
make_versioned(imig_flaw *flaw, imig_graph *g, imig_error *err)
{
    uint32_t count = 0;
    if (!new_edges(&g->versioned, g->count, total_names(g, false)))
        return no_memory(err);
    for (uint32_t node = 0; node < g->count; node++) {
        imig_span down = g->nodes[node].down;
        for (uint32_t i = 0; i < down.count; i++) {
            imig_str name = g->names[down.first + i];
            uint32_t parent = imig_graph_find(g, name);
            if (parent == IMIG_NO_NODE)
                return missing(flaw, g, node, name, err);
            g->versioned.to[count++] = parent;
        }
        g->versioned.at[node + 1] = count;
    }
    return IMIG_OK;
}

/* depends_on names ids or labels.  As RevisionMap._add_depends_on. */
static imig_status
make_resolved(imig_flaw *flaw, imig_graph *g, imig_error *err)
{
    uint32_t count = 0;
    if (!new_edges(&g->resolved, g->count, total_names(g, true)))
        return no_memory(err);
    for (uint32_t node = 0; node < g->count; node++) {
        imig_span depend = g->nodes[node].depend;
        for (uint32_t i = 0; i < depend.count; i++) {
            imig_str name = g->names[depend.first + i];
            uint32_t parent = imig_graph_find(g, name);
            if (parent == IMIG_NO_NODE && !imig_strmap_get(&parent, &g->labels, name))
                return missing(flaw, g, node, name, err);
            g->resolved.to[count++] = parent;
        }
        g->resolved.at[node + 1] = count;
    }
    return IMIG_OK;
}

/* For every distinct target of `node`: count an edge back, or place it. */
static void
scatter(imig_edges *out, const imig_edges *edges, uint32_t node, uint32_t *seen,
        uint32_t stamp, bool place)
{
    for (uint32_t i = edges->at[node]; i < edges->at[node + 1]; i++) {
        uint32_t target = edges->to[i];
        if (seen[target] == stamp)
            continue;
        seen[target] = stamp;
        if (place)
            out->to[out->at[target]++] = node;
        else
            out->at[target + 1]++;
    }
}

/* The way back of `a` and, unless NULL, `b`, each pair once, children in the order of
 * the nodes: as Revision.add_nextrev is called.  `seen` is scratch, one per node. */
static bool
reverse(imig_edges *out, uint32_t nodes, const imig_edges *a, const imig_edges *b,
        uint32_t *seen)
{
    size_t room = (size_t)a->at[nodes] + (b != NULL ? b->at[nodes] : 0);
    if (!new_edges(out, nodes, room))
        return false;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t node = 0; node < nodes; node++)
            seen[node] = IMIG_NO_NODE;
        for (uint32_t node = 0; node < nodes; node++) {
            scatter(out, a, node, seen, node, pass == 1);
            if (b != NULL)
                scatter(out, b, node, seen, node, pass == 1);
        }
        if (pass == 0) {
            for (uint32_t node = 0; node < nodes; node++)
                out->at[node + 1] += out->at[node];
        }
    }
    /* Placing has moved each start to the next one's: move them back. */
    for (uint32_t node = nodes; node > 0; node--)
        out->at[node] = out->at[node - 1];
    out->at[0] = 0;
    return true;
}

/* Kahn's algorithm.  `waits` is scratch, one per node.  Returns how many nodes could
 * be put in order; fewer than all means a cycle, and waits[node] is then not 0 for
 * those that could not. */
static uint32_t
sort_nodes(imig_graph *g, uint32_t *waits)
{
    uint32_t done = 0, count = 0;
    for (uint32_t node = 0; node < g->count; node++)
        waits[node] = 0;
    for (uint32_t i = 0; i < g->all_next.at[g->count]; i++)
        waits[g->all_next.to[i]]++;
    for (uint32_t node = 0; node < g->count; node++) {
        if (waits[node] == 0)
            g->sorted[count++] = node;
    }
    while (done < count) {
        uint32_t node = g->sorted[done++];
        const uint32_t *next = imig_edges_of(&g->all_next, node);
        for (uint32_t i = 0; i < imig_edges_count(&g->all_next, node); i++) {
            if (--waits[next[i]] == 0)
                g->sorted[count++] = next[i];
        }
    }
    return count;
}

static imig_status
sort_or_find_cycle(imig_flaw *flaw, imig_graph *g, uint32_t *waits, imig_error *err)
{
    g->sorted = imig_alloc_array(g->count, sizeof *g->sorted);
    if (g->sorted == NULL)
        return no_memory(err);
    if (sort_nodes(g, waits) == g->count)
        return IMIG_OK;
    uint32_t node = 0;
    while (waits[node] == 0)
        node++;
    imig_str id = g->nodes[node].id;
    *flaw = (imig_flaw){node, IMIG_NO_NODE, id};
    return imig_error_set(err, IMIG_E_CYCLE, "revision %.*s is in or above a cycle",
                          shown(id), id.ptr);
}

/* Find those of `target`'s dependents that stand above another of them, and drop the
 * edge from them: `drop` is parallel to resolved.to.  Versioned ancestors only, as
 * RevisionMap._normalize_depends_on asks for them. */
static bool
drop_inherited(const imig_graph *g, const imig_edges *dependents, uint32_t target,
               imig_vec *todo, uint32_t *seen, bool *drop)
{
    const uint32_t *from = imig_edges_of(dependents, target);
    uint32_t count = imig_edges_count(dependents, target), left = count;
    todo->count = 0;
    for (uint32_t i = 0; i < count; i++)
        imig_vec_push(todo, from[i]);
    while (todo->count != 0 && !todo->failed) {
        uint32_t node = imig_vec_pop(todo);
        const uint32_t *next = imig_edges_of(&g->next, node);
        for (uint32_t i = 0; i < imig_edges_count(&g->next, node); i++) {
            if (seen[next[i]] == target)
                continue;
            seen[next[i]] = target;
            imig_vec_push(todo, next[i]);
        }
    }
    for (uint32_t i = 0; i < count && left > 1; i++) {
        if (seen[from[i]] != target)
            continue;
        left--;
        for (uint32_t e = g->resolved.at[from[i]]; e < g->resolved.at[from[i] + 1]; e++)
            drop[e] = drop[e] || g->resolved.to[e] == target;
    }
    return !todo->failed;
}

/* normal: what is left of resolved, each once.  needs: versioned, then what of normal
 * is not among it (Revision._normalized_down_revisions). */
static bool
keep_the_rest(imig_graph *g, const bool *drop, uint32_t *seen)
{
    uint32_t normals = 0, needs = 0;
    if (!new_edges(&g->normal, g->count, g->resolved.at[g->count]) ||
        !new_edges(&g->needs, g->count,
                   (size_t)g->resolved.at[g->count] + g->versioned.at[g->count]))
        return false;
    for (uint32_t node = 0; node < g->count; node++)
        seen[node] = 0;
    for (uint32_t node = 0; node < g->count; node++) {
        /* 2n + 1: among versioned only; 2n + 2: also among normal. */
        uint32_t versioned = 2 * node + 1, normal = 2 * node + 2;
        for (uint32_t e = g->versioned.at[node]; e < g->versioned.at[node + 1]; e++) {
            if (seen[g->versioned.to[e]] != versioned)
                g->needs.to[needs++] = g->versioned.to[e];
            seen[g->versioned.to[e]] = versioned;
        }
        for (uint32_t e = g->resolved.at[node]; e < g->resolved.at[node + 1]; e++) {
            uint32_t target = g->resolved.to[e];
            if (drop[e] || seen[target] == normal)
                continue;
            g->normal.to[normals++] = target;
            if (seen[target] != versioned)
                g->needs.to[needs++] = target;
            seen[target] = normal;
        }
        g->normal.at[node + 1] = normals;
        g->needs.at[node + 1] = needs;
    }
    return true;
}

/* As RevisionMap._normalize_depends_on.  Only a revision that two or more depend on
 * can be inherited: in most histories that is none. */
static imig_status
normalize(imig_graph *g, uint32_t *seen, imig_error *err)
{
    imig_status st = IMIG_E_NOMEM;
    imig_edges dependents = {NULL, NULL};
    imig_vec todo = IMIG_VEC_INIT;
    bool *drop = imig_alloc_zeroed(g->resolved.at[g->count], sizeof *drop);
    if (drop == NULL || !reverse(&dependents, g->count, &g->resolved, NULL, seen))
        goto out;
    for (uint32_t node = 0; node < g->count; node++)
        seen[node] = IMIG_NO_NODE;
    for (uint32_t node = 0; node < g->count; node++) {
        if (imig_edges_count(&dependents, node) > 1 &&
            !drop_inherited(g, &dependents, node, &todo, seen, drop))
            goto out;
    }
    if (keep_the_rest(g, drop, seen))
        st = IMIG_OK;
out:
    imig_vec_clear(&todo);
    imig_free(dependents.to);
    imig_free(dependents.at);
    imig_free(drop);
    return st == IMIG_OK ? st : no_memory(err);
}

static imig_status
make_edges(imig_flaw *flaw, imig_graph *g, uint32_t *seen, imig_error *err)
{
    imig_status st;
    if ((st = make_versioned(flaw, g, err)) != IMIG_OK ||
        (st = make_resolved(flaw, g, err)) != IMIG_OK)
        return st;
    if (!reverse(&g->next, g->count, &g->versioned, NULL, seen) ||
        !reverse(&g->all_next, g->count, &g->versioned, &g->resolved, seen))
        return no_memory(err);
    if ((st = sort_or_find_cycle(flaw, g, seen, err)) != IMIG_OK)
        return st;
    return normalize(g, seen, err);
}

imig_status
imig_graph_finish(imig_flaw *flaw, imig_graph *g, imig_error *err)
{
    imig_status st;
    imig_graph_unfinish(g);
    if ((st = map_ids(flaw, g, err)) != IMIG_OK ||
        (st = map_labels(flaw, g, err)) != IMIG_OK)
        return st;
    uint32_t *seen = imig_alloc_zeroed(g->count, sizeof *seen);
    if (seen == NULL)
        return no_memory(err);
    st = make_edges(flaw, g, seen, err);
    imig_free(seen);
    if (st == IMIG_OK && !imig_graph_spread_labels(g))
        st = no_memory(err);
    g->finished = st == IMIG_OK;
    return st;
}
