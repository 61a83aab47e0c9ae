/* imig_graph.h - the revision graph: nodes, names as declared, edges as indices.
 *
 * Life: add nodes in the order in which the files come, then imig_graph_finish once,
 * then ask.  A finished graph is read-only; any number of threads may ask.
 *
 *      declared (names)              finished (edges, node indices)
 *
 *   node 2 "c3"                      versioned[2] = 0 1     as down_revision names them
 *     down_revision  "a1" "b2"       needs[2]     = 0 1 4   and what depends_on adds
 *     depends_on     "d4" "x"        next[0]      = 2       the way back of versioned
 *     branch_labels  "y"             all_next[4]  = 2       the way back of all
 *
 * Only regular graphs finish: every name names a node, no id or label is there twice,
 * there is no cycle.  imig_graph_finish says what is wrong with one that is not. */
#ifndef IMIG_GRAPH_H
#define IMIG_GRAPH_H

#include "imig_arena.h"
#include "imig_base.h"
#include "imig_error.h"
#include "imig_strmap.h"

#define IMIG_GRAPH_MAX_NODES ((uint32_t)1 << 30)
#define IMIG_NO_NODE UINT32_MAX

/* items[first .. first + count) of an array that the field's comment names. */
typedef struct imig_span {
    uint32_t first;
    uint32_t count;
} imig_span;

typedef struct imig_node {
    imig_str id;
    const char *path; /* of its file; NULL where there is none */
    imig_str doc;     /* the module's docstring; ptr is NULL without one */
    imig_span down;   /* graph->names: down_revision, as declared, repeats included */
    imig_span depend; /* graph->names: depends_on */
    imig_span labels; /* graph->names: branch_labels */
    uint32_t
        label_set; /* finished: graph->sets, labels after their spread; or NO_NODE */
} imig_node;

/* Labels as a union of two other sets and of a node's own names; no set is copied. */
typedef struct imig_label_set {
    uint32_t left; /* graph->sets, or IMIG_NO_NODE */
    uint32_t right;
    imig_span own;
} imig_label_set;

/* Edges of node i: to[at[i] .. at[i + 1]). */
typedef struct imig_edges {
    uint32_t *at;
    uint32_t *to;
} imig_edges;

typedef struct imig_graph {
    imig_arena text;
    imig_node *nodes;
    uint32_t count;
    uint32_t capacity;
    imig_str *names;
    uint32_t name_count;
    uint32_t name_capacity;
    imig_strmap ids;    /* to node */
    imig_strmap labels; /* to node */
    bool finished;
    imig_edges versioned; /* down_revision, as declared */
    imig_edges resolved;  /* depends_on as nodes, as declared */
    imig_edges normal;    /* resolved without those that an ancestor has already */
    imig_edges needs;     /* versioned, then what normal adds to it; each once */
    imig_edges next;      /* versioned, backwards; in the order of the nodes */
    imig_edges all_next;  /* versioned and resolved, backwards */
    uint32_t *sorted;     /* every node after all that it needs */
    imig_label_set *sets;
    uint32_t set_count;
    uint32_t set_capacity;
} imig_graph;

/* A revision as declared.  Nothing of it is kept. */
typedef struct imig_rev {
    imig_str id;
    imig_str doc;
    const imig_str *down;
    uint32_t down_count;
    const imig_str *depend;
    uint32_t depend_count;
    const imig_str *labels;
    uint32_t label_count;
} imig_rev;

/* What makes a graph irregular. */
typedef struct imig_flaw {
    uint32_t node;  /* where it was found */
    uint32_t other; /* the node that has the id or label already, or IMIG_NO_NODE */
    imig_str name;  /* the id or label in question; lives as long as the graph */
} imig_flaw;

void imig_graph_init(imig_graph *g);
void imig_graph_clear(imig_graph *g);

/* Add a node at index g->count.  IMIG_OK, IMIG_E_NOMEM (the graph is as it was, save
 * for unused memory) or IMIG_E_LIMIT. */
IMIG_NODISCARD imig_status imig_graph_add(imig_graph *g, const imig_rev *rev,
                                          imig_error *err);

/* Keep the next index free for a node that is not known yet; see imig_graph_fill. */
IMIG_NODISCARD imig_status imig_graph_reserve(imig_graph *g, imig_error *err);

/* Give a node that was reserved its content. */
IMIG_NODISCARD imig_status imig_graph_fill(imig_graph *g, uint32_t node,
                                           const imig_rev *rev, imig_error *err);

/* Resolve all names and make the edges.  Near linear.  IMIG_OK, IMIG_E_NOMEM,
 * IMIG_E_DUPLICATE (an id or label is there twice), IMIG_E_MISSING (a name names no
 * node) or IMIG_E_CYCLE; after the last three `flaw` says where and `err` how. */
IMIG_NODISCARD imig_status imig_graph_finish(imig_flaw *flaw, imig_graph *g,
                                             imig_error *err);

/* The node with that id, or IMIG_NO_NODE.  Of a finished graph. */
uint32_t imig_graph_find(const imig_graph *g, imig_str id);

static inline uint32_t
imig_edges_count(const imig_edges *edges, uint32_t node)
{
    return edges->at[node + 1] - edges->at[node];
}

static inline const uint32_t *
imig_edges_of(const imig_edges *edges, uint32_t node)
{
    return edges->to + edges->at[node];
}

/* Revision.is_merge_point: more than one down_revision, repeats counted. */
static inline bool
imig_graph_is_merge(const imig_graph *g, uint32_t node)
{
    return g->nodes[node].down.count > 1;
}

#endif /* IMIG_GRAPH_H */
