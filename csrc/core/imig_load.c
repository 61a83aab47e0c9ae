/* imig_load.c - scanned headers as nodes. */
#include "imig_load.h"

#include <string.h>

#include "imig_alloc.h"
#include "imig_file.h"

void
imig_loader_init(imig_loader *loader)
{
    *loader = (imig_loader){.folder = IMIG_FILE_HERE, .bytes = IMIG_BUF_INIT};
    imig_header_init(&loader->header);
    imig_known_init(&loader->known);
}

void
imig_loader_clear(imig_loader *loader)
{
    imig_free(loader->names);
    loader->names = NULL;
    loader->capacity = 0;
    imig_header_clear(&loader->header);
    imig_known_clear(&loader->known);
    imig_buf_clear(&loader->bytes);
}

static bool
equal(imig_str a, imig_str b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static bool
is_word(imig_str text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

/* alembic.script.revision._revision_illegal_chars, and the symbols that
 * RevisionMap._resolve_revision_number would take an id for. */
static bool
is_plain_id(imig_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (strchr("@-+:", id.ptr[i]) != NULL && id.ptr[i] != '\0')
            return false;
    }
    return id.len != 0 && !is_word(id, "head") && !is_word(id, "heads") &&
           !is_word(id, "base");
}

static bool
are_plain(const imig_str *names, uint32_t count, imig_str other_than)
{
    for (uint32_t i = 0; i < count; i++) {
        if (names[i].len == 0 || equal(names[i], other_than))
            return false;
    }
    return true;
}

bool
imig_rev_is_plain(const imig_rev *rev)
{
    imig_str none = {"", 0};
    return is_plain_id(rev->id) && are_plain(rev->down, rev->down_count, rev->id) &&
           are_plain(rev->depend, rev->depend_count, rev->id) &&
           are_plain(rev->labels, rev->label_count, none);
}

/* Copy a value's items to loader->names from `at` on, and return where they end.
 * There is room for all items of the header. */
static uint32_t
take(imig_loader *loader, imig_value value, uint32_t at)
{
    const imig_str *items = loader->header.items + value.first;
    uint32_t end = at;
    for (uint32_t i = 0; i < value.count; i++) {
        bool again = false;
        for (uint32_t j = at; value.kind == IMIG_VALUE_SET && j < end && !again; j++)
            again = equal(loader->names[j], items[i]);
        if (!again)
            loader->names[end++] = items[i];
    }
    return end;
}

/* Repeats in a set are looked for one by one; nobody has a set of that size. */
static bool
is_long_set(imig_value value)
{
    return value.kind == IMIG_VALUE_SET && value.count > 256;
}

static bool
room_for_names(imig_loader *loader)
{
    size_t need = loader->header.item_count;
    if (need <= loader->capacity)
        return true;
    imig_str *grown = imig_realloc_array(loader->names, need, sizeof *grown);
    if (grown == NULL)
        return false;
    loader->names = grown;
    loader->capacity = need;
    return true;
}

static imig_status
add_header(imig_loaded *out, imig_graph *g, imig_loader *loader, imig_error *err)
{
    const imig_header *h = &loader->header;
    imig_rev rev = {0};
    /* Without them Alembic guesses from the file's name, or raises AttributeError. */
    if (h->revision.kind != IMIG_VALUE_STR ||
        h->down_revision.kind == IMIG_VALUE_ABSENT || is_long_set(h->down_revision) ||
        is_long_set(h->depends_on) || is_long_set(h->branch_labels)) {
        *out = IMIG_LOADED_ODD;
        return imig_graph_reserve(g, err);
    }
    if (!room_for_names(loader))
        return imig_error_set(err, IMIG_E_NOMEM, "out of memory");
    uint32_t down = take(loader, h->down_revision, 0);
    uint32_t depend = take(loader, h->depends_on, down);
    uint32_t labels = take(loader, h->branch_labels, depend);
    rev.id = h->items[h->revision.first];
    rev.down = loader->names;
    rev.down_count = down;
    rev.depend = loader->names + down;
    rev.depend_count = depend - down;
    rev.labels = loader->names + depend;
    rev.label_count = labels - depend;
    if (h->doc.kind == IMIG_VALUE_STR)
        rev.doc = h->items[h->doc.first];
    if (h->doc.kind == IMIG_VALUE_STR && rev.doc.ptr == NULL)
        rev.doc.ptr = "";
    if (!imig_rev_is_plain(&rev)) {
        *out = IMIG_LOADED_ODD;
        return imig_graph_reserve(g, err);
    }
    *out = IMIG_LOADED;
    return imig_graph_add(g, &rev, err);
}

static imig_status
load(imig_loaded *out, imig_graph *g, imig_loader *loader, const char *path,
     imig_error *err)
{
    imig_status st = imig_file_read_at(&loader->bytes, loader->folder,
                                       path + loader->prefix, IMIG_SCAN_LIMIT, err);
    loader->header.known = &loader->known;
    if (st == IMIG_OK)
        st = imig_scan(&loader->header, loader->bytes.data, loader->bytes.len, err);
    if (st == IMIG_OK && loader->header.is_static)
        return add_header(out, g, loader, err);
    if (st == IMIG_E_NOMEM)
        return st;
    *out = st == IMIG_E_IO ? IMIG_LOADED_UNREADABLE : IMIG_LOADED_NOT_STATIC;
    return imig_graph_reserve(g, err);
}

imig_status
imig_load_file(imig_loaded *out, imig_graph *g, imig_loader *loader, const char *path,
               imig_error *err)
{
    imig_status st = load(out, g, loader, path, err);
    if (st == IMIG_OK)
        g->nodes[g->count - 1].path = path;
    return st;
}
