/* imig_graph.c - nodes and names as declared.  The edges: imig_graph_finish.c. */
#include "imig_graph.h"

#include "imig_alloc.h"
#include "imig_graph_impl.h"

#define FIRST_NODES 64
#define FIRST_NAMES 128

void
imig_graph_init(imig_graph *g)
{
    *g = (imig_graph){0};
}

static void
clear_edges(imig_edges *edges)
{
    imig_free(edges->at);
    imig_free(edges->to);
    *edges = (imig_edges){NULL, NULL};
}

void
imig_graph_unfinish(imig_graph *g)
{
    clear_edges(&g->versioned);
    clear_edges(&g->resolved);
    clear_edges(&g->normal);
    clear_edges(&g->needs);
    clear_edges(&g->next);
    clear_edges(&g->all_next);
    imig_free(g->sorted);
    imig_free(g->sets);
    imig_strmap_clear(&g->ids);
    imig_strmap_clear(&g->labels);
    g->sorted = NULL;
    g->sets = NULL;
    g->set_count = g->set_capacity = 0;
    for (uint32_t node = 0; node < g->count; node++)
        g->nodes[node].label_set = IMIG_NO_NODE;
    g->finished = false;
}

void
imig_graph_clear(imig_graph *g)
{
    imig_graph_unfinish(g);
    imig_free(g->names);
    imig_free(g->nodes);
    imig_arena_clear(&g->text);
    *g = (imig_graph){0};
}

static imig_status
no_memory(imig_error *err)
{
    return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
}

static imig_status
too_many(imig_error *err)
{
    return imig_error_set(err, IMIG_E_LIMIT, "more than %u revisions or names",
                          (unsigned)IMIG_GRAPH_MAX_NODES);
}

imig_status
imig_graph_reserve(imig_graph *g, imig_error *err)
{
    if (g->count == g->capacity) {
        uint32_t capacity = g->capacity != 0 ? g->capacity * 2 : FIRST_NODES;
        if (capacity > IMIG_GRAPH_MAX_NODES)
            return too_many(err);
        imig_node *grown = imig_realloc_array(g->nodes, capacity, sizeof *grown);
        if (grown == NULL)
            return no_memory(err);
        g->nodes = grown;
        g->capacity = capacity;
    }
    g->nodes[g->count++] = (imig_node){.label_set = IMIG_NO_NODE};
    return IMIG_OK;
}

static imig_status
room_for_names(imig_graph *g, size_t extra, imig_error *err)
{
    size_t need = (size_t)g->name_count + extra;
    size_t capacity = g->name_capacity != 0 ? g->name_capacity : FIRST_NAMES;
    if (need <= g->name_capacity)
        return IMIG_OK;
    while (capacity < need)
        capacity *= 2;
    if (capacity > IMIG_GRAPH_MAX_NODES)
        return too_many(err);
    imig_str *grown = imig_realloc_array(g->names, capacity, sizeof *grown);
    if (grown == NULL)
        return no_memory(err);
    g->names = grown;
    g->name_capacity = (uint32_t)capacity;
    return IMIG_OK;
}

/* Append names to g->names, which has room for them.  False when out of memory. */
static bool
copy_names(imig_span *out, imig_graph *g, const imig_str *names, uint32_t count)
{
    *out = (imig_span){g->name_count, count};
    for (uint32_t i = 0; i < count; i++) {
        if (!imig_arena_copy(&g->names[g->name_count + i], &g->text, names[i]))
            return false;
    }
    g->name_count += count;
    return true;
}

imig_status
imig_graph_fill(imig_graph *g, uint32_t node, const imig_rev *rev, imig_error *err)
{
    imig_node made = {.label_set = IMIG_NO_NODE, .path = g->nodes[node].path};
    size_t names = (size_t)rev->down_count + rev->depend_count + rev->label_count;
    imig_status st = room_for_names(g, names, err);
    if (st != IMIG_OK)
        return st;
    uint32_t before = g->name_count;
    bool copied = imig_arena_copy(&made.id, &g->text, rev->id) &&
                  copy_names(&made.down, g, rev->down, rev->down_count) &&
                  copy_names(&made.depend, g, rev->depend, rev->depend_count) &&
                  copy_names(&made.labels, g, rev->labels, rev->label_count);
    if (copied && rev->doc.ptr != NULL)
        copied = imig_arena_copy(&made.doc, &g->text, rev->doc);
    if (!copied) {
        g->name_count = before;
        return no_memory(err);
    }
    g->nodes[node] = made;
    return IMIG_OK;
}

imig_status
imig_graph_add(imig_graph *g, const imig_rev *rev, imig_error *err)
{
    imig_status st = imig_graph_reserve(g, err);
    if (st != IMIG_OK)
        return st;
    st = imig_graph_fill(g, g->count - 1, rev, err);
    if (st != IMIG_OK)
        g->count--;
    return st;
}

uint32_t
imig_graph_find(const imig_graph *g, imig_str id)
{
    uint32_t node = IMIG_NO_NODE;
    imig_strmap_get(&node, &g->ids, id);
    return node;
}
