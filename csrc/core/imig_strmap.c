/* imig_strmap.c - open addressing with FNV-1a.
 *
 * Keys come from a project's own revision files: nobody gains by making them collide,
 * so the hash has no secret. */
#include "imig_strmap.h"

#include <string.h>

#include "imig_alloc.h"

#define FIRST_CAPACITY 32

static uint32_t
hash_of(imig_str key)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 16777619u;
    return hash ^ (hash >> 15);
}

static bool
same(imig_str a, imig_str b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* The slot that holds the key, or the empty one where it belongs. */
static imig_strmap_slot *
slot_for(const imig_strmap *map, imig_str key, uint32_t hash)
{
    size_t mask = map->capacity - 1;
    size_t at = hash & mask;
    while (map->slots[at].key.ptr != NULL &&
           !(map->slots[at].hash == hash && same(map->slots[at].key, key)))
        at = (at + 1) & mask;
    return &map->slots[at];
}

bool
imig_strmap_get(uint32_t *out, const imig_strmap *map, imig_str key)
{
    if (map->count == 0 || key.ptr == NULL)
        return false;
    const imig_strmap_slot *slot = slot_for(map, key, hash_of(key));
    if (slot->key.ptr == NULL)
        return false;
    *out = slot->value;
    return true;
}

static bool
grow(imig_strmap *map)
{
    imig_strmap wider = {.capacity = FIRST_CAPACITY};
    if (map->capacity > SIZE_MAX / 2)
        return false;
    if (map->capacity != 0)
        wider.capacity = map->capacity * 2;
    wider.slots = imig_alloc_zeroed(wider.capacity, sizeof *wider.slots);
    if (wider.slots == NULL)
        return false;
    wider.count = map->count;
    for (size_t i = 0; i < map->capacity; i++) {
        const imig_strmap_slot *old = &map->slots[i];
        if (old->key.ptr != NULL)
            *slot_for(&wider, old->key, old->hash) = *old;
    }
    imig_free(map->slots);
    *map = wider;
    return true;
}

bool
imig_strmap_put(imig_strmap *map, imig_str key, uint32_t value)
{
    if (map->count >= map->capacity / 2 && !grow(map))
        return false;
    uint32_t hash = hash_of(key);
    *slot_for(map, key, hash) = (imig_strmap_slot){key, hash, value};
    map->count++;
    return true;
}

void
imig_strmap_clear(imig_strmap *map)
{
    imig_free(map->slots);
    *map = (imig_strmap)IMIG_STRMAP_INIT;
}
