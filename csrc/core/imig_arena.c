/* imig_arena.c - bump allocator over a list of blocks. */
#include "imig_arena.h"

#include <string.h>

#include "imig_alloc.h"

#define BLOCK_SIZE ((size_t)64 * 1024)

struct imig_arena_block {
    imig_arena_block *older;
    size_t size;
    char bytes[];
};

char *
imig_arena_bytes(imig_arena *arena, size_t size)
{
    if (size > arena->free || arena->newest == NULL) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        size_t need;
        if (imig_add_overflow(&need, room, sizeof(imig_arena_block)))
            return NULL;
        imig_arena_block *block = imig_alloc(need);
        if (block == NULL)
            return NULL;
        block->older = arena->newest;
        block->size = room;
        arena->newest = block;
        arena->free = room;
    }
    char *found = arena->newest->bytes + (arena->newest->size - arena->free);
    arena->free -= size;
    return found;
}

bool
imig_arena_copy(imig_str *out, imig_arena *arena, imig_str text)
{
    char *copy = imig_arena_bytes(arena, text.len);
    if (copy == NULL)
        return false;
    if (text.len != 0)
        memcpy(copy, text.ptr, text.len);
    *out = (imig_str){copy, text.len};
    return true;
}

void
imig_arena_clear(imig_arena *arena)
{
    imig_arena_block *block = arena->newest;
    while (block != NULL) {
        imig_arena_block *older = block->older;
        imig_free(block);
        block = older;
    }
    *arena = (imig_arena)IMIG_ARENA_INIT;
}
