/* fuzz_scan.c - any bytes as a revision file.
 *
 * The scanner gets a copy of exactly the input's size, so that AddressSanitizer traps
 * a read beyond it.  What it answers must hang together. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imig_encoding.h"
#include "imig_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int condition)
{
    if (!condition)
        abort();
}

static void
check_value(const imig_header *h, const imig_value *value, int strings_only)
{
    demand(!strings_only || value->kind == IMIG_VALUE_STR ||
           value->kind == IMIG_VALUE_ABSENT);
    demand(value->count <= h->item_count);
    demand(value->first <= h->item_count - value->count);
    demand(value->kind != IMIG_VALUE_STR || value->count == 1);
    demand(value->kind > IMIG_VALUE_NONE || value->count == 0);
}

static void
check_text(const imig_str *item)
{
    uint32_t code;
    for (size_t at = 0; at < item->len;) {
        size_t step = imig_utf8_next(&code, item->ptr + at, item->len - at);
        demand(step != 0);
        at += step;
    }
}

static void
check_header(const imig_header *h)
{
    demand(h->is_static || h->reason != NULL);
    if (!h->is_static)
        return;
    check_value(h, &h->revision, 0);
    check_value(h, &h->down_revision, 0);
    check_value(h, &h->branch_labels, 0);
    check_value(h, &h->depends_on, 0);
    check_value(h, &h->doc, 1);
    for (uint32_t i = 0; i < h->item_count; i++)
        check_text(&h->items[i]);
}

static int
same_value(const imig_header *h, const imig_value *a, const imig_header *g,
           const imig_value *b)
{
    int same = a->kind == b->kind && a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        imig_str x = h->items[a->first + i], y = g->items[b->first + i];
        same = x.len == y.len && memcmp(x.ptr, y.ptr, x.len) == 0;
    }
    return same;
}

/* A scan that has seen nothing, this file, or one that differs in a byte, answers what
 * the scan of the file alone does. */
static void
check_after(const imig_header *alone, char *bytes, size_t size)
{
    imig_known known;
    imig_header h = {.python = alone->python, .known = &known};
    imig_known_init(&known);
    for (int round = 0; round < 4; round++) {
        size_t at = size * 2 / 3;
        char kept = size != 0 ? bytes[at] : '\0';
        if (round == 2 && size != 0)
            bytes[at] = bytes[size / 3];
        demand(imig_scan(&h, bytes, size, NULL) == IMIG_OK);
        check_header(&h);
        if (size != 0)
            bytes[at] = kept;
        /* Of a broken file one scan may see the damage, the other a trick before it. */
        int broken = alone->reason != NULL;
        if (round == 2 || !alone->is_static || (broken && !h.is_static))
            continue;
        demand(h.is_static && same_value(alone, &alone->revision, &h, &h.revision));
        demand(same_value(alone, &alone->down_revision, &h, &h.down_revision));
        demand(same_value(alone, &alone->branch_labels, &h, &h.branch_labels));
        demand(same_value(alone, &alone->depends_on, &h, &h.depends_on));
        demand(same_value(alone, &alone->doc, &h, &h.doc));
    }
    imig_header_clear(&h);
    imig_known_clear(&known);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t pythons[] = {0, 0x030D0000};
    char *bytes = malloc(size != 0 ? size : 1);
    imig_header h;
    if (bytes == NULL)
        return 0;
    if (size != 0)
        memcpy(bytes, data, size);
    imig_header_init(&h);
    for (size_t i = 0; i < 2; i++) {
        h.python = pythons[i];
        demand(imig_scan(&h, bytes, size, NULL) == IMIG_OK);
        check_header(&h);
        check_after(&h, bytes, size);
    }
    imig_header_clear(&h);
    free(bytes);
    return 0;
}
