/* imig_strmap.h - text to uint32, for revision ids and branch labels.
 *
 * Open addressing, linear probing, at most half full:
 *
 *     slots:  [ - | "ae10",3 | - | "b2f0",0 | "c3",1 | - | - | - ]
 *
 * Keys are not copied: they must live as long as the map. */
#ifndef IMIG_STRMAP_H
#define IMIG_STRMAP_H

#include "imig_base.h"

typedef struct imig_strmap_slot {
    imig_str key; /* ptr is NULL in an empty slot */
    uint32_t hash;
    uint32_t value;
} imig_strmap_slot;

typedef struct imig_strmap {
    imig_strmap_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
} imig_strmap;

#define IMIG_STRMAP_INIT {NULL, 0, 0}

/* False when the key is not there; `out` is then untouched. */
bool imig_strmap_get(uint32_t *out, const imig_strmap *map, imig_str key);

/* Put a key that is not there yet; its `ptr` must not be NULL.  False when out of
 * memory; the map is then unchanged. */
IMIG_NODISCARD bool imig_strmap_put(imig_strmap *map, imig_str key, uint32_t value);

void imig_strmap_clear(imig_strmap *map);

#endif /* IMIG_STRMAP_H */
