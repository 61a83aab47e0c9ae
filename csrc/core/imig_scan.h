/* imig_scan.h - the header of a revision file, read without importing it.
 *
 *     bytes --> imig_encoding --> imig_lex --> imig_scan --> imig_header
 *               BOM, cookie       tokens       statements
 *
 * The one rule: for every file the header is what importing the file would give, or
 * the file is NOT_STATIC and somebody imports it.  docs/design/scanner.md lists what
 * makes a file NOT_STATIC.
 *
 *     imig_header h;
 *     imig_header_init(&h);
 *     h.python = PY_VERSION_HEX;
 *     for each file: imig_scan(&h, bytes, len, &err)   // storage is used again
 *     imig_header_clear(&h);
 *
 * Values share two stores that belong to the header and live until the next scan:
 *
 *     down_revision {TUPLE, first 1, count 2} ---+
 *                                                v
 *     items   | "a1" | "b2" | "c3" | "doc..." |      ptr, len each
 *     text    a1b2c3doc...                           UTF-8, not NUL-terminated
 */
#ifndef IMIG_SCAN_H
#define IMIG_SCAN_H

#include "imig_base.h"
#include "imig_buf.h"
#include "imig_error.h"
#include "imig_known.h"

/* Larger input is IMIG_E_LIMIT: import the file.  Python needs minutes and gigabytes
 * for a source of this size; nobody has one. */
#define IMIG_SCAN_LIMIT ((size_t)64 << 20)

typedef enum imig_value_kind {
    IMIG_VALUE_ABSENT, /* the module has no such name */
    IMIG_VALUE_NONE,
    IMIG_VALUE_STR, /* count is 1 */
    IMIG_VALUE_TUPLE,
    IMIG_VALUE_LIST,
    IMIG_VALUE_SET, /* items in source order, a repeated one as often as it stands */
} imig_value_kind;

/* items[first .. first + count) of the header. */
typedef struct imig_value {
    imig_value_kind kind;
    uint32_t first;
    uint32_t count;
} imig_value;

typedef struct imig_header {
    /* What the importing Python does with docstrings; set after imig_header_init. */
    uint32_t python;  /* PY_VERSION_HEX; 3.13 strips indentation; 0 is the oldest */
    bool without_doc; /* python -OO: `doc` is always ABSENT */

    /* Not NULL: what was read in other files is not read again, nor what comes after
     * the header and cannot matter.  Values are the same; damage after the header is
     * not noticed, nor what is not understood there. */
    imig_known *known;

    bool is_static; /* false: NOT_STATIC, and the values below mean nothing */

    /* Why NOT_STATIC, a static string without a full stop; also of a static file that
     * no Python compiles, whose header stands before the damage; else NULL. */
    const char *reason;
    uint32_t line; /* 1-based, where `reason` applies; 0: the whole file, or none */

    imig_value revision;
    imig_value down_revision;
    imig_value branch_labels;
    imig_value depends_on;
    imig_value doc; /* ABSENT or STR: the module's __doc__ */

    imig_str *items; /* `ptr` is never NULL */
    uint32_t item_count;

    /* Private. */
    uint32_t item_capacity;
    imig_buf text;
} imig_header;

/* No allocation; cannot fail. */
void imig_header_init(imig_header *h);

/* Free what the header holds; it is as after imig_header_init, but keeps what
 * was set of it. */
void imig_header_clear(imig_header *h);

/* Read the header of a revision file.  Looks at no byte outside bytes[0 .. len), keeps
 * no pointer to it.  Time and memory are linear in `len`; no recursion.
 * Returns IMIG_OK (static or not), IMIG_E_NOMEM, or IMIG_E_LIMIT over IMIG_SCAN_LIMIT;
 * after a failure `out` is not static and can be used again. */
IMIG_NODISCARD imig_status imig_scan(imig_header *out, const char *bytes, size_t len,
                                     imig_error *err);

#endif /* IMIG_SCAN_H */
