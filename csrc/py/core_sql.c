/* core_sql.c - sql_facts() and sql_tokens(): what the classifier and its lexer find,
 * for policies written in Python and for the tests.  The driver calls imig_sql_look
 * itself.
 */
#include "core_sql.h"

#include "imig_sql.h"
#include "imig_sql_lex.h"

typedef struct field {
    const char *name;
    size_t offset;
} field;

#define FIELD(name) {#name, offsetof(imig_sql_facts, name)}

static const field flags[] = {
    FIELD(unsure),          FIELD(returns_rows),          FIELD(transaction_control),
    FIELD(own_transaction), FIELD(changes_text_settings), FIELD(deferrable),
    FIELD(concurrently),
};

static const field sizes[] = {
    FIELD(verb_offset),
    FIELD(name_offset),
    FIELD(name_len),
};

/* Takes the reference to `value`, which may be NULL. */
static int
add_take(PyObject *dict, const char *name, PyObject *value)
{
    int failed = value == NULL ? -1 : PyDict_SetItemString(dict, name, value);
    Py_XDECREF(value);
    return failed;
}

static int
add_flags_and_sizes(PyObject *dict, const imig_sql_facts *facts)
{
    const char *base = (const char *)facts;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        bool value = *(const bool *)(base + flags[i].offset);
        if (add_take(dict, flags[i].name, PyBool_FromLong(value)) < 0)
            return -1;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t value;
        memcpy(&value, base + sizes[i].offset, sizeof value);
        if (add_take(dict, sizes[i].name, PyLong_FromSize_t(value)) < 0)
            return -1;
    }
    return 0;
}

static PyObject *
facts_dict(const imig_sql_facts *facts)
{
    PyObject *dict = Py_BuildValue("{s:k,s:s,s:s,s:s}", "statements",
                                   (unsigned long)facts->statements, "verb",
                                   imig_sql_verb_name(facts->verb), "main_verb",
                                   imig_sql_verb_name(facts->main_verb), "object",
                                   imig_sql_object_name(facts->object));
    if (dict != NULL && add_flags_and_sizes(dict, facts) < 0)
        Py_CLEAR(dict);
    return dict;
}

PyDoc_STRVAR(sql_facts_doc,
             "sql_facts($module, sql, /, standard_conforming_strings=True)\n--\n\n"
             "What a driver must know about a SQL text before it sends it.");

static PyObject *
core_sql_facts(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"", "standard_conforming_strings", NULL};
    Py_buffer view;
    int conforming = 1;
    imig_sql_facts facts;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s*|p:sql_facts",
                                     (char **)(uintptr_t)names, &view, &conforming))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
        imig_sql_look(&facts, view.buf, (size_t)view.len, conforming != 0);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    return facts_dict(&facts);
}

static const char *
kind_name(imig_sql_token_kind kind)
{
    switch (kind) {
    case IMIG_SQL_TOKEN_WORD:
        return "WORD";
    case IMIG_SQL_TOKEN_QUOTED:
        return "QUOTED";
    case IMIG_SQL_TOKEN_STRING:
        return "STRING";
    case IMIG_SQL_TOKEN_NUMBER:
        return "NUMBER";
    case IMIG_SQL_TOKEN_PARAM:
        return "PARAM";
    case IMIG_SQL_TOKEN_SYMBOL:
        return "SYMBOL";
    case IMIG_SQL_TOKEN_BAD:
    case IMIG_SQL_TOKEN_END:
        break;
    }
    return "BAD";
}

/* Append the token; steals nothing.  -1 with an exception. */
static int
append_token(PyObject *list, const imig_sql_token *token)
{
    PyObject *item = Py_BuildValue("(snn)", kind_name(token->kind),
                                   (Py_ssize_t)token->begin, (Py_ssize_t)token->end);
    int failed = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return failed;
}

/* New reference to a list of tuples, or NULL with an exception. */
static PyObject *
token_list(const char *sql, size_t len, bool standard_conforming_strings)
{
    imig_sql_lexer lexer;
    imig_sql_token token;
    PyObject *list = PyList_New(0);
    if (list == NULL)
        return NULL;
    imig_sql_lex_init(&lexer, sql, len, standard_conforming_strings);
    while (imig_sql_lex_next(&lexer, &token), token.kind != IMIG_SQL_TOKEN_END) {
        if (append_token(list, &token) < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

PyDoc_STRVAR(sql_tokens_doc,
             "sql_tokens($module, sql, /, standard_conforming_strings=True)\n--\n\n"
             "The tokens of a SQL text: kind, and where it begins and ends.");

static PyObject *
core_sql_tokens(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"", "standard_conforming_strings", NULL};
    Py_buffer view;
    int conforming = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s*|p:sql_tokens",
                                     (char **)(uintptr_t)names, &view, &conforming))
        return NULL;
    PyObject *list = token_list(view.buf, (size_t)view.len, conforming != 0);
    PyBuffer_Release(&view);
    return list;
}

static PyMethodDef sql_methods[] = {
    {"sql_tokens", (PyCFunction)(void (*)(void))core_sql_tokens,
     METH_VARARGS | METH_KEYWORDS, sql_tokens_doc},
    {"sql_facts", (PyCFunction)(void (*)(void))core_sql_facts,
     METH_VARARGS | METH_KEYWORDS, sql_facts_doc},
    {NULL, NULL, 0, NULL},
};

int
imigpy_sql_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, sql_methods);
}
