/* imig_graph_impl.h - between the imig_graph_*.c files only. */
#ifndef IMIG_GRAPH_IMPL_H
#define IMIG_GRAPH_IMPL_H

#include "imig_graph.h"

/* Free all that imig_graph_finish makes, whole or in part. */
void imig_graph_unfinish(imig_graph *g);

/* Fill node.label_set of every node.  Needs all edges.  False when out of memory. */
IMIG_NODISCARD bool imig_graph_spread_labels(imig_graph *g);

#endif /* IMIG_GRAPH_IMPL_H */
