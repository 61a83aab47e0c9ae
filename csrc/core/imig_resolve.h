/* imig_resolve.h - questions about a finished graph: who is above, below, related.
 *
 * Nodes are indices below g->count; none of these functions checks that again.  No
 * answer depends on anything but the graph and the question. */
#ifndef IMIG_RESOLVE_H
#define IMIG_RESOLVE_H

#include "imig_graph.h"
#include "imig_vec.h"

/* Nodes asked about. */
typedef struct imig_nodes {
    const uint32_t *items;
    size_t count;
} imig_nodes;

/* Two targets of one question stand one above the other. */
typedef struct imig_overlap {
    uint32_t target; /* the one whose walk met others; IMIG_NO_NODE: no overlap */
    imig_vec others; /* those that it met */
} imig_overlap;

#define IMIG_OVERLAP_INIT {IMIG_NO_NODE, IMIG_VEC_INIT}

/* Everything that can be reached from the targets along `edges`, targets included, in
 * the order of RevisionMap._iterate_related_revisions: depth first, last edge first.
 * With `overlap`, stop after the first target that meets another one. */
IMIG_NODISCARD imig_status imig_walk(imig_vec *out, imig_overlap *overlap,
                                     const imig_graph *g, const imig_edges *edges,
                                     imig_nodes targets, imig_error *err);

/* Set `bit` in marks[node] for everything that imig_walk would visit.  `marks` has a
 * byte per node, and `bit` is in none of them. */
IMIG_NODISCARD imig_status imig_mark(uint8_t *marks, uint8_t bit,
                                     const imig_edges *edges, imig_nodes targets,
                                     imig_error *err);

/* Those of `nodes` without another one of them above, along versioned edges.  As
 * RevisionMap._filter_into_branch_heads; each once, in the order of the graph. */
IMIG_NODISCARD imig_status imig_tips(imig_vec *out, const imig_graph *g,
                                     imig_nodes nodes, imig_error *err);

/* Nodes nothing comes after along `edges` (g->next: heads; g->all_next: real heads). */
void imig_ends(imig_vec *out, const imig_graph *g, const imig_edges *edges);

/* Nodes that declare no down_revision and, with `real`, no depends_on either. */
void imig_bases(imig_vec *out, const imig_graph *g, bool real);

#endif /* IMIG_RESOLVE_H */
