/* scan_render.h - a scanned header as one line of text, for the tests of the scanner.
 *
 *     revision=a1 down_revision=(b2,c3) branch_labels=[x] depends_on=None doc=...
 *     NOT_STATIC 3: a value is not a literal */
#ifndef SCAN_RENDER_H
#define SCAN_RENDER_H

#include "imig_scan.h"
#include "imig_test.h"

static inline void
render_value(imig_buf *out, const imig_header *h, const char *name,
             const imig_value *value)
{
    static const char opens[] = {0, 0, 0, '(', '[', '{'};
    static const char closes[] = {0, 0, 0, ')', ']', '}'};
    if (value->kind == IMIG_VALUE_ABSENT)
        return;
    if (out->len != 0)
        imig_buf_byte(out, ' ');
    imig_buf_str(out, name);
    imig_buf_byte(out, '=');
    if (value->kind == IMIG_VALUE_NONE)
        imig_buf_str(out, "None");
    if (opens[value->kind] != 0)
        imig_buf_byte(out, opens[value->kind]);
    for (uint32_t i = 0; i < value->count; i++) {
        if (i != 0)
            imig_buf_byte(out, ',');
        imig_buf_add(out, h->items[value->first + i].ptr,
                     h->items[value->first + i].len);
    }
    if (closes[value->kind] != 0)
        imig_buf_byte(out, closes[value->kind]);
}

static inline void
render_header(imig_buf *out, const imig_header *h)
{
    char line[32];
    out->len = 0;
    if (!h->is_static) {
        snprintf(line, sizeof line, "NOT_STATIC %u: ", (unsigned)h->line);
        imig_buf_str(out, line);
        imig_buf_str(out, h->reason);
        return;
    }
    render_value(out, h, "revision", &h->revision);
    render_value(out, h, "down_revision", &h->down_revision);
    render_value(out, h, "branch_labels", &h->branch_labels);
    render_value(out, h, "depends_on", &h->depends_on);
    render_value(out, h, "doc", &h->doc);
}

/* Scan a copy of exactly the source's size and compare; a difference is printed. */
static inline void
check_scan(imig_test *t, imig_header *h, const char *source, size_t len,
           const char *expected, const char *file, int line)
{
    imig_buf got = IMIG_BUF_INIT;
    char *copy = imig_test_copy(source, len);
    imig_test_note(t, imig_scan(h, copy, len, NULL) == IMIG_OK, source, file, line);
    free(copy);
    render_header(&got, h);
    int same = got.len == strlen(expected) &&
               (got.len == 0 || memcmp(got.data, expected, got.len) == 0);
    imig_test_note(t, same, source, file, line);
    if (!same)
        fprintf(stderr, "  expected %s\n  got      %.*s\n", expected, (int)got.len,
                got.data != NULL ? got.data : "");
    imig_buf_clear(&got);
}

#define SCANS(t, h, source, expected)                                                  \
    check_scan((t), (h), (source), strlen(source), (expected), __FILE__, __LINE__)

#endif /* SCAN_RENDER_H */
