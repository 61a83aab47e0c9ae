/* imig_labels.h - the branch labels of one revision, after their spread. */
#ifndef IMIG_LABELS_H
#define IMIG_LABELS_H

#include "imig_graph.h"
#include "imig_vec.h"

/* Put indices into g->names into `out`, in the order in which the files declare them.
 * (Alembic has a Python set: its order hangs on the hash seed.)  False when out of
 * memory. */
IMIG_NODISCARD bool imig_labels_of(imig_vec *out, const imig_graph *g, uint32_t node);

#endif /* IMIG_LABELS_H */
