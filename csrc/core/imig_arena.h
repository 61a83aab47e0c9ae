/* imig_arena.h - memory that is freed all at once.
 *
 *     blocks:  [newest | used ....... free] -> [older] -> [oldest] -> NULL
 *
 * What it hands out does not move.  One arena belongs to one graph. */
#ifndef IMIG_ARENA_H
#define IMIG_ARENA_H

#include "imig_base.h"

typedef struct imig_arena_block imig_arena_block;

typedef struct imig_arena {
    imig_arena_block *newest;
    size_t free; /* bytes left in the newest block */
} imig_arena;

#define IMIG_ARENA_INIT {NULL, 0}

/* `size` bytes without alignment, NULL when out of memory. */
IMIG_NODISCARD char *imig_arena_bytes(imig_arena *arena, size_t size);

/* Copy text into the arena.  False when out of memory; `out` is then untouched. */
IMIG_NODISCARD bool imig_arena_copy(imig_str *out, imig_arena *arena, imig_str text);

/* Free everything; the arena is empty and usable again. */
void imig_arena_clear(imig_arena *arena);

#endif /* IMIG_ARENA_H */
