/* graph_text.h - graphs of the C tests as text: one word per node, answers as ids.
 *
 *     "a b:a c:a d:b,c+x!one"      d comes after b and c, depends on x, has label one
 */
#ifndef GRAPH_TEXT_H
#define GRAPH_TEXT_H

#include "imig_graph.h"
#include "imig_test.h"
#include "imig_vec.h"

/* The names of one part of a word, up to the next mark. */
static inline uint32_t
graph_names(imig_str out[16], const char **at)
{
    uint32_t count = 0;
    do {
        const char *start = ++*at;
        *at += strcspn(start, ",:+! ");
        out[count++] = (imig_str){start, (size_t)(*at - start)};
    } while (**at == ',');
    return count;
}

static inline imig_status
graph_add_word(imig_graph *g, const char **at, imig_error *err)
{
    imig_str down[16], depend[16], labels[16];
    imig_rev rev = {.id = {*at, strcspn(*at, ",:+! ")}};
    *at += rev.id.len;
    rev.down = down;
    rev.depend = depend;
    rev.labels = labels;
    if (**at == ':')
        rev.down_count = graph_names(down, at);
    if (**at == '+')
        rev.depend_count = graph_names(depend, at);
    if (**at == '!')
        rev.label_count = graph_names(labels, at);
    return imig_graph_add(g, &rev, err);
}

/* Add all words and finish. */
static inline imig_status
graph_read(imig_flaw *flaw, imig_graph *g, const char *text, imig_error *err)
{
    imig_status st = IMIG_OK;
    imig_graph_init(g);
    while (*text != '\0' && st == IMIG_OK) {
        st = graph_add_word(g, &text, err);
        text += *text == ' ';
    }
    return st == IMIG_OK ? imig_graph_finish(flaw, g, err) : st;
}

/* Nodes as "a b c"; `out` holds what fits. */
static inline const char *
graph_show(char out[256], const imig_graph *g, const uint32_t *nodes, size_t count)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && len < 200; i++) {
        imig_str id = g->nodes[nodes[i]].id;
        len += (size_t)snprintf(out + len, 256 - len, "%s%.*s", i != 0 ? " " : "",
                                (int)id.len, id.ptr);
    }
    return out;
}

/* The nodes of "a b c", appended. */
static inline void
graph_nodes(imig_vec *out, const imig_graph *g, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        imig_vec_push(out, imig_graph_find(g, (imig_str){text, len}));
        text += len;
        text += *text == ' ';
    }
}

#define CHECK_SHOWN(t, g, list, number, text)                                          \
    do {                                                                               \
        char shown_[256];                                                              \
        const char *got_ = graph_show(shown_, (g), (list), (number));                  \
        if (strcmp(got_, (text)) != 0)                                                 \
            fprintf(stderr, "got: %s\n", got_);                                        \
        CHECK(t, strcmp(got_, (text)) == 0);                                           \
    } while (0)

#endif /* GRAPH_TEXT_H */
