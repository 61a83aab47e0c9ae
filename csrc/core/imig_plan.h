/* imig_plan.h - which revisions to run, and in which order.
 *
 * All orders are Alembic's: newest first.  An upgrade runs them backwards. */
#ifndef IMIG_PLAN_H
#define IMIG_PLAN_H

#include "imig_resolve.h"

/* Put the nodes that have `bit` in `marks` in the order of
 * RevisionMap._topological_sort, starting from `heads`.  IMIG_OK, IMIG_E_NOMEM, or
 * IMIG_E_ARGUMENT when some of them stand above or beside the heads (there Alembic
 * fails an assertion). */
IMIG_NODISCARD imig_status imig_order(imig_vec *out, const imig_graph *g,
                                      uint8_t *marks, uint8_t bit, imig_nodes heads,
                                      imig_error *err);

/* An upgrade as RevisionMap._collect_upgrade_revisions takes it. */
typedef struct imig_upgrade {
    imig_nodes targets;
    imig_nodes current;
    imig_nodes include; /* run these too (Alembic's `inclusive`) */
    bool implicit_base; /* false: only what stands above `current` */
} imig_upgrade;

/* IMIG_OK, IMIG_E_NOMEM, IMIG_E_RANGE (`current` is not below `targets`), or
 * IMIG_E_ARGUMENT: with overlap->target, targets or current revisions stand one above
 * the other; without, as imig_order. */
IMIG_NODISCARD imig_status imig_plan_upgrade(imig_vec *out, imig_overlap *overlap,
                                             const imig_graph *g,
                                             const imig_upgrade *ask, imig_error *err);

/* A downgrade as RevisionMap._collect_downgrade_revisions takes it. */
typedef struct imig_downgrade {
    imig_nodes roots;   /* drop these and all that stands on them */
    imig_nodes current; /* of what is below these */
    bool implicit_base; /* wind other branches back as well */
} imig_downgrade;

/* IMIG_OK, IMIG_E_NOMEM or IMIG_E_ARGUMENT, as imig_order. */
IMIG_NODISCARD imig_status imig_plan_downgrade(imig_vec *out, const imig_graph *g,
                                               const imig_downgrade *ask,
                                               imig_error *err);

#endif /* IMIG_PLAN_H */
